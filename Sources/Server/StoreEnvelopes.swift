// Records as replies show them, and where readers of the log go on: what REST, feed and mirrors
// share of reading the store.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension StoreReader {
    /// The facts of a record's holder, when that was so at `seq` already.
    ///
    /// - Parameters:
    ///   - tree: Tree of the record.
    ///   - key: Key of the record.
    ///   - caller: Who asks.
    ///   - seq: Up to where commits may be shown; nil means what is durable.
    /// - Returns: The facts; nil when nobody held it.
    func holder(
        _ tree: TreeState,
        _ key: RecordKey,
        for caller: Caller?,
        at seq: UInt64?
    ) -> BorrowFacts? {
        guard let facts = tree.facts(of: key, caller: caller),
            let borrows = state.tree(.borrows),
            let location = state.location(borrows, RecordKey(facts.id)),
            withEffect(at: location, { $1.seq }) <= seq ?? durable
        else { return nil }
        return facts
    }

    /// Appends the envelope of a record's version, its holder named as far as `seq` knows of it;
    /// with fields, their values alone.
    func appendEnvelope(
        _ reference: RecordReference,
        for caller: Caller?,
        at seq: UInt64?,
        _ fields: FieldChoice? = nil,
        to buffer: inout ByteBuffer
    ) {
        let tree = state.tree(reference.tree)
        withEffect(at: reference.location) { effect, commit in
            var facts = RecordFacts(
                tree: reference.tree,
                version: state.position(of: commit.seq)
            )
            if let tree, tree.hasBorrows {
                facts.borrow = holder(tree, effect.key, for: caller, at: seq)
            }
            guard let fields else {
                return Envelope.append(effect, of: commit, facts, to: &buffer)
            }
            Envelope.append(effect, of: commit, facts, to: &buffer) { fields.append($0, to: &$1) }
        }
    }
}

/// Where a reader of the log goes on, or why it cannot.
enum Resumption {
    /// After this commit.
    case from(UInt64)
    /// Its history is not this one, or begins too early.
    case refused(Refusal)
}

extension Store {
    /// Before the first commit of the present history.
    var origin: Position { Position(epoch: read(\.state.epoch), seq: 0) }

    /// Compares what a reader has with this history.
    func resume(since: Position, chain: Hash128?) -> Resumption {
        let (durable, known, oldest, epoch) = read { reader in
            (
                reader.durable, reader.state.position(of: since.seq), reader.oldest,
                reader.state.epoch
            )
        }
        // Before the first commit there is nothing to differ in but the database.
        let isSame = known.epoch == since.epoch || since.seq == 0 && since.epoch == epoch
        guard isSame, since.seq <= durable else {
            return .refused(
                Refusal(
                    .diverged,
                    "Position \(since) is of another history than this server's. Read everything "
                        + "anew from \(epoch):0."
                )
            )
        }
        guard since.seq >= oldest.seq else {
            return .refused(
                Refusal(
                    .compacted,
                    "The log begins at \(oldest). Take the snapshot, or read everything anew."
                )
            )
        }
        if let chain, chain != self.chain(atSeq: since.seq) {
            return .refused(
                Refusal(
                    .diverged,
                    "The chain at \(since) is another one: the histories differ. Read everything "
                        + "anew."
                )
            )
        }
        return .from(since.seq)
    }

    /// The chain after a durable commit.
    func chain(atSeq seq: UInt64) -> Hash128 {
        guard seq > 0 else { return .zero }
        return read { $0.chain(atSeq: seq) } ?? .zero
    }
}
