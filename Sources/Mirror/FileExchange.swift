// Moves files between a mirror and its server, one after the other, on connections of its own: a
// long one holds up neither commits nor heartbeats.
//
// Invariants:
// - everything but `add` and `stop` happens on the loop, which also reads and writes the files: it
//   does nothing else; there is no loop before there is something to do;
// - there is a connection only while there is something to do on it;
// - what may wait is tried again until the server has said yes or no; the rest is told at once that
//   there is no connection.
internal import HoldfastBasics
internal import HoldfastNetworking
internal import HoldfastStore
internal import HoldfastWire

/// A file to be moved.
struct FileOrder: Sendable {
    /// What came of it.
    enum End: Sendable {
        case moved(FileOutcome)
        /// There was no connection.
        case disconnected(LinkEnd)
    }

    /// Whether it waits for a connection.
    var waits: Bool
    /// Begins the errand.
    var begin: @Sendable () throws(FileError) -> any FileErrand
    /// Is told the end, once, on the loop.
    var tell: @Sendable (End) -> Void
}

/// One lane on which files are moved.
final class FileExchange: Sendable {
    /// Confined to the loop.
    private final class Owner: MirrorLinkHandler {
        private let loop: EventLoop
        private let target: LinkTarget
        private let random: any RandomSource
        private var orders: [FileOrder] = []
        private var current: (order: FileOrder, errand: any FileErrand)?
        private var link: MirrorLink?
        private var isIdle = false
        private var backoff = Backoff()
        private var retry: LoopTimer?
        private var isStopped = false

        init(_ loop: EventLoop, _ target: LinkTarget, _ random: any RandomSource) {
            self.loop = loop
            self.target = target
            self.random = random
        }

        func add(_ order: FileOrder) {
            guard !isStopped else { return order.tell(.disconnected(.closed)) }
            orders.append(order)
            // Who does not wait does not wait for the pause of others either.
            if retry == nil || !order.waits { goOn() }
        }

        /// There is a server: what waits to try again does so now.
        func hurry() {
            guard retry != nil else { return }
            backoff.reset()
            goOn()
        }

        /// Begins what is next, when nothing is under way.
        private func goOn() {
            guard current == nil, !isStopped else { return }
            retry?.cancel()
            retry = nil
            while current == nil, !orders.isEmpty {
                let order = orders.removeFirst()
                do throws(FileError) {
                    current = (order, try order.begin())
                } catch {
                    order.tell(.moved(.failed(error)))
                }
            }
            guard let current else {
                // The link is told of its end by itself.
                link?.close()
                return
            }
            if let link {
                guard isIdle else { return }
                isIdle = false
                link.run(current.errand)
            } else {
                let link = MirrorLink(target, on: loop, random: random, handler: self)
                self.link = link
                link.open()
            }
        }

        func identified(
            _ link: MirrorLink,
            _ server: ServerDocument
        ) throws -> (any LinkErrand)? {
            guard let current else { throw LinkEnd.closed }
            return current.errand
        }

        func done(_ link: MirrorLink) {
            isIdle = true
            finish()
            goOn()
        }

        private func finish() {
            guard let (order, errand) = current, let outcome = errand.outcome else { return }
            current = nil
            backoff.reset()
            order.tell(.moved(outcome))
        }

        func ended(_ link: MirrorLink, _ end: LinkEnd) {
            guard self.link === link else { return }
            self.link = nil
            isIdle = false
            // A server may refuse a file and end the connection at once.
            finish()
            guard let (order, _) = current else { return goOn() }
            current = nil
            guard order.waits, end.mayRetry, !isStopped else {
                order.tell(.disconnected(end))
                return goOn()
            }
            orders.insert(order, at: 0)
            retry = loop.schedule(afterMilliseconds: backoff.next(random)) { [weak self] in
                self?.retry = nil
                self?.goOn()
            }
        }

        func stop() {
            isStopped = true
            retry?.cancel()
            link?.close()
            if let (order, _) = current { order.tell(.disconnected(.closed)) }
            for order in orders { order.tell(.disconnected(.closed)) }
            current = nil
            orders = []
        }

        func opened(_ link: MirrorLink, _ server: ServerDocument) {}
        func received(_ link: MirrorLink, _ message: MirrorDown) {}
        func drained(_ link: MirrorLink) {}
    }

    private struct State {
        var loop: EventLoop?
        var owner: LoopBound<Owner>?
        var isStopped = false
    }

    private let target: LinkTarget
    private let random: any RandomSource
    private let state = Lock(State())

    init(_ target: LinkTarget, random: any RandomSource) {
        self.target = target
        self.random = random
    }

    /// Has a file moved, after those that were added before.
    ///
    /// - Throws: `NetworkError` when the system gives no loop.
    func add(_ order: FileOrder) throws(NetworkError) {
        let isTaken = try state.withLock { (state) throws(NetworkError) in
            guard !state.isStopped else { return false }
            let loop: EventLoop
            if let known = state.loop { loop = known } else { loop = try EventLoop() }
            if state.owner == nil {
                let made = Condition<LoopBound<Owner>?>(nil)
                loop.execute { [target, random] in
                    let owner = LoopBound(Owner(loop, target, random), to: loop)
                    made.signal { $0 = owner }
                }
                state.owner = made.wait(until: { $0 != nil }) { $0 }
                state.loop = loop
            }
            guard let owner = state.owner else { return false }
            loop.execute { owner.value.add(order) }
            return true
        }
        if !isTaken { order.tell(.disconnected(.closed)) }
    }

    /// There is a server: what waits to try again does so now.
    func hurry() {
        let (loop, owner) = state.withLock { ($0.loop, $0.owner) }
        guard let loop, let owner else { return }
        loop.execute { owner.value.hurry() }
    }

    /// Ends what is under way, the loop and its thread; called once.
    ///
    /// - Parameter waits: Whether the thread is waited for.
    func stop(waiting waits: Bool) {
        let (loop, owner) = state.withLock { state in
            state.isStopped = true
            return (state.loop, state.owner)
        }
        guard let loop, let owner else { return }
        loop.execute { owner.value.stop() }
        loop.stop()
        if waits { loop.join() }
        state.withLock { $0.owner = nil }
    }
}
