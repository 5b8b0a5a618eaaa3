// A backup made of an open store: its state as parts, in another directory.
//
// Nothing in the database's own directory is written, so that a store that is open for reading can
// be backed up beside the process that writes it.
internal import HoldfastBasics
public import HoldfastCommitLog

extension Store {
    /// Writes what stands into a directory of backups; only parts that are not there yet.
    ///
    /// Reads and writes go on meanwhile. Everything is as it stood after the last synced commit,
    /// and what every change did is in it: the backup needs nothing of the log.
    ///
    /// - Parameters:
    ///   - writer: The directory; its parts stay when this throws.
    ///   - sizes: Where parts end.
    /// - Returns: The backup, and whether it is another than the last one; nil before the first
    ///   commit.
    /// - Throws: `log`; the older backups are as they were.
    public func backUp(
        into writer: inout BackupWriter,
        sizes: PartSizes = PartSizes()
    ) throws(StoreError) -> (backup: Backup, isNew: Bool)? {
        try alone { () throws(StoreError) in
            let (frame, lineage) = core.withLock { core in
                (CheckpointFrame(core, keepingFrom: 1, isWhole: true), core.log.lineage)
            }
            guard let frame else { return nil }
            do throws(CommitLogError) {
                var memory = ChangeHorizon(frame, self)
                let manifest = try writeParts(frame, &memory, sizes, &writer)
                return try writer.finish(
                    manifest,
                    application: identity.application,
                    lineage: lineage,
                    at: time.wallMilliseconds()
                )
            } catch {
                throw .log(error)
            }
        }
    }
}
