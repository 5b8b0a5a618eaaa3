// The client's end of `holdfast.mirror.v1`: what comes of every message, and what is sent when.
//
// Pure: no socket, no thread, no clock of its own. Its owner brings messages and events, one at a
// time, and carries out the actions it is given, in order.
//
// Invariants:
// - a change leaves the outbox when its outcome is known for ever: its commit is durable in the
//   copy here, or it is stranded; until then it is sent again after every reconnection;
// - changes are sent in the order of their numbers, at most `windowCount` unanswered, none before
//   the files it names;
// - an answer that is no verdict ends the connection, so that nothing that builds on the change is
//   judged without it;
// - whatever does not fit the copy (a gap, another chain, other hashes) ends the connection for
//   good: the copy is made anew at the next opening, the outbox stays.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// What the owner of a core does next.
enum MirrorAction {
    /// Sends a message.
    case send(MirrorUp)
    /// Brings a file that was attached here to the server.
    case upload(Digest256, StagedFile)
    /// A change was accepted at a position.
    case accepted(UniqueID, Position)
    /// Changes were refused and set aside.
    case stranded(StrandedBundle)
    /// A request to the authority alone was answered; an accepted one is visible here.
    case answered(UniqueID, MirrorAnswer)
    /// Everything the server had when it said welcome is here.
    case caughtUp
    /// `status` is another.
    case statusChanged
    /// Ends the connection; `mayRetry` says whether another attempt makes sense.
    case end(mayRetry: Bool, detail: String)
}

/// The answer to a request to the authority alone.
enum MirrorAnswer: Hashable {
    case accepted(Position, [ResultShape])
    case refused(ProblemDocument)
}

/// How it stands with the server.
enum MirrorStatus: Hashable {
    case live
    case catchingUp(behind: UInt64)
    /// Unit: milliseconds since 1970.
    case offline(since: Int64)
    case refused(String)
}

/// The state machine of one mirror.
///
/// Confined to its owner.
final class MirrorCore {
    enum Phase: Equatable {
        case offline, greeting, open
    }

    /// A request that is not answered yet, or whose commit is not here yet.
    struct Request {
        let change: Change
        var answer: MirrorAccepted?
        /// Whether it is the core's own.
        let isOwn: Bool
    }

    /// Most changes that are sent and not answered.
    static let windowCount = 256
    /// The fact that says the copy must be made anew.
    static let resyncFact = "resync"

    let store: Store
    let outbox: Outbox
    private(set) var identity: MirrorIdentity
    let time: any TimeSource
    let random: any RandomSource
    var phase = Phase.offline
    var since: Int64
    private var failure: String?
    /// The last commit the server is known to have.
    private var serverHead: UInt64 = 0
    /// The server's head when it said welcome; nil when everything up to it is here.
    private var awaitedHead: UInt64?
    /// The server's head while its snapshot is fetched.
    private var fetchedHead: UInt64?
    /// The last number that was sent on this connection.
    private var lastSent: UInt64 = 0
    private var unanswered: Set<UniqueID> = []
    /// Accepted changes that are not finished yet.
    private var outcomes: [UniqueID: Position] = [:]
    /// Changes whose commits are here and not known durable here, by the seqs that must be.
    private var undurable: [UniqueID: UInt64] = [:]
    /// Changes that are taken out of what is shown when all that came together has been taken.
    private var leaving: Set<UniqueID> = []
    /// Changes whose outcome has become known here.
    private var known: [UniqueID] = []
    private var sentSettled: UInt64 = 0
    /// Changes whose files were brought to the server again.
    var resentFor: Set<UniqueID> = []
    /// Files the server will not have, as far as this process was told.
    var refusedFiles: [Digest256: Refusal] = [:]
    /// Ranges of this device by tree, with the hash of all ranges they were read at.
    var knownRanges: [TreeName: (hash: Hash128, ranges: [RangeRecord])] = [:]
    var requests: [Request] = []
    private var lastStatus: MirrorStatus?

