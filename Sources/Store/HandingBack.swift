// Commits that a restored database lacks come back from whoever holds a whole copy of its log.
//
// Invariants:
// - what is handed back goes on exactly where the database ends, verified as a mirror verifies what
//   its server sends: bytes, hashes, chain, epochs, and that it can be folded;
// - a piece is taken as a whole or not at all, and keeps its seqs, epochs, chain, times and ids;
// - the database is healing as before, with a longer prefix, until `discardLost` ends that.
public import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords

extension Store {
    /// Takes back commits that the restore lost; durable when it returns.
    ///
    /// - Parameters:
    ///   - contents: Contents of commits, dense and ascending; those that are here already are
    ///     compared by their chain and skipped.
    ///   - lineage: The epochs of the log they come of.
    ///   - hashes: The set hashes behind the last of them, as far as their holder knows them.
    /// - Returns: The position of the last commit that is here now.
    /// - Throws: `notHealing`, `gap`, `diverged`, `otherEpoch`, `badContent`, `unfoldable`,
    ///   `readOnly`: nothing is taken then. `otherRecords`: all are taken, and the records that
    ///   were restored are not those the commits were made on.
    public func handBack(
        _ contents: [[UInt8]],
        of lineage: [EpochStart],
        leadingTo hashes: [BlockName: Hash128]? = nil
    ) throws(StoreError) -> Position {
        try alone { () throws(StoreError) in
            syncAll()
            let (position, differing) = try mutate { (core) throws(StoreError) in
                guard core.healing != nil else { throw .notHealing }
                try core.checkHealable()
                try core.handBack(contents, of: lineage)
                return (core.state.position, core.block(differingFrom: hashes))
            }
            syncAll()
            if let failure = core.withLock(\.failure) { throw .readOnly(failure) }
            if let differing { throw .otherRecords(differing) }
            return position
        }
    }
}

extension Store.Core {
    fileprivate func handBack(
        _ contents: [[UInt8]],
        of lineage: [EpochStart]
    ) throws(StoreError) {
        let (own, head) = (log.lineage, state.head)
        guard LogStart.isLineage(lineage), lineage.agrees(with: own, upTo: head) else {
            throw .diverged(seq: head)
        }
        // The commits name their epochs by these.
        state.goOn(in: lineage)
        let accepted: [CheckedContent]
        do throws(StoreError) {
            accepted = try checkContents(contents)
        } catch {
            state.goOn(in: own)
            throw error
        }
        guard !accepted.isEmpty else { return state.goOn(in: own) }
        if lineage != own { goOn(in: lineage) }
        var touched = Touched.Gathering()
        for one in accepted { take(one, &touched) }
        tell(touched.all)
    }

    /// A block whose records are others than somebody has at the same commit; nil when none is.
    fileprivate func block(differingFrom hashes: [BlockName: Hash128]?) -> BlockName? {
        guard let hashes else { return nil }
        let shown = BlockFilter(trees: nil)
        return state.hashes.first { block, hash in
            shown.permits(block) && hashes[block] ?? .zero != hash
        }?.block
    }
}
