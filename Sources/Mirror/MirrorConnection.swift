// Keeps a mirror connected: one link after another, on a loop and thread of its own.
//
// Invariants:
// - everything here but `send`, `resume` and `stop` happens on the loop;
// - links are numbered: what is said about an earlier one is passed over;
// - a link's messages are held while more of them wait than the mirror takes at once.
internal import HoldfastBasics
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire

/// What a connection tells, on its loop.
enum ConnectionEvent: Sendable {
    /// The link is open: hello may be sent on it.
    case opened(link: Int, ServerDocument)
    case message(link: Int, MirrorDown)
    /// The server's snapshot is fetched first; its head is told.
    case fetching(link: Int, head: UInt64)
    /// A copy was made of it, and waits to take its place; `proceed` goes on.
    case renewed(link: Int, RenewedCopy)
    /// The link ended, or could not be opened.
    case ended(link: Int, LinkEnd)
    /// A file that was attached here was brought to the server, or not.
    case sent(Digest256, FileOutcome)
}

/// The connection of one mirror.
final class MirrorConnection: Sendable {
    /// Confined to the loop.
    private final class Owner: MirrorLinkHandler {
        let loop: EventLoop
        let target: LinkTarget
        let random: any RandomSource
        let renewal: MirrorRenewal?
        let tell: @Sendable (ConnectionEvent) -> Void
        /// What came of a snapshot before a link was cut.
        var fetch: SnapshotFetch?
        var link: MirrorLink?
        var number = 0
        var backoff = Backoff()
        var retry: LoopTimer?
        var isStopped = false

        init(
            _ loop: EventLoop,
            _ target: LinkTarget,
            _ random: any RandomSource,
            _ renewal: MirrorRenewal?,
            _ tell: @escaping @Sendable (ConnectionEvent) -> Void
        ) {
            self.loop = loop
            self.target = target
            self.random = random
            self.renewal = renewal
            self.tell = tell
        }

        func connect() {
            guard !isStopped else { return }
            number += 1
            let link = MirrorLink(target, on: loop, random: random, handler: self)
            self.link = link
            link.open()
        }

        func identified(
            _ link: MirrorLink,
            _ server: ServerDocument
        ) throws -> (any LinkErrand)? {
            guard let renewal, renewal.wants(server) else {
                fetch = nil
                return nil
            }
            tell(.fetching(link: number, head: server.head.seq))
            if let fetch {
                fetch.restart(server)
            } else {
                fetch = try renewal.begin(server)
            }
            return fetch
        }

        func done(_ link: MirrorLink) throws {
            guard let fetch else { return }
            self.fetch = nil
            guard let copy = try renewal?.finish(fetch) else { return }
            tell(.renewed(link: number, copy))
        }

        func opened(_ link: MirrorLink, _ server: ServerDocument) {
            tell(.opened(link: number, server))
        }

        func received(_ link: MirrorLink, _ message: MirrorDown) {
            if case .welcome = message { backoff.reset() }
            tell(.message(link: number, message))
        }

        func drained(_ link: MirrorLink) {}

        func ended(_ link: MirrorLink, _ end: LinkEnd) {
            guard self.link === link else { return }
            self.link = nil
            tell(.ended(link: number, end))
            guard end.mayRetry || end == .closed, !isStopped else { return }
            retry = loop.schedule(afterMilliseconds: backoff.next(random)) { [weak self] in
                self?.connect()
            }
        }
    }

    private let loop: EventLoop
    private let owner = Lock<LoopBound<Owner>?>(nil)

    /// Starts the loop; connects when told to.
    ///
    /// - Throws: `NetworkError` when the system gives no loop.
    init(
        _ target: LinkTarget,
        random: any RandomSource,
        renewal: MirrorRenewal? = nil,
        tell: @escaping @Sendable (ConnectionEvent) -> Void
    ) throws(NetworkError) {
        let loop = try EventLoop()
        self.loop = loop
        let made = Condition<LoopBound<Owner>?>(nil)
        loop.execute {
            let owner = LoopBound(Owner(loop, target, random, renewal, tell), to: loop)
            made.signal { $0 = owner }
        }
        let bound = made.wait(until: { $0 != nil }) { $0 }
        owner.withLock { $0 = bound }
    }

    private func onLoop(_ body: @escaping @Sendable (Owner) -> Void) {
        guard let owner = owner.withLock(\.self) else { return }
        loop.execute { body(owner.value) }
    }

    /// Connects, now and whenever a link has ended.
    func start() { onLoop { $0.connect() } }

    /// Sends messages on a link, if it is still the present one.
    func send(_ messages: [MirrorUp], on link: Int) {
        guard !messages.isEmpty else { return }
        onLoop { owner in
            guard owner.number == link else { return }
            for message in messages { owner.link?.send(message) }
        }
    }

    /// Goes on with a link whose snapshot is in its place.
    func proceed(link: Int) {
        onLoop { owner in
            guard owner.number == link else { return }
            owner.link?.proceed()
        }
    }

    /// Takes no messages of the present link until `resume`.
    func hold() { onLoop { $0.link?.hold() } }

    /// Takes messages again.
    func resume() { onLoop { $0.link?.resume() } }

    /// Ends a link; another is made later, unless none makes sense.
    func end(link: Int, mayRetry: Bool) {
        onLoop { owner in
            guard owner.number == link else { return }
            if !mayRetry { owner.isStopped = true }
            owner.link?.close()
        }
    }

    /// Ends the link and the loop without waiting for its thread.
    func abandon() {
        onLoop { owner in
            owner.isStopped = true
            owner.retry?.cancel()
            owner.link?.close()
        }
        loop.stop()
    }

    /// Ends the link, the loop and its thread; called once, as the last.
    func stop() {
        abandon()
        loop.join()
        owner.withLock { $0 = nil }
    }
}
