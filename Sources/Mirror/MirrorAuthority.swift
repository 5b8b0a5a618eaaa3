// A mirror's authority: the server decides, what stands here meanwhile is a preview.
//
// Threads: the connection's loop brings events into the inbox; a task takes them out under the
// database's writer gate, so that the state never changes while a body runs; the sync thread of the
// copy brings its news the same way. The core and the outbox are touched under the lock, the gate
// is not needed for what changes no state (requests, reading what is stranded).
//
// Invariants:
// - events are taken in the order of the inbox, by one task at a time;
// - all that pends is judged anew for at least half as many commits as there are pending changes,
//   or else for a quarter of the time at most: N changes cost a multiple of N in all;
// - whoever waits for an outcome looks where it stands (copy, outbox) and is woken after every
//   round: nothing is kept for receipts nobody asks.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// Speaks with the server for a `Database`, and keeps what it must not lose.
final class MirrorAuthority: Authority {
    struct State {
        var status = Database.Status.offline(since: Date())
        var isClosed = false
        var inbox = MirrorInbox()
        /// Whether the copy's log was synced since that was last looked at.
        var isSynced = false
        var isPumping = false
        var pace = JudgingPace()
        /// Who waits for what commits bring, and should not wait longer.
        var urgentCount = 0
        /// Whether the link takes no messages meanwhile.
        var isHeld = false
        /// The link messages may be sent on; 0 for none.
        var link = 0
        /// Attempts to connect that came to nothing.
        var failureCount = 0
        var proposals: [TreeProposal] = []
        /// Trees the program may create numbered records in.
        var numberedTrees: [TreeName] = []
        var declarations: Set<UniqueID> = []
        var declarationRefusal: HoldfastRecords.Refusal?
        var answers: [UniqueID: CheckedContinuation<MirrorAnswer?, Never>] = [:]
        /// Rung when the outcome of a change is known here.
        var bells: [UniqueID: WakeUp] = [:]
        var connection: MirrorConnection?
        var runner: StoreRunner?
        var files: MirrorFiles?
    }

    let caller: Caller
    let statusChanges = WakeUp()
    /// Rings after every round of events.
    let rounds = WakeUp()
    let store: Store
    let outbox: Outbox
    let gate: WriterGate
    /// Makes the copy anew.
    let renewal: MirrorRenewal
    let time: any TimeSource
    let random: any RandomSource
    let core: Lock<MirrorCore>
    let state = Lock(State())

    init(
        store: Store,
        outbox: Outbox,
        identity: MirrorIdentity,
        wanted: Set<TreeName>?,
        gate: WriterGate,
        directory: String,
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom()
    ) {
        self.store = store
        self.outbox = outbox
        self.gate = gate
        renewal = MirrorRenewal(
            path: directory,
            store: store,
            outbox: outbox,
            identity: identity,
            wanted: wanted
        )
        self.time = time
        self.random = random
        caller = identity.caller
        core = Lock(
            MirrorCore(
                store: store,
                outbox: outbox,
                identity: identity,
                time: time,
                random: random
            )
        )
    }

    deinit {
        // Forgotten without being closed: no thread must outlive it.
        let (connection, files) = state.withLock { ($0.connection, $0.files) }
        connection?.abandon()
        files?.abandon()
        store.beginClosing()
    }

    var exposesOnlyDurable: Bool { false }

    var status: Database.Status { state.withLock(\.status) }

    // MARK: Life

    /// Drives the copy and connects; called once.
    ///
    /// - Parameters:
    ///   - target: Where the server is.
    ///   - files: The contents of files; they are closed with this.
    /// - Throws: `unavailable` when the system gives no loop.
    func start(_ target: LinkTarget, _ files: MirrorFiles) throws(DatabaseError) {
        store.observe { [weak self] _, _ in self?.wake { $0.isSynced = true } }
        let connection: MirrorConnection
        do {
            connection = try MirrorConnection(target, random: random, renewal: renewal) {
                [weak self] event in
                self?.wake { $0.inbox.add(event) }
            }
        } catch {
            throw .unavailable(directory: "", reason: "\(error)")
        }
        let runner = StoreRunner(store)
        state.withLock { state in
            state.connection = connection
            state.runner = runner
            state.files = files
        }
        files.look()
        connection.start()
    }

    func close() async throws(DatabaseError) {
        let (connection, runner, answers, bells, files) = state.withLock { state in
            state.isClosed = true
            state.inbox = MirrorInbox()
            state.isSynced = false
            defer { (state.answers, state.bells) = ([:], [:]) }
            let bells = Array(state.bells.values)
            let answers = Array(state.answers.values)
            return (state.connection, state.runner, answers, bells, state.files)
        }
        for answer in answers { answer.resume(returning: nil) }
        for bell in bells { bell.end() }
        rounds.end()
        let outbox = outbox
        let result = await Worker.run {
            connection?.stop()
            files?.close()
            return Result { () throws(MirrorError) in
                do throws(StoreError) {
                    try runner?.close()
                } catch {
                    throw .store(error)
                }
                try outbox.close()
            }
        }
        if case .failure(let error) = result { throw .poisoned("\(error)") }
    }

