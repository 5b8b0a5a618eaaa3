// A network without sockets: links between mirrors and a server's peers, driven by a clock a test
// owns, everything of one seed.
//
// A link is two ways. What is sent on a way arrives in order, each message when its latency is over,
// unless the way is cut before. Faults:
// - a cut: some first part of what is on its way still arrives, the rest is lost; each end notices
//   at a time of its own, so that a server may hear an old link after the mirror's next one;
// - a half-open link: the same, but nobody notices: what is sent is swallowed;
// - a slow reader: nothing arrives until it reads again, and the sender has no room.
// A message of one link never arrives on another.
public import HoldfastBasics
public import HoldfastServer

/// Links that a test cuts, and a clock that says when messages arrive.
public final class FakeNetwork {
    /// What comes out of a link.
    public enum Arrival {
        /// A whole message.
        case message([UInt8])
        /// The other end closed, with a code where it said one, or the link broke.
        case end(UInt16?)
    }

    let time: FakeTime
    let random: SeededRandom
    /// Links of which something may still arrive.
    public private(set) var links: [FakeLink] = []
    private var count = 0

    /// A network without links.
    public init(seed: UInt64, time: FakeTime) {
        random = SeededRandom(seed: seed)
        self.time = time
    }

    /// Milliseconds on the monotonic clock.
    public var now: UInt64 { time.monotonicNanoseconds() / 1_000_000 }

    /// Opens a link with a latency of its own.
    public func connect() -> FakeLink {
        count += 1
        let link = FakeLink(self, number: count, latency: UInt64(random.within(1...30)))
        links.append(link)
        return link
    }

    /// When the next message or end arrives; nil when nothing is on its way.
    public var nextArrival: UInt64? { links.compactMap(\.nextArrival).min() }

    /// Takes what is due first; among equals the older link, and of that what goes up.
    public func takeDue() -> (link: FakeLink, isUp: Bool, arrival: Arrival)? {
        let now = now
        guard let link = links.min(by: { ($0.nextArrival ?? .max) < ($1.nextArrival ?? .max) }),
            let due = link.nextArrival, due <= now
        else { return nil }
        let isUp = link.up.nextArrival == due
        let arrival = isUp ? link.up.take() : link.down.take()
        if link.isGone { links.removeAll { $0 === link } }
        return (link, isUp, arrival)
    }
}

/// One connection of a mirror; the server's peer writes into it as its output.
public final class FakeLink: MirrorOutput {
    /// One direction.
    final class Way {
        private struct Flight {
            let at: UInt64
            let arrival: FakeNetwork.Arrival
        }

        private var flights: [Flight] = []
        private var last: UInt64 = 0
        private(set) var byteCount = 0
        private(set) var isOver = false
        var isSwallowing = false
        var heldUntil: UInt64 = 0

        var nextArrival: UInt64? { flights.first.map { max($0.at, heldUntil) } }
        var isEmpty: Bool { flights.isEmpty }

        func send(_ message: [UInt8], at time: UInt64) {
            guard !isOver else { return }
            byteCount += message.count
            // Swallowed bytes fill the sender's buffers: nobody confirms them.
            guard !isSwallowing else { return }
            last = max(last, time)
            flights.append(Flight(at: last, arrival: .message(message)))
        }

        func end(_ code: UInt16?, at time: UInt64) {
            guard !isOver else { return }
            isOver = true
            guard !isSwallowing else { return }
            last = max(last, time)
            flights.append(Flight(at: last, arrival: .end(code)))
        }

        func take() -> FakeNetwork.Arrival {
            let flight = flights.removeFirst()
            if case .message(let bytes) = flight.arrival { byteCount -= bytes.count }
            return flight.arrival
        }

        func keep(first count: Int) {
            flights.removeLast(max(0, flights.count - count))
            isOver = isOver && !flights.isEmpty
        }

        var count: Int { flights.count }

        /// Nobody reads it any more.
        func discard() {
            flights = []
            isOver = true
        }
    }

    /// Bytes on their way above which there is no room for another page of commits.
    public static let roomByteCount = 8 << 10
    /// Bytes the system takes off a sender's hands.
    private static let bufferByteCount = 2 << 10

    /// Links are numbered from 1.
    public let number: Int
    let up = Way()
    let down = Way()
    private let network: FakeNetwork
    private let latency: UInt64

    init(_ network: FakeNetwork, number: Int, latency: UInt64) {
        self.network = network
        self.number = number
        self.latency = latency
    }

    private var arrivalTime: UInt64 { network.now + latency + UInt64(network.random.below(5)) }

    var nextArrival: UInt64? {
        guard let up = up.nextArrival else { return down.nextArrival }
        return min(up, down.nextArrival ?? .max)
    }

    var isGone: Bool { up.isOver && down.isOver && up.isEmpty && down.isEmpty }

    // MARK: The mirror's side

    /// Sends a message to the server.
    public func sendUp(_ message: [UInt8]) { up.send(message, at: arrivalTime) }

    /// The mirror closes: what it sent before arrives.
    public func closeByMirror() {
        up.end(nil, at: arrivalTime)
        down.discard()
    }

    // MARK: The server's side

    /// Whether there is room for another page of commits.
    public var hasRoom: Bool { down.byteCount < Self.roomByteCount }

    /// Whether nothing is left in the server's hands.
    public var isDrained: Bool { down.byteCount <= Self.bufferByteCount }

    /// Whether bytes wait that nobody has taken.
    public var hasUnread: Bool { down.byteCount > Self.bufferByteCount }

    /// Sends a message to the mirror.
    public func send(_ message: ByteView) { down.send(message.array, at: arrivalTime) }

    /// The server closes: what it sent before arrives.
    public func end(_ code: UInt16) { closeByServer(code) }

    /// The server closes, or its process ends.
    public func closeByServer(_ code: UInt16?) {
        down.end(code, at: arrivalTime)
        up.discard()
    }

    // MARK: Faults

    /// Breaks the link: some first part of what is on its way arrives, then each end hears of it.
    public func cut() {
        for way in [up, down] where !way.isSwallowing {
            way.keep(first: network.random.below(way.count + 1))
            way.end(nil, at: network.now + UInt64(network.random.below(2000)))
        }
    }

    /// Some first part of what is on its way arrives, then nothing, and nobody is told.
    public func makeHalfOpen() {
        for way in [up, down] {
            way.keep(first: network.random.below(way.count + 1))
            way.isSwallowing = true
        }
    }

    /// The mirror reads nothing for a while.
    public func stall(milliseconds: UInt64) {
        down.heldUntil = max(down.heldUntil, network.now + milliseconds)
    }
}
