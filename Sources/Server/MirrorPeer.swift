// The server's end of a mirror: messages in, messages out. The contract is openapi/mirror.md.
//
// Pure: it has no loop, no socket and no timer. Whoever owns it hands in messages, tells it when
// the store synced, when there is room for more, and when a heartbeat is due.
//
// Invariants:
// - commits go out in order, each once, and only durable ones; a peer is a cursor on the log, never
//   a queue, so a mirror that does not read costs its owner's output and nothing else;
// - changes are answered in the order they came; an acceptance goes out when its commit is durable,
//   a refusal when what refused is;
// - a mirror of chosen trees is sent every commit, cut to the blocks it may see; nothing else that
//   goes out tells of other trees;
// - after the end nothing is sent and nothing is taken.
public import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords
public import HoldfastStore
internal import HoldfastWire

/// Where a peer's messages go.
public protocol MirrorOutput: AnyObject {
    /// Whether there is room for another page of commits; when there is not, `advance` is called
    /// once there is.
    var hasRoom: Bool { get }
    /// Whether all that was sent has left: a heartbeat then says something.
    var isDrained: Bool { get }
    /// Takes a message, valid during the call.
    func send(_ message: ByteView)
    /// The last message was sent: ends the connection with a close code.
    func end(_ code: UInt16)
}

/// What a token opens to the mirror that showed it.
public struct MirrorGrant: Sendable {
    /// Whose it is.
    public let user: String
    /// What it may do.
    public let rights: Rights

    /// Grants.
    public init(user: String, rights: Rights) {
        self.user = user
        self.rights = rights
    }
}

/// The server's end of one mirror.
///
/// Confined to whoever owns it.
public final class MirrorPeer {
    private enum Phase {
        case waitsForHello, running, ended
    }

    /// An answer that waits until what it shows is durable.
    private struct Answer {
        let seq: UInt64
        let change: MirrorChange.Name
        let message: [UInt8]
    }

    let store: Store
    private let heartbeatSeconds: Double
    private let named: Caller?
    private let grant: MirrorGrant?
    private let time: any TimeSource
    private let logger: Logger
    private unowned let output: any MirrorOutput
    private var phase = Phase.waitsForHello
    private var caller = Caller(user: "", device: "")
    private var device: DeviceLedger?
    /// What the mirror is shown.
    private var filter = BlockFilter(trees: nil)
    /// The last commit that was sent.
    private var seq: UInt64 = 0
    private var answers: [Answer] = []
    /// Whether the last head went out without hashes.
    private var owesHashes = false

    /// Begins with a mirror that has said nothing.
    ///
    /// - Parameters:
    ///   - store: What is mirrored.
    ///   - caller: Who the connection says it is; nil when the mirror's own word counts.
    ///   - grant: What its token opens; nil where callers are taken at their word.
    ///   - heartbeatSeconds: Longest time without a message; the owner keeps it by `beat`.
    ///   - time: The clocks.
    ///   - logger: Is told of a log that cannot be read.
    ///   - output: Takes the messages; must outlive the peer.
    public init(
        store: Store,
        caller: Caller?,
        grant: MirrorGrant? = nil,
        heartbeatSeconds: Double,
        time: any TimeSource,
        logger: Logger,
        output: any MirrorOutput
    ) {
        self.store = store
        self.heartbeatSeconds = heartbeatSeconds
        self.time = time
        self.logger = logger
        self.output = output
        named = caller
        self.grant = grant
    }

    /// Whether the mirror has introduced itself and the connection goes on.
    public var isRunning: Bool { phase == .running }

    /// Who a mirror is that has introduced itself.
    var identity: Caller { caller }

    /// The last commit that was sent.
    var sentSeq: UInt64 { seq }

    /// Whether answers wait for the store to sync.
    public var hasWaitingAnswers: Bool { !answers.isEmpty }

    /// Whether there are durable commits that have not been sent.
    ///
    /// - Parameter reader: The durable log.
    /// - Returns: Whether `advance` has something to send.
    public func isBehind(_ reader: LogReader) -> Bool { phase == .running && seq < reader.head }

    // MARK: Messages

    /// Takes a whole message.
    public func received(_ message: ByteView) {
        guard phase != .ended else { return }
        let request: MirrorUp
        do throws(MirrorFault) {
            request = try MirrorUp(message)
        } catch {
            guard phase == .running, let change = error.change else {
                bye(MirrorEnd.badMessage, error.refusal.detail)
                return
            }
            refuse(change, error.refusal, at: store.progress.durable)
            return
        }
        switch (phase, request) {
        case (.waitsForHello, .hello(let hello)): begin(hello)
        case (.running, .change(let change)): submit(change)
        case (.running, .settled(let through)):
            device?.note(through, time)
            if device?.isFull ?? false { device?.log(in: store, time) }
        default: bye(MirrorEnd.badMessage, "The first message is hello, and it comes once.")
        }
    }

