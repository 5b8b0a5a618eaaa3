// Who still reads: tells a writer when what it has taken away is seen by nobody any more.
//
// A reader counts itself in before it looks and out when it is done; it holds no lock, and touches
// nothing that another thread's reader touches all the time. A writer that has unlinked something
// keeps it until both generations were seen without readers since: whoever could still see it
// counted itself into one of them before it was unlinked. Readers that come later count
// themselves into the newer generation, so that the older one empties however busy it is.
internal import Synchronization

/// Readers of a structure that is changed under them.
///
/// @unchecked Sendable: the counters are atomic, and their memory lives as long as this object.
public final class ReaderEpochs: @unchecked Sendable {
    /// A reader that counted itself in; it is to be given back once.
    public struct Reader {
        fileprivate let counter: Int
    }

    /// Counters of one generation: threads are spread over them.
    private static let stripeCount = 8
    /// Counters between two that are used: each has 128 bytes of its own, two cache lines.
    private static let stride = 16

    private let counters: UnsafeMutablePointer<Atomic<Int>>
    private let generation = Atomic<Int>(0)

    /// Nobody reads yet.
    public init() {
        let count = 2 * Self.stripeCount * Self.stride
        counters = .allocate(capacity: count)
        for index in 0..<count { (counters + index).initialize(to: Atomic(0)) }
    }

    deinit {
        let count = 2 * Self.stripeCount * Self.stride
        counters.deinitialize(count: count)
        counters.deallocate()
    }

    /// Counts a reader in.
    ///
    /// What it reads afterwards it must read with sequentially consistent loads.
    public func enter() -> Reader {
        let stripe = ThreadID.current.spread & (Self.stripeCount - 1)
        let parity = generation.load(ordering: .relaxed) & 1
        let counter = (parity &* Self.stripeCount &+ stripe) &* Self.stride
        counters[counter].wrappingAdd(1, ordering: .sequentiallyConsistent)
        return Reader(counter: counter)
    }

    /// Counts a reader out.
    public func leave(_ reader: Reader) {
        counters[reader.counter].wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    /// Begins another generation if the one before the present has no readers left.
    ///
    /// For one thread at a time. What was unlinked before a call that returned true is seen by
    /// nobody after the next such call.
    ///
    /// - Returns: Whether it did.
    public func advance() -> Bool {
        let present = generation.load(ordering: .relaxed)
        let older = (present + 1) & 1
        for stripe in 0..<Self.stripeCount {
            let counter = (older * Self.stripeCount + stripe) * Self.stride
            guard counters[counter].load(ordering: .sequentiallyConsistent) == 0 else {
                return false
            }
        }
        generation.store(present + 1, ordering: .sequentiallyConsistent)
        return true
    }
}