    /// Lets what is on its way be answered, and what creations borrowed be given back, while there
    /// is a connection; what is not done in a moment is done after the next opening.
    func drain() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while !Task.isCancelled, !state.withLock(\.isClosed) {
                    let count = rounds.count
                    let isDone = core.withLock { !$0.isConnected || $0.isIdle }
                    if isDone { return }
                    await rounds.wait(past: count)
                }
            }
            group.addTask { try? await Task.sleep(for: Self.drainDuration) }
            await group.next()
            group.cancelAll()
        }
    }

    private static let drainDuration = Duration.seconds(2)

    func checkOpen() throws(DatabaseError) {
        if state.withLock(\.isClosed) { throw .closed }
    }

    // MARK: Events

    /// Notes news, and starts to take them.
    func wake(_ note: (inout State) -> Void) {
        let (mustStart, mustHold) = state.withLock { state -> (Bool, MirrorConnection?) in
            guard !state.isClosed else { return (false, nil) }
            note(&state)
            let mustHold = !state.isHeld && state.inbox.isFull
            if mustHold { state.isHeld = true }
            defer { state.isPumping = true }
            return (!state.isPumping, mustHold ? state.connection : nil)
        }
        mustHold?.hold()
        guard mustStart else { return }
        Task.detached { [self] in await pump() }
    }

    /// Takes news until there are none, a round at a time under the gate.
    private func pump() async {
        while true {
            if let pause = pause {
                do {
                    try await Task.sleep(nanoseconds: pause)
                } catch {
                    preconditionFailure("nobody cancels this task")
                }
                continue
            }
            do throws(CancellationError) {
                try await gate.enter()
            } catch {
                preconditionFailure("nobody cancels this task")
            }
            round()
            gate.leave()
            rounds.notify()
            let isDone = state.withLock { state in
                guard state.inbox.isEmpty, !state.isSynced else { return false }
                state.isPumping = false
                return true
            }
            if isDone { return }
        }
    }

    /// How long nothing can be taken, in nanoseconds; nil when something can.
    private var pause: UInt64? {
        let now = time.monotonicNanoseconds()
        let pendingCount = outbox.pendingCount
        return state.withLock { state in
            guard !state.inbox.isEmpty, !state.isSynced,
                !state.inbox.hasNext(mayJudge: state.mayJudge(now, pendingCount: pendingCount))
            else { return nil }
            // Answers are taken meanwhile.
            return min(state.pace.pause(now), Self.pauseNanoseconds)
        }
    }

    private static let pauseNanoseconds: UInt64 = 2_000_000

    func round() {
        // Its turn may come after the end: nothing is taken then, what was not is asked for anew.
        if state.withLock(\.isClosed) { return }
        let now = time.monotonicNanoseconds()
        let pendingCount = outbox.pendingCount
        let (isSynced, taken, held) = state.withLock {
            state -> (Bool, MirrorInbox.Taken?, MirrorConnection?) in
            let mayJudge = state.mayJudge(now, pendingCount: pendingCount)
            let taken = state.inbox.takeNext(mayJudge: mayJudge)
            defer { state.isSynced = false }
            guard state.isHeld, !state.inbox.isFull else { return (state.isSynced, taken, nil) }
            state.isHeld = false
            return (state.isSynced, taken, state.connection)
        }
        do throws(MirrorError) {
            if let taken { try perform(taken) }
            if isSynced {
                act(try core.withLock { (core) throws(MirrorError) in try core.synced() })
            }
        } catch {
            act(core.withLock { $0.disconnected("\(error)") })
            publishStatus()
        }
        ring(core.withLock { $0.takeKnown() })
        held?.resume()
        state.withLock(\.files)?.look()
    }

    private func perform(_ taken: MirrorInbox.Taken) throws(MirrorError) {
        switch taken {
        case .event(.opened(let link, let server)):
            try renewal.goOn(with: server)
            let files = state.withLock { state in
                state.link = link
                return state.files
            }
            files?.connected()
            act(core.withLock { $0.connected() })
        case .event(.fetching(_, let head)):
            act(core.withLock { $0.fetching(head) })
        case .event(.renewed(let link, let copy)):
            let kept = try renewal.install(copy)
            act(
                try core.withLock { (core) throws(MirrorError) in
                    try core.renewed(keptUpTo: kept)
                }
            )
            let (files, connection) = state.withLock { ($0.files, $0.connection) }
            if copy.isReduced { files?.keepNamed() }
            connection?.proceed(link: link)
        case .event(.message(let link, let message)): try perform([message], link)
        case .messages(let link, let messages, let isJudging):
            let started = time.monotonicNanoseconds()
            try perform(messages, link)
            guard isJudging else { return }
            let ended = time.monotonicNanoseconds()
            state.withLock { $0.pace.judged(from: started, to: ended) }
        case .event(.sent(let digest, let outcome)): try sent(digest, outcome)
        case .event(.ended(let link, let end)):
            state.withLock { state in
                // A link that stood was no attempt that failed: the next one tells.
                let stood = state.link == link && end == .lost
                state.link = 0
                if !stood, !end.asksForAnother { state.failureCount += 1 }
            }
            act(
                try core.withLock { (core) throws(MirrorError) in
                    end.needsNewCopy
                        ? try core.diverged(end.detail) : core.disconnected(end.refusal)
                }
            )
            publishStatus()
        }
    }

    private func perform(_ messages: [MirrorDown], _ link: Int) throws(MirrorError) {
        guard state.withLock({ $0.link == link }) else { return }
        act(try core.withLock { (core) throws(MirrorError) in try core.received(messages) })
    }

    /// Wakes those who wait for the outcome of changes.
    func ring(_ ids: [UniqueID]) {
        guard !ids.isEmpty else { return }
        let bells = state.withLock { state in
            state.bells.isEmpty ? [] : ids.compactMap { state.bells.removeValue(forKey: $0) }
        }
        for bell in bells { bell.end() }
    }

    /// Asks the server, on the link the core means.
    func ask(_ change: Change) {
        act { $0.ask(change) }
    }

    /// Carries out what the core asks for on the link it means: for those who are not under the
    /// gate, and would send it on the next link, before its hello, if one came meanwhile.
    func act(_ body: (MirrorCore) -> [MirrorAction]) {
        let (actions, link) = core.withLock { core in (body(core), state.withLock(\.link)) }
        act(actions, on: link)
    }

    /// Carries out what the core asks for; under the gate.
    func act(_ actions: [MirrorAction]) {
        guard !actions.isEmpty else { return }
        act(actions, on: state.withLock(\.link))
    }

    private func act(_ actions: [MirrorAction], on link: Int) {
        let connection = state.withLock(\.connection)
        var messages: [MirrorUp] = []
        for action in actions {
            switch action {
            case .send(let message): messages.append(message)
            case .answered(let id, let answer): self.answer(id, answer)
            case .caughtUp: declareMissing()
            case .statusChanged: publishStatus()
            case .upload(let digest, let file): upload(digest, file)
            case .accepted, .stranded: continue
            case .end(let mayRetry, _): connection?.end(link: link, mayRetry: mayRetry)
            }
        }
        connection?.send(messages, on: link)
    }

    func publishStatus() {
        let status: Database.Status =
            switch core.withLock(\.status) {
            case .live: .live
            case .catchingUp(let count): .catchingUp(behind: count)
            case .offline(let since):
                .offline(since: Date(timeIntervalSince1970: Double(since) / 1000))
            case .refused(let detail): .refused(detail)
            }
        let isNew = state.withLock { state in
            defer { state.status = status }
            return state.status != status
        }
        if isNew { statusChanges.notify() }
    }

    private func answer(_ id: UniqueID, _ answer: MirrorAnswer) {
        let waiting = state.withLock { state in
            if state.declarations.remove(id) != nil, case .refused(let problem) = answer {
                state.declarationRefusal = problem.refusal
            }
            return state.answers.removeValue(forKey: id)
        }
        waiting?.resume(returning: answer)
    }

    // MARK: Trees

    func declare(_ trees: [TreeProposal]) async throws(DatabaseError) {
        state.withLock { state in
            state.proposals = trees
            state.numberedTrees = trees.filter { $0.definition.keys == .id }.map(\.tree)
        }
    }

    /// Proposes declarations the server does not have yet.
    private func declareMissing() {
        let proposals = state.withLock { state in
            state.declarations.isEmpty ? state.proposals : []
        }
        for proposal in proposals {
            let stands = store.read { reader in
                reader.state.tree(proposal.tree)?.declaration.covers(proposal.definition) ?? false
            }
            guard !stands, store.copiedTrees?.contains(proposal.tree) ?? true else { continue }
            let id = newID()
            state.withLock { _ = $0.declarations.insert(id) }
            let change = Change(
                id: id,
                operations: [.defineTree(proposal.tree, proposal.definition)]
            )
            ask(change)
        }
    }

    func firstSync() async throws(DatabaseError) {
        let failures = state.withLock(\.failureCount)
        while true {
            let count = rounds.count
            try checkOpen()
            let (status, refusal, isDeclaring, failed) = state.withLock { state in
                (
                    state.status, state.declarationRefusal, !state.declarations.isEmpty,
                    state.failureCount > failures
                )
            }
            if let refusal { throw .refused(HoldfastEmbedded.Refusal(refusal)) }
            switch status {
            case .live where !isDeclaring && !core.withLock(\.isAsking): return
            case .refused(let detail):
                throw .refused(HoldfastEmbedded.Refusal(.unsupported, detail))
            case .offline where failed: throw .offline
            default: break
            }
            if Task.isCancelled { throw .offline }
            await rounds.wait(past: count)
        }
    }

    func newID() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: random)
    }
}

extension MirrorAuthority.State {
    /// Whether what pends may be judged anew for what has come.
    fileprivate func mayJudge(_ now: UInt64, pendingCount: Int) -> Bool {
        isHeld || urgentCount > 0
            || pace.isDue(now, waiting: inbox.nextCount, pending: pendingCount)
    }
}
