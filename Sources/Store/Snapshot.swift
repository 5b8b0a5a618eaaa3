// The newest checkpoint as others fetch it: its manifest and its parts.
public import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastRecords
internal import HoldfastStorage

extension StoreReader {
    /// The commit the newest checkpoint is the state after; nil while there is none.
    public var snapshotSeq: UInt64? { manifest?.seq }
}

extension Store {
    /// The newest checkpoint; nil while there is none.
    public var manifest: Manifest? { core.withLock(\.manifest) }

    /// The epochs of the log, oldest first.
    public var lineage: [EpochStart] { core.withLock(\.log.lineage) }

    /// Opens a part of the newest checkpoint.
    ///
    /// - Parameter digest: Its name.
    /// - Returns: Nil when the newest checkpoint has no such part.
    /// - Throws: `log` when it cannot be read.
    public func part(_ digest: Digest256) throws(StoreError) -> PartFile? {
        let (manifest, disk) = core.withLock { ($0.manifest, $0.disk) }
        guard let part = manifest?.parts.first(where: { $0.digest == digest }) else { return nil }
        do throws(CommitLogError) {
            return try PartFile(part, on: disk)
        } catch {
            // Another checkpoint took this one's place meanwhile.
            if case .disk(let error) = error, error.isMissing { return nil }
            throw .log(error)
        }
    }
}