    /// Takes up a mirror where it was left: shows what pends.
    init(
        store: Store,
        outbox: Outbox,
        identity: MirrorIdentity,
        time: any TimeSource,
        random: any RandomSource
    ) {
        self.store = store
        self.outbox = outbox
        self.identity = identity
        self.time = time
        self.random = random
        since = time.wallMilliseconds()
        for change in outbox.pending {
            let showing = store.show(PendingChange(change, by: identity.caller))
            if case .settled(let position) = showing { undurable[change.id] = position.seq }
        }
    }

    // MARK: Status

    /// How it stands with the server.
    var status: MirrorStatus {
        if let failure { return .refused(failure) }
        guard phase == .open else {
            return fetchedHead.map { .catchingUp(behind: $0 - min($0, confirmedHead)) }
                ?? .offline(since: since)
        }
        let head = confirmedHead
        return head >= serverHead ? .live : .catchingUp(behind: serverHead - head)
    }

    /// Whether everything the server had when it said welcome is here.
    var isCaughtUp: Bool { phase == .open && awaitedHead == nil }

    /// Whether requests wait for their answer.
    var isAsking: Bool { !requests.isEmpty }

    var confirmedHead: UInt64 { store.read(\.confirmedHead) }

    private func statusAction() -> [MirrorAction] {
        let status = status
        guard status != lastStatus else { return [] }
        lastStatus = status
        return [.statusChanged]
    }

    // MARK: The connection

    /// The link is open: introduces itself.
    func connected() -> [MirrorAction] {
        phase = .greeting
        fetchedHead = nil
        failure = nil
        lastSent = 0
        unanswered = []
        let (position, chain) = store.read { ($0.confirmedPosition, $0.confirmedChain) }
        sentSettled = outbox.settledThrough
        let hello = MirrorHello(
            identity,
            have: position.seq == 0 ? nil : MirrorHave(position: position, chain: chain),
            settled: sentSettled
        )
        return [.send(.hello(hello))]
    }

    /// The server's snapshot is fetched before the introduction.
    ///
    /// - Parameter head: The last commit the server has.
    /// - Returns: Actions.
    func fetching(_ head: UInt64) -> [MirrorAction] {
        failure = nil
        fetchedHead = head
        return statusAction()
    }

    /// Another copy took the place of the one that was here: what waited for its commits has them.
    ///
    /// - Parameter seq: The last commit of the old one that is in the new one, or that a restored
    ///   server has; nil when that is all of it. Changes whose commits are gone are sent again.
    /// - Returns: Actions.
    /// - Throws: `MirrorError` when the outbox cannot be written.
    func renewed(keptUpTo seq: UInt64? = nil) throws(MirrorError) -> [MirrorAction] {
        defer { takeOut() }
        identity.trees = store.copiedTrees
        if let seq {
            outcomes = outcomes.filter { $0.value.seq <= seq }
            undurable = undurable.filter { $0.value <= seq }
            for change in outbox.pending where undurable[change.id] == nil {
                store.show(PendingChange(change, by: identity.caller))
            }
        }
        finishOutcomes()
        return answerRequests() + (try synced())
    }

    /// The link ended.
    ///
    /// - Parameter refusal: Why no other attempt makes sense; nil when one does.
    /// - Returns: Actions.
    func disconnected(_ refusal: String?) -> [MirrorAction] {
        if phase != .offline || fetchedHead != nil { since = time.wallMilliseconds() }
        phase = .offline
        fetchedHead = nil
        if let refusal, failure == nil { failure = refusal }
        return statusAction()
    }

    /// Takes messages that came together: what they change of what is shown, changes once.
    ///
    /// - Throws: `MirrorError` when the outbox cannot keep what came of them; the connection ends.
    func received(_ messages: [MirrorDown]) throws(MirrorError) -> [MirrorAction] {
        defer { takeOut() }
        var actions: [MirrorAction] = []
        for message in messages {
            guard phase != .offline else { return actions }
            actions += try take(message)
        }
        return actions
    }

    /// Takes a message.
    ///
    /// - Throws: As for several.
    func received(_ message: MirrorDown) throws(MirrorError) -> [MirrorAction] {
        try received([message])
    }

    /// Changes whose outcome has become known here since they were last asked for.
    func takeKnown() -> [UniqueID] {
        defer { known = [] }
        return known
    }

