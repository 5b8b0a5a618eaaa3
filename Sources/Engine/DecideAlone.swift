// Changes that no operation asks for: acts on tokens, files and devices, and the taking back of a
// commit. What such a change is about is handed in beside it, and it stands alone.
internal import HoldfastBasics
internal import HoldfastRecords

extension EngineState {
    /// Decides a change without operations.
    ///
    /// - Parameters:
    ///   - change: Its id, digest, reason and job.
    ///   - context: Who asks, and when.
    ///   - body: Does to a draft what the change is about.
    /// - Returns: A commit, or why there is none.
    func decideAlone(
        _ change: Change,
        _ context: DecisionContext,
        _ body: (inout Draft) throws(Refused) -> Void
    ) -> Decision {
        precondition(change.operations.isEmpty, "what is not asked for by operations stands alone")
        if let offset = frameOffset(ofChange: change.id) {
            return replay(change, at: offset, context)
        }
        var draft = Draft(state: self, change: change, context: context)
        do throws(Refused) {
            try draft.checkLimits()
            try body(&draft)
        } catch {
            return .refused(error.refusal)
        }
        return decision(of: draft)
    }

    /// What a draft becomes.
    func decision(of draft: Draft) -> Decision {
        guard let commit = draft.commit() else { return .unchanged(draft.results) }
        guard commit.estimatedByteCount <= Limits.commitByteCountMax else {
            return .refused(
                Refusal(
                    .tooLarge,
                    "A commit may hold \(Limits.commitByteCountMax) bytes. Send a job instead."
                )
            )
        }
        return .commit(commit, draft.results)
    }

    /// The records of a system tree, in the order of their keys.
    ///
    /// - Parameters:
    ///   - name: Which tree.
    ///   - read: Reads one from its key and value.
    /// - Returns: Those that stand.
    /// - Throws: `badSystemRecord` for a record this version cannot read.
    func systemRecords<R>(
        _ name: TreeName,
        _ read: (RecordKey, ByteView) throws(FormError) -> R
    ) throws(ApplyError) -> [R] {
        guard let tree = tree(name) else { return [] }
        var records: [R] = []
        var failed = false
        tree.index.scan(from: nil, inclusive: true) { _, name, _, location in
            let key = RecordKey(.name(name.array))
            source.withEffect(at: location) { effect, _ in
                guard effect.isSet else { return }
                do throws(FormError) {
                    records.append(try read(key, effect.value))
                } catch {
                    failed = true
                }
            }
            return !failed
        }
        guard !failed else {
            throw .badSystemRecord(tree: name.description, seq: tree.lastSeq, what: "a value")
        }
        return records
    }
}