    private func begin(_ hello: MirrorHello) {
        if let refusal = refusal(of: hello) {
            bye(refusal.code, refusal.detail)
            return
        }
        if let detail = store.healingDetail(of: hello, logger) {
            bye(MirrorEnd.healing, detail)
            return
        }
        var start: UInt64 = 0
        if let have = hello.have {
            switch store.resume(since: have.position, chain: have.chain) {
            case .from(let found): start = found
            case .refused(let refusal):
                let isCompacted = refusal.code == .compacted
                bye(isCompacted ? MirrorEnd.compacted : MirrorEnd.diverged, refusal.detail)
                return
            }
        } else if case .refused(let refusal) = store.resume(since: store.origin, chain: nil) {
            bye(MirrorEnd.compacted, refusal.detail)
            return
        }
        var ledger = DeviceLedger(hello, isProven: grant != nil)
        if let refusal = ledger.introduce(to: store, time), refusal.code.isVerdict {
            let isOthers = refusal.code == .forbidden
            bye(isOthers ? MirrorEnd.rightsChanged : MirrorEnd.badMessage, refusal.detail)
            return
        }
        device = ledger
        caller = Caller(user: hello.user, device: hello.device, app: hello.app)
        filter = BlockFilter(trees: hello.trees)
        seq = start
        phase = .running
        send(.welcome(welcome(settled: ledger.logged)))
        advance(store.logReader())
    }

    private func refusal(of hello: MirrorHello) -> (code: UInt16, detail: String)? {
        guard hello.version == MirrorProtocol.version else {
            return (
                MirrorEnd.otherProtocol,
                "This server speaks version \(MirrorProtocol.version) of the protocol, not "
                    + "\(hello.version). Bring both to the same."
            )
        }
        let identity = store.identity
        guard hello.databaseID == identity.databaseID else {
            return (
                MirrorEnd.wrongDatabase,
                "This server holds database \(identity.databaseID), not \(hello.databaseID)."
            )
        }
        guard hello.application == identity.application else {
            return (
                MirrorEnd.wrongDatabase,
                "The database belongs to \(identity.application), not to \(hello.application)."
            )
        }
        if let named, named.user != hello.user || named.device != hello.device {
            return (
                MirrorEnd.badMessage,
                "The connection was opened as \(named.user) on \(named.device); hello must name "
                    + "the same."
            )
        }
        return grant.flatMap { refusal(of: hello, under: $0) }
    }

    /// Why a token does not open what a mirror asks for.
    private func refusal(
        of hello: MirrorHello,
        under grant: MirrorGrant
    ) -> (code: UInt16, detail: String)? {
        guard hello.user == grant.user else {
            return (
                MirrorEnd.rightsChanged,
                "The token is \(grant.user)'s: connect as that user, not as \(hello.user)."
            )
        }
        guard let readable = grant.rights.readable else { return nil }
        guard let trees = hello.trees, trees.isSubset(of: readable) else {
            let names = readable.sorted().map(\.description).joined(separator: ", ")
            return (
                MirrorEnd.rightsChanged,
                "The token opens these trees alone: \(names). Copy chosen ones of them."
            )
        }
        return nil
    }

    private func welcome(settled: UInt64) -> MirrorWelcome {
        store.read { reader in
            let durable = reader.durable
            return MirrorWelcome(
                databaseID: store.identity.databaseID,
                application: store.identity.application,
                head: reader.state.position(of: durable),
                chain: reader.chain(atSeq: durable) ?? .zero,
                oldest: reader.oldest,
                heartbeatSeconds: heartbeatSeconds,
                settled: settled,
                opens: grant.map { TokenGrant(user: $0.user, readable: $0.rights.readable).opens }
            )
        }
    }

    // MARK: Changes

    private func submit(_ proposal: MirrorChange) {
        do throws(ShapeRefusal) {
            try store.read { (reader) throws(ShapeRefusal) in
                try proposal.checkRevisions { name in
                    guard filter.trees?.contains(name) ?? true else { return false }
                    return reader.state.tree(name)?.declaration.isVersioned ?? false
                }
            }
        } catch {
            refuse(proposal.name, error.refusal, at: store.progress.durable)
            return
        }
        var change = proposal.change
        change.digest = change.digest(by: caller)
        switch store.submit(change, by: caller, seeing: filter.trees, rights: grant?.rights) {
        case .accepted(let position, let results), .unchanged(let position, let results):
            accept(proposal.name, position, results, isReplayed: false)
        case .replayed(let position, let results):
            accept(proposal.name, position, results, isReplayed: true)
        case .refused(let position, let refusal):
            refuse(proposal.name, refusal, at: position.seq)
        }
    }

