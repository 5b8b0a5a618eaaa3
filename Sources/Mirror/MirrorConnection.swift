// Keeps a mirror connected: one link after another, on a loop and thread of its own.
//
// Invariants:
// - everything here but `send`, `resume` and `stop` happens on the loop;
// - links are numbered: what is said about an earlier one is passed over;
// - a link's messages are held while more of them wait than the mirror takes at once;
// - no link says hello before the copy is of what may be read of the wanted trees.
internal import HoldfastBasics
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
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
        /// A copy of more trees, as far as it came.
        var filling: CopyFilling?
        /// Whether the present link has filled a copy, which waits to take its place.
        var hasFilled = false
        /// What is asked on every link before all else.
        var question: TokenQuestion?
        /// What the token opened when the server sent this mirror away for it.
        var refusedAnswer: TokenQuestion.Answer?
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
            hasFilled = false
            let link = MirrorLink(target, on: loop, random: random, handler: self)
            self.link = link
            link.open()
        }

        func identified(
            _ link: MirrorLink,
            _ server: ServerDocument
        ) throws -> (any LinkErrand)? {
            question = TokenQuestion(showsToken: target.token != nil)
            return question
        }

        func done(_ link: MirrorLink) throws {
            guard let renewal, let fetch, link.errand === fetch else { return try prepare(link) }
            self.fetch = nil
            let copy = try renewal.finish(fetch)
            guard fetch.trees == renewal.copied else { return fill(copy, over: link) }
            tell(.renewed(link: number, copy))
        }

        /// Goes on with a link that waits: when the copy is one of the trees that are to be there,
        /// and one the server can go on from, the mirror introduces itself.
        private func prepare(_ link: MirrorLink) throws {
            guard let renewal, let server = link.server, let answer = question?.answer else {
                return link.proceed()
            }
            let copied = renewal.copied
            let trees = answer == .untold ? copied : answer.readable(of: renewal.wanted)
            guard trees != copied else {
                try forgetFilling()
                guard renewal.wants(server) else {
                    fetch = nil
                    return link.proceed()
                }
                return try begin(server, copying: trees, on: link)
            }
            // It may be about to get back what this copy has, rights too.
            guard server.healing == nil else { throw MirrorLink.healing }
            if let copy = try renewal.reduced(to: trees) {
                fetch = nil
                try forgetFilling()
                return tell(.renewed(link: number, copy))
            }
            if trees?.isEmpty ?? false { throw LinkEnd.nothingOpen }
            if let filling, filling.fits(server, trees) {
                return fill(filling.copy, over: link)
            }
            try forgetFilling()
            guard server.snapshot == nil else { return try begin(server, copying: trees, on: link) }
            fill(try renewal.beginEmpty(server, copying: trees), over: link)
        }

        private func begin(
            _ server: ServerDocument,
            copying trees: Set<TreeName>?,
            on link: MirrorLink
        ) throws {
            guard let renewal else { return }
            tell(.fetching(link: number, head: server.head.seq))
            let fetch: SnapshotFetch
            if let known = self.fetch, known.trees == trees {
                known.restart(server)
                fetch = known
            } else {
                fetch = try renewal.begin(server, copying: trees)
            }
            self.fetch = fetch
            link.run(fetch)
        }

        /// Has a copy of more trees follow the server, in the place of the one in use.
        private func fill(_ copy: RenewedCopy, over link: MirrorLink) {
            if let server = link.server {
                tell(.fetching(link: number, head: server.head.seq))
            }
            if filling?.copy.store !== copy.store { filling = CopyFilling(copy) }
            link.proceed()
        }

        private func forgetFilling() throws {
            guard let filling else { return }
            self.filling = nil
            try renewal?.discard(filling.copy)
        }

        /// The copy that was made is in its place.
        func proceed() {
            guard let link else { return }
            guard !hasFilled else {
                // From now on it is the mirror that follows.
                self.link = nil
                link.close()
                return connect()
            }
            do {
                try prepare(link)
            } catch {
                link.end(MirrorLink.end(error))
            }
        }

        func opened(_ link: MirrorLink, _ server: ServerDocument) {
            guard let filling, let renewal else { return tell(.opened(link: number, server)) }
            let settled = renewal.outbox.settledThrough
            link.send(.hello(filling.hello(renewal.identity, settled: settled)))
        }

        func received(_ link: MirrorLink, _ message: MirrorDown) {
            if case .welcome(let welcome) = message {
                backoff.reset()
                if hasOtherRights(welcome) { return link.end(.otherRights) }
                refusedAnswer = nil
            }
            guard !hasFilled else { return }
            guard let filling else { return tell(.message(link: number, message)) }
            do throws(StoreError) {
                guard try filling.take(message) else { return }
                hasFilled = true
                self.filling = nil
                tell(.renewed(link: number, filling.copy))
            } catch {
                link.end(.garbled("\(error)"))
            }
        }

        func drained(_ link: MirrorLink) {}

        /// Whether the token opens something else than it did a moment ago, when it was asked.
        private func hasOtherRights(_ welcome: MirrorWelcome) -> Bool {
            guard case .grant(let grant)? = question?.answer, let opens = welcome.opens else {
                return false
            }
            return opens != grant.opens && mayAskAgain()
        }

        /// Whether the token may open something else when it is asked again: it was not asked
        /// again for this answer.
        private func mayAskAgain() -> Bool {
            guard let answer = question?.answer, answer != .unasked, answer != refusedAnswer else {
                return false
            }
            refusedAnswer = answer
            return true
        }

        func ended(_ link: MirrorLink, _ end: LinkEnd) {
            guard self.link === link else { return }
            self.link = nil
            var end = end
            if case .bye(MirrorEnd.rightsChanged, _) = end, mayAskAgain() { end = .otherRights }
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
            owner.proceed()
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