    /// Takes what has left the outbox, or is stranded, out of what is shown.
    func takeOut() {
        guard !leaving.isEmpty else { return }
        store.withdraw(leaving)
        leaving = []
    }

    private func take(_ message: MirrorDown) throws(MirrorError) -> [MirrorAction] {
        var actions: [MirrorAction] = []
        switch message {
        case .welcome(let welcome):
            guard phase == .greeting else { return garbled("welcome came twice") }
            phase = .open
            serverHead = welcome.head.seq
            awaitedHead = serverHead
            actions += try caughtUp()
            actions += requests.map { .send(.change(MirrorChange($0.change))) }
            actions += uploads()
            actions += sendMore()
            actions += try topUp()
            // What was here and durable when the process ended leaves the outbox now.
            actions += try synced()
        case _ where phase != .open: return garbled("the first message is no welcome")
        case .commits(let contents): actions += try ingest(contents)
        case .head(let head): actions += try compare(head)
        case .accepted(let accepted): actions += try take(accepted)
        case .refused(let refused): actions += try take(refused)
        case .bye(let bye): return [.end(mayRetry: bye.code < 4000, detail: bye.detail)]
        case .unknown: break
        }
        return actions + statusAction()
    }

    private func garbled(_ why: String) -> [MirrorAction] {
        phase = .offline
        return [.end(mayRetry: true, detail: "What the server sent cannot be: \(why).")]
    }

    // MARK: Commits

    private func ingest(_ contents: [[UInt8]]) throws(MirrorError) -> [MirrorAction] {
        let ingestion: Ingestion
        do throws(StoreError) {
            ingestion = try store.ingest(contents)
        } catch {
            return try cannotGoOn(error)
        }
        var actions: [MirrorAction] = []
        serverHead = max(serverHead, ingestion.head.seq)
        for status in ingestion.settled {
            guard case .settled(let position) = status.showing else { continue }
            if outcomes.removeValue(forKey: status.id) == nil {
                unanswered.remove(status.id)
                actions.append(.accepted(status.id, position))
            }
            undurable[status.id] = position.seq
            known.append(status.id)
        }
        finishOutcomes()
        actions += answerRequests()
        actions += try caughtUp()
        actions += try synced()
        actions += try topUp()
        return actions + sendMore()
    }

    private func cannotGoOn(_ error: StoreError) throws(MirrorError) -> [MirrorAction] {
        phase = .offline
        since = time.wallMilliseconds()
        if case .readOnly(let why) = error {
            failure = why
            return [.end(mayRetry: false, detail: why)] + statusAction()
        }
        return try diverged("\(error)")
    }

    /// The copy cannot be gone on with: it is made anew at the next opening.
    func diverged(_ why: String) throws(MirrorError) -> [MirrorAction] {
        phase = .offline
        try outbox.setFact(Self.resyncFact, Array("true".utf8))
        let detail =
            "This mirror's copy is not the server's (\(why)). Open it anew: the copy is made "
            + "afresh, pending and stranded changes are kept."
        failure = detail
        return [.end(mayRetry: false, detail: detail)] + statusAction()
    }

    private func compare(_ head: MirrorHead) throws(MirrorError) -> [MirrorAction] {
        serverHead = max(serverHead, head.seq)
        let (mine, chain, hashes) = store.read {
            ($0.confirmedHead, $0.confirmedChain, $0.confirmedHashes)
        }
        guard head.seq == mine else { return [] }
        guard head.chain == chain else { return try diverged("another chain at \(mine)") }
        guard let theirs = head.hashes else { return [] }
        let filter = BlockFilter(trees: identity.trees)
        for (block, hash) in hashes where filter.permits(block) {
            guard theirs[block] ?? .zero == hash else {
                return try diverged("other records in \(block) at \(mine)")
            }
        }
        return []
    }

    private func caughtUp() throws(MirrorError) -> [MirrorAction] {
        guard let awaitedHead, confirmedHead >= awaitedHead else { return [] }
        try outbox.setFact(Self.syncedFact, Array("true".utf8))
        self.awaitedHead = nil
        return [.caughtUp]
    }

    // MARK: Changes

    /// A change was put into the outbox and shown: it is sent when its turn comes.
    func proposed() -> [MirrorAction] { sendMore() }