    private func accept(
        _ change: MirrorChange.Name,
        _ position: Position,
        _ results: [OperationResult],
        isReplayed: Bool
    ) {
        let shapes = results.map(\.mirrorShape)
        let answer = MirrorAccepted(change, at: position, shapes, isReplayed: isReplayed)
        var message = ByteBuffer()
        MirrorDown.accepted(answer).append(to: &message)
        add(Answer(seq: position.seq, change: change, message: message.array))
    }

    private func refuse(_ change: MirrorChange.Name, _ refusal: Refusal, at seq: UInt64) {
        var envelope: [UInt8]?
        if let current = refusal.current {
            var buffer = ByteBuffer()
            store.read { $0.appendEnvelope(current, for: caller, at: seq, to: &buffer) }
            envelope = buffer.array
        }
        var message = ByteBuffer()
        MirrorRefused.append(change, Problem(refusal), current: envelope, to: &message)
        add(Answer(seq: seq, change: change, message: message.array))
    }

    private func add(_ answer: Answer) {
        answers.append(answer)
        synced(store.progress)
    }

    /// The store synced, or failed to: answers that waited for it leave.
    public func synced(_ progress: Progress) {
        guard phase == .running, !answers.isEmpty else { return }
        var count = 0
        for answer in answers {
            switch progress.outcome(of: answer.seq) {
            case .durable: answer.message.withView(output.send)
            case .unknown: sendUnknown(answer.change)
            case .pending:
                answers.removeFirst(count)
                return
            }
            count += 1
        }
        answers.removeAll()
    }

    private func sendUnknown(_ change: MirrorChange.Name) {
        let refusal = Refusal(
            .outcomeUnknown,
            "The write to the disk failed after the change was accepted. It stays pending; send it "
                + "again when the server is back."
        )
        var message = ByteBuffer()
        MirrorRefused.append(change, Problem(refusal), to: &message)
        output.send(message.view)
    }

    // MARK: Commits

    /// Sends what is durable and fits; the rest when there is room.
    ///
    /// - Parameter reader: The durable log as it is now.
    public func advance(_ reader: LogReader) {
        guard phase == .running else { return }
        while seq < reader.head, output.hasRoom {
            do throws(CommitLogError) {
                let page = try MirrorPage(after: seq, reader, filter)
                seq = page.last
                output.send(page.message.view)
            } catch .compacted(let oldest) {
                let last = oldest - 1
                bye(MirrorEnd.compacted, "The log begins after commit \(last). Take the snapshot.")
                return
            } catch {
                logger.log(.error, "mirror.unreadable", ["seq": "\(seq)", "error": "\(error)"])
                bye(MirrorEnd.restart, "The log cannot be read; run holdfast verify.")
                return
            }
        }
        if owesHashes, seq == reader.head { sendHead(onlyWithHashes: true) }
    }

    // MARK: Time

    /// A heartbeat is due.
    public func beat() {
        guard phase == .running else { return }
        if device?.isDue(time) ?? false { device?.log(in: store, time) }
        // What was sent has left, so that the device is there: that renews its leases.
        if output.isDrained { store.renewLeases(of: caller.user, on: caller.device) }
        sendHead(onlyWithHashes: false)
    }

    /// Says how far this mirror is.
    ///
    /// The state may be ahead of what is durable; its hashes are then another position's, and wait.
    private func sendHead(onlyWithHashes: Bool) {
        guard output.isDrained else { return }
        let seq = self.seq
        let (chain, hashes) = store.read { reader in
            (
                reader.chain(atSeq: seq) ?? .zero,
                reader.state.head == seq ? reader.state.hashes : nil
            )
        }
        owesHashes = hashes == nil
        guard hashes != nil || !onlyWithHashes else { return }
        var sent: [BlockName: Hash128]?
        if let hashes {
            var shown: [BlockName: Hash128] = [:]
            for (block, hash) in hashes where hash != .zero && filter.permits(block) {
                shown[block] = hash
            }
            sent = shown
        }
        send(.head(MirrorHead(seq: seq, chain: chain, hashes: sent)))
    }

    // MARK: End

    /// Says why, and ends.
    public func bye(_ code: UInt16, _ detail: String) {
        guard phase != .ended else { return }
        send(.bye(MirrorBye(code: code, detail: detail)))
        output.end(code)
        closed()
    }

    /// The connection is gone; what it confirmed is logged.
    public func closed() {
        guard phase != .ended else { return }
        phase = .ended
        answers.removeAll()
        device?.log(in: store, time)
    }

    private func send(_ message: MirrorDown) {
        var buffer = ByteBuffer()
        message.append(to: &buffer)
        output.send(buffer.view)
    }
}

extension OperationResult {
    /// What a mirror is told: it has the records themselves by the commit.
    fileprivate var mirrorShape: ResultShape {
        switch self {
        case .created(_, let key), .changed(_, let key), .deleted(_, let key): .key(key)
        case .borrow(_, let place): .place(place)
        case .range(let range): .range(range)
        case .ended, .tree: .nothing
        }
    }
}
