// Replies that wait for durability, one line per loop.
internal import HoldfastBasics
internal import HoldfastStore

/// A reply, or a request, that waits for a seq.
struct Parked {
    /// What is to happen when the seq is durable.
    enum Content {
        /// These bytes leave.
        case reply([UInt8], Int)
        /// The request is answered anew.
        case retry([UInt8])
    }

    let connection: Connection
    let seq: UInt64
    let content: Content
}

/// The parked replies of one loop.
///
/// Seqs come nearly in order, so that what is ready is at the front.
struct Parking {
    private var waiting: [Parked] = []

    var isEmpty: Bool { waiting.isEmpty }

    mutating func add(_ parked: Parked) {
        var index = waiting.count
        while index > 0, waiting[index - 1].seq > parked.seq { index -= 1 }
        waiting.insert(parked, at: index)
    }

    /// Takes out everything that need not wait any longer.
    mutating func take(_ progress: Progress) -> [Parked] {
        let count =
            progress.failure != nil
            ? waiting.count : waiting.firstIndex { $0.seq > progress.durable } ?? waiting.count
        guard count > 0 else { return [] }
        let ready = Array(waiting[..<count])
        waiting.removeFirst(count)
        return ready
    }

    /// Takes out the requests of some connections that are to be answered anew.
    mutating func takeRetries(of connections: Set<ObjectIdentifier>) -> [Parked] {
        func isTaken(_ parked: Parked) -> Bool {
            guard case .retry = parked.content else { return false }
            return connections.contains(ObjectIdentifier(parked.connection))
        }
        let taken = waiting.filter(isTaken)
        waiting.removeAll(where: isTaken)
        return taken
    }

    mutating func forget(_ connection: Connection) {
        waiting.removeAll { $0.connection === connection }
    }
}
