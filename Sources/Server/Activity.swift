// Who reads what, connects and is still there, told to whoever administers the server and asks.
//
// Nothing is computed while nobody has asked. A watcher that reads slowly is told how much it
// missed: what it is told is no history, and is kept nowhere.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire
internal import Synchronization

/// What is told of a server's activity, to feeds of all loops.
final class Activity: Sendable {
    /// One feed that is told.
    final class Watcher: Sendable {
        fileprivate let session: LoopBound<FeedSession>
        /// Messages on their way to its loop.
        fileprivate let pending = Atomic<Int>(0)
        /// Messages it was not told.
        fileprivate let missed = Atomic<Int>(0)

        init(_ session: LoopBound<FeedSession>) { self.session = session }

        /// How many were missed since this was asked last.
        func takeMissed() -> Int { missed.exchange(0, ordering: .relaxed) }

        /// One more was missed.
        func miss() { missed.add(1, ordering: .relaxed) }
    }

    /// More wait for no loop.
    private static let pendingCountMax = 4096

    private let watchers = Lock<[Watcher]>([])
    private let count = Atomic<Int>(0)

    /// Whether somebody asked.
    var isWatched: Bool { count.load(ordering: .relaxed) > 0 }

    func add(_ watcher: Watcher) {
        watchers.withLock { $0.append(watcher) }
        count.add(1, ordering: .relaxed)
    }

    func remove(_ watcher: Watcher) {
        watchers.withLock { $0.removeAll { $0 === watcher } }
        count.subtract(1, ordering: .relaxed)
    }

    /// Tells all who asked.
    func tell(_ message: ActivityMessage) {
        var bytes = ByteBuffer()
        message.append(to: &bytes)
        let told = bytes.array
        for watcher in watchers.withLock({ $0 }) {
            guard watcher.pending.load(ordering: .relaxed) < Self.pendingCountMax else {
                watcher.miss()
                continue
            }
            watcher.pending.add(1, ordering: .relaxed)
            watcher.session.execute { session in
                watcher.pending.subtract(1, ordering: .relaxed)
                session.show(told)
            }
        }
    }
}

extension LoopServer {
    /// Tells of a read or a list, to those who asked.
    func tellActivity(_ call: Call) {
        guard call.isRead, call.route.hasPosition, shared.activity.isWatched else { return }
        // Without the query, which may hold a secret.
        let target = call.head.target
        let path = target[0..<(target.firstIndex(of: UInt8(ascii: "?")) ?? target.count)]
        tellActivity(call.route.isList ? .list : .read, call.caller, path: path.text)
    }

    /// Tells of a connection, or of a heartbeat.
    func tellActivity(
        _ kind: ActivityMessage.Kind,
        _ caller: Caller?,
        path: String,
        seq: UInt64? = nil
    ) {
        guard shared.activity.isWatched else { return }
        let caller = caller ?? .unnamed
        shared.activity.tell(
            ActivityMessage(
                kind,
                at: time.wallMilliseconds(),
                user: caller.user,
                device: caller.device,
                path: path,
                seq: seq
            )
        )
    }
}

extension Route {
    /// Whether it gives many.
    fileprivate var isList: Bool {
        switch self {
        case .trees, .records, .changes, .borrows, .ranges, .tokens, .devices, .history: true
        default: false
        }
    }
}
