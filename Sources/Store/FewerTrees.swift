// A mirror's copy without some of its trees, made of the copy in use and nothing else: what a
// mirror may not have any more goes at once, and what it keeps need not be fetched again.
internal import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastRecords
public import HoldfastStorage

extension Store {
    /// Makes a copy of some of this copy's trees in an empty directory, to take this one's place.
    ///
    /// It stands where this one was synced last, and has no history before. Nothing else of other
    /// trees is in it.
    ///
    /// - Parameters:
    ///   - trees: Trees this copy has.
    ///   - disk: The directory.
    ///   - sizes: Where parts end.
    /// - Throws: `log` when a disk refuses: what was written is of no use then.
    public func copy(
        _ trees: Set<TreeName>,
        to disk: any Disk,
        sizes: PartSizes = PartSizes()
    ) throws(StoreError) {
        let base = endOfLog
        try alone { () throws(StoreError) in
            let (frame, lineage) = core.withLock { core in
                (CheckpointFrame(core, keepingFrom: 1), core.log.lineage)
            }
            let identity = Identity(
                databaseID: identity.databaseID,
                application: identity.application,
                epoch: lineage.last?.epoch ?? identity.epoch
            )
            guard let frame else {
                return try Self.create(
                    following: identity,
                    trees: trees,
                    lineage: lineage,
                    base: base,
                    on: disk
                )
            }
            var parts: ChosenParts
            let manifest: Manifest
            do throws(CommitLogError) {
                parts = ChosenParts(try CheckpointWriter(disk), BlockFilter(trees: trees))
                var memory = ChangeHorizon(frame, self)
                manifest = try writeParts(frame, &memory, sizes, &parts)
            } catch {
                throw .log(error)
            }
            try Self.create(
                following: identity,
                trees: trees,
                from: Manifest(
                    databaseID: manifest.databaseID,
                    seq: manifest.seq,
                    chain: manifest.chain,
                    time: manifest.time,
                    trees: manifest.trees,
                    parts: manifest.parts.filter(parts.takes)
                ),
                lineage: lineage,
                base: base,
                &parts.writer,
                on: disk
            )
        }
    }
}

/// Takes the parts of chosen trees, and passes others over.
private struct ChosenParts: PartSink {
    var writer: CheckpointWriter
    private let filter: BlockFilter

    init(_ writer: CheckpointWriter, _ filter: BlockFilter) {
        self.writer = writer
        self.filter = filter
    }

    /// What changes did is the authority's to remember.
    func takes(_ part: PartReference) -> Bool {
        part.kind != .changes && Array(part.block.utf8).withView { filter.permits($0) }
    }

    mutating func write(_ part: BuiltPart, yielding: Yielding) throws(CommitLogError) {
        guard takes(part.reference) else { return }
        try writer.write(part, yielding: yielding)
    }
}
