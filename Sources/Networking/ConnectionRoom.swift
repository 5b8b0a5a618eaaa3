// How many connections there may be, over all loops and listeners that share a room.
internal import Synchronization

/// Places for connections.
public final class ConnectionRoom: Sendable {
    private let taken = Atomic<Int>(0)
    private let most: Atomic<Int>

    /// - Parameter countMax: Most connections at one time.
    public init(countMax: Int) { most = Atomic(countMax) }

    /// Connections open now.
    public var count: Int { taken.load(ordering: .relaxed) }

    /// Most connections at one time; a lower number closes none that is open.
    public var countMax: Int { most.load(ordering: .relaxed) }

    /// Sets how many connections there may be.
    public func setCountMax(_ count: Int) { most.store(count, ordering: .relaxed) }

    /// Takes a place; false when there is none.
    func take() -> Bool {
        if taken.add(1, ordering: .relaxed).newValue <= countMax { return true }
        leave()
        return false
    }

    func leave() { taken.subtract(1, ordering: .relaxed) }
}
