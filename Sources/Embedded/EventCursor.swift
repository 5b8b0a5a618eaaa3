// A place in the log, read onward.
//
// Invariant: every durable commit after the place where it began is looked at once, in order; those
// that did nothing to records (declarations, key ranges) make no event.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

extension Database {
    /// What happens from now on, or what happened since a position.
    ///
    /// A cursor on the log: lossless, in order, and nothing is kept for a reader that is slow.
    /// Whoever remembers the position of the last event goes on from there another day.
    ///
    /// - Parameter position: The last position already seen; nil for now.
    /// - Returns: Events; reading throws `refused` with `diverged` or `compacted` when the log
    ///   cannot go on from there, `damaged` when it cannot be read.
    public func events(since position: Position? = nil) -> Updates<Event> {
        let start =
            position
            ?? store.read { reader in
                Position(reader.state.position(of: reader.durable))
            }
        return Updates { EventCursor(self, since: start) }
    }
}

/// The place of a reader of events.
final class EventCursor: UpdateCursor {
    private let database: Database
    private let start: Position
    private var nextSeq: UInt64
    /// Where the durable log is read; nil before the first time and when it was read to its end.
    private var cursor: LogCursor?
    private var isChecked = false

    init(_ database: Database, since position: Position) {
        self.database = database
        start = position
        nextSeq = position.seq + 1
    }

    func step() throws(DatabaseError) -> UpdateStep<Event> {
        let bell = database.news
        let count = bell.count
        if bell.isOver { return .end }
        if !isChecked { try check() }
        isChecked = true
        do {
            while true {
                if cursor == nil {
                    let reader = database.store.logReader()
                    guard nextSeq <= reader.head, reader.head > 0 else {
                        if let failure = database.authority.followingFailure { throw failure }
                        return .wait(bell, past: count)
                    }
                    cursor = try reader.cursor(before: nextSeq)
                }
                guard let frame = try cursor?.next() else {
                    cursor = nil
                    continue
                }
                nextSeq = frame.seq + 1
                if let event = try event(frame) { return .element(event) }
            }
        } catch let error as DatabaseError {
            throw error
        } catch let error as CommitLogError {
            throw self.error(error)
        } catch {
            throw .damaged(file: "log", offset: 0)
        }
    }

    private func error(_ error: CommitLogError) -> DatabaseError {
        switch error {
        case .damaged(let file, let offset, _):
            .damaged(file: file, offset: UInt64(max(0, offset)))
        case .compacted: compacted(nextSeq - 1)
        default: .poisoned("\(error)")
        }
    }

    /// Whether the log goes on from where this reader was.
    private func check() throws(DatabaseError) {
        let (known, oldest) = database.store.read { reader in
            (Position(reader.state.position(of: start.seq)), reader.oldest.seq)
        }
        guard known == start, database.store.read({ start.seq <= $0.state.head }) else {
            throw .refused(
                Refusal(.diverged, "Position \(start) is of another history; read everything anew.")
            )
        }
        guard start.seq >= oldest else { throw compacted(start.seq) }
    }

    private func compacted(_ seq: UInt64) -> DatabaseError {
        .refused(
            Refusal(.compacted, "The log begins after commit \(seq); read everything anew.")
        )
    }

    // MARK: One commit

    private func event(_ frame: Frame) throws -> Event? {
        let commit = try CommitView(frame.content)
        var changes: [RecordEvent] = []
        try commit.forEachBlock { block, first in
            var ordinal = first
            try block.forEachEffect { effect in
                if let change = try self.change(block, effect, ordinal, frame, commit) {
                    changes.append(change)
                }
                ordinal += 1
            }
        }
        guard !changes.isEmpty else { return nil }
        let device = commit.device.text
        let why = try commit.details().why.text
        return Event(
            position: position(commit),
            origin: device == database.authority.caller.device ? .local : .remote,
            user: commit.user.text,
            device: device,
            why: why.isEmpty ? nil : why,
            changes: changes
        )
    }

    private func position(_ commit: CommitView) -> Position {
        database.store.read { Position($0.state.position(of: commit.seq)) }
    }

    private func change(
        _ block: BlockView,
        _ effect: EffectView,
        _ ordinal: Int,
        _ frame: Frame,
        _ commit: CommitView
    ) throws -> RecordEvent? {
        let name = block.name
        if name.firstIndex(of: UInt8(ascii: "/")) != nil {
            guard name[0..<8].equals("_borrows") else { return nil }
            return try borrow(effect, ordinal, frame)
        }
        guard let tree = TreeName(name.text), let kind = Self.kind(effect) else { return nil }
        let facts = RecordFacts(
            version: position(commit).stored,
            state: effect.state,
            schema: effect.schema,
            createdAt: effect.createdAt,
            modifiedAt: commit.at,
            modifiedBy: commit.user.text,
            isPending: false
        )
        return RecordEvent(
            kind: kind,
            key: AnyKey(tree: tree, key: effect.key),
            before: document(before: ordinal, of: frame),
            after: effect.isSet ? JSONDocument(stored: effect.value) : nil,
            facts: facts,
            database: database
        )
    }

    private func document(before ordinal: Int, of frame: Frame) -> JSONDocument? {
        database.store.read { reader in
            reader.withEffect(before: ordinal, of: frame) { effect in
                effect.isSet ? JSONDocument(stored: effect.value) : nil
            } ?? nil
        }
    }

    private static func kind(_ effect: EffectView) -> RecordEvent.Kind? {
        guard effect.isSet else { return .deleted }
        switch effect.label {
        case .create: return .created
        case .release: return .released
        case .revise: return .revised
        case .setState: return .stateSet
        default: return .changed
        }
    }

    /// An effect on `_borrows`, as what it means to the record.
    private func borrow(_ effect: EffectView, _ ordinal: Int, _ frame: Frame) throws -> RecordEvent?
    {
        let kind: RecordEvent.Kind
        switch effect.label {
        case .borrow, .grant, .setHolder: kind = .borrowed
        case .queue: kind = .queued
        case .return, .cancel, .lapse, .seize, .end: kind = .returned
        default: return nil
        }
        let record: BorrowRecord?
        if effect.isSet {
            record = try BorrowRecord(key: effect.key, json: effect.value)
        } else {
            record = try database.store.read { reader in
                try reader.withEffect(before: ordinal, of: frame) { effect in
                    effect.isSet ? try BorrowRecord(key: effect.key, json: effect.value) : nil
                } ?? nil
            }
        }
        guard let record else { return nil }
        return RecordEvent(
            kind: kind,
            key: AnyKey(tree: record.tree, key: record.key),
            before: nil,
            after: nil,
            facts: nil,
            database: database
        )
    }
}
