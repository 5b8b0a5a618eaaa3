// A mirror's copy is made anew while the mirror is open, from its server's checkpoint or of other
// trees: the new copy is read beside everything, and takes the old one's place in one step.
public import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords
public import HoldfastStorage

extension Store {
    /// Makes a mirror's copy that goes on from a checkpoint, in a directory that holds its parts.
    ///
    /// - Parameters:
    ///   - identity: The database that is followed, in the epoch it is in.
    ///   - trees: The trees that are copied; nil for all.
    ///   - manifest: The parts of those trees, all there already.
    ///   - lineage: The epochs of the database up to the identity's.
    ///   - base: Logical offset of the log's first byte; `endOfLog` of the copy it is to replace.
    ///   - writer: Has written the parts.
    ///   - disk: The directory.
    ///   - options: How its log is laid out.
    ///   - random: Gives salts.
    /// - Throws: `log`; made again, it is made whole.
    public static func create(
        following identity: Identity,
        trees: Set<TreeName>?,
        from manifest: Manifest,
        lineage: [EpochStart],
        base: UInt64,
        _ writer: inout CheckpointWriter,
        on disk: any Disk,
        options: LogOptions = LogOptions(),
        random: any RandomSource = SystemRandom()
    ) throws(StoreError) {
        do throws(CommitLogError) {
            try writer.finish(manifest)
            try CommitLog.create(
                disk: disk,
                identity: identity,
                role: .mirror(trees: trees),
                after: LogStart(
                    lineage: lineage,
                    seq: manifest.seq,
                    chain: manifest.chain,
                    base: base
                ),
                options: options,
                random: random
            )
        } catch {
            throw .log(error)
        }
    }

    /// A logical offset behind everything the log has, and will have before it is replaced.
    public var endOfLog: UInt64 {
        core.withLock { core in
            let step = Self.replacementStep
            return (core.log.endOffset / step + 2) * step
        }
    }

    private static let replacementStep: UInt64 = 1 << 30

    /// Puts another copy of the same database in place of this one's: log, state, checkpoint and
    /// directory.
    ///
    /// One step for whoever reads: pending changes stand on the new records, consumers are told
    /// that everything may stand differently. Pinned readers end. Waits for readers that hold the
    /// state, for a write that is under way, and for a compaction.
    ///
    /// - Parameter other: A mirror of the same database, of the same trees or others, which nobody
    ///   else uses, and is not to be used any more.
    public func replace(with other: Store) {
        var (awaitsStep, awaitsReaders) = (false, false)
        let (progress, observers) = core.signal(
            when: { core in
                let isBlocked = core.isStepping || core.isBusy
                if awaitsStep != isBlocked {
                    awaitsStep = isBlocked
                    core.stepWaiterCount += isBlocked ? 1 : -1
                }
                let isFree = !isBlocked && core.holds.readerCount == 0
                return core.holds.admit(isFree, &awaitsReaders)
            }
        ) { core in
            precondition(
                core.overlay != nil && other.role != .authority
                    && identity.databaseID == other.identity.databaseID,
                "another database's copy"
            )
            var touched = Touched.Gathering()
            core.takeOverlayOff(&touched)
            core.overlay?.filter = BlockFilter(trees: other.copiedTrees)
            let taken = other.core.withLock { $0 }
            core.log = taken.log
            core.state = taken.state
            core.source = taken.source
            core.disk = taken.disk
            core.manifest = taken.manifest
            core.syncedAt = taken.syncedAt
            core.pins.removeAll()
            core.putOverlayOn(&touched)
            core.tellOfEverything()
            core.isStepping = true
            return (core.progress, core.observers)
        }
        for observer in observers { observer(progress, 0) }
        core.signal { $0.isStepping = false }
    }
}

extension Store.Core {
    /// Tells the consumers that everything may stand differently.
    func tellOfEverything() {
        for consumer in consumers { consumer(reader, nil) }
    }
}