    func sendMore() -> [MirrorAction] {
        guard phase == .open else { return [] }
        var actions: [MirrorAction] = []
        while unanswered.count < Self.windowCount {
            let room = Self.windowCount - unanswered.count
            let next = outbox.pending(after: lastSent, count: room)
            guard !next.isEmpty else { break }
            for change in next {
                // Accepted, or even here, but not known durable here: nothing more is asked.
                if outcomes[change.id] == nil, undurable[change.id] == nil {
                    // Its files go first, and what comes after it after it.
                    if waitsForFiles(change) { return actions }
                    unanswered.insert(change.id)
                    actions.append(.send(.change(MirrorChange(change))))
                }
                lastSent = change.deviceSeq
            }
        }
        return actions
    }

    private func take(_ accepted: MirrorAccepted) throws(MirrorError) -> [MirrorAction] {
        let id = accepted.change.id
        serverHead = max(serverHead, accepted.position.seq)
        if let index = requests.firstIndex(where: { $0.change.id == id }) {
            requests[index].answer = accepted
            return answerRequests()
        }
        guard unanswered.remove(id) != nil else { return [] }
        let actions: [MirrorAction] = [.accepted(id, accepted.position)]
        guard accepted.position.seq <= confirmedHead else {
            outcomes[id] = accepted.position
            return actions + sendMore()
        }
        finish(id, accepted.position)
        return actions + (try synced()) + sendMore()
    }

    /// Accepted changes whose position is here: those without a commit of their own leave.
    private func finishOutcomes() {
        guard !outcomes.isEmpty else { return }
        let head = confirmedHead
        for (id, position) in outcomes where position.seq <= head {
            outcomes[id] = nil
            finish(id, position)
        }
    }

    private func finish(_ id: UniqueID, _ position: Position) {
        leaving.insert(id)
        undurable[id] = position.seq
        known.append(id)
    }

    private func take(_ refused: MirrorRefused) throws(MirrorError) -> [MirrorAction] {
        let id = refused.change.id
        if let index = requests.firstIndex(where: { $0.change.id == id }) {
            let request = requests.remove(at: index)
            return request.isOwn ? [] : [.answered(id, .refused(refused.problem))]
        }
        guard unanswered.contains(id) else { return [] }
        let refusal = refused.problem.refusal
        let lacksFiles = refusal.code == .fileMissing ? try stageAnew(filesOf: id) : false
        guard refusal.code.isVerdict, !lacksFiles else {
            phase = .offline
            since = time.wallMilliseconds()
            return [.end(mayRetry: true, detail: refusal.detail)]
        }
        return try strand(id, refusal) + sendMore()
    }

    /// Sets a change aside that the authority will not have.
    func strand(_ id: UniqueID, _ refusal: Refusal) throws(MirrorError) -> [MirrorAction] {
        unanswered.remove(id)
        if let change = outbox.pendingChange(id), isGiveBack(change) {
            // What it would have given back has ended already, some of it at least: nobody's work.
            leaving.insert(id)
            try outbox.settle([id])
            return tellSettled()
        }
        guard let bundle = try outbox.strand(id, refusal) else { return [] }
        // Those that were sent with it are still answered; accepted ones leave the bundle.
        leaving.formUnion(bundle.changes.map(\.id))
        known += bundle.changes.map(\.id)
        return [.stranded(bundle)] + tellSettled()
    }

    // MARK: Durability

    /// The copy's log was synced: what is durable here leaves the outbox.
    ///
    /// - Throws: `MirrorError` when the outbox cannot be written.
    func synced() throws(MirrorError) -> [MirrorAction] {
        let durable = store.progress.durable
        let done = undurable.filter { $0.value <= durable }
        guard !done.isEmpty else { return try giveBackHolds() }
        try outbox.settle(Set(done.keys))
        // One without a commit of its own is told apart from a pending one only now.
        known += done.keys
        for id in done.keys { undurable[id] = nil }
        return tellSettled() + (try giveBackHolds())
    }

    private func tellSettled() -> [MirrorAction] {
        let through = outbox.settledThrough
        guard phase == .open, through > sentSettled else { return [] }
        sentSettled = through
        return [.send(.settled(through: through))]
    }
}
