// A database made of a backup, marked as one that waits for the commits the backup lacks.
//
// Order: the mark HEALING; parts, each hashed on its way; manifest; the log, in a new epoch;
// IDENTITY. Killed anywhere it leaves no database, or the whole one, which is marked; another try
// goes on with the parts.
public import HoldfastBasics
internal import HoldfastRecords
public import HoldfastStorage

extension Backup {
    /// What the making of a database may have left behind, besides the mark.
    private static let unfinishedNames: Set = [
        Healing.path, Healing.path + ".new", CommitLog.lockPath, PartReference.directory,
        Manifest.directory, Segment.directory, Identity.path + ".new", "lost+found", "files",
    ]

    /// Makes a database of it, in a new epoch that begins behind its commit, marked for healing.
    ///
    /// - Parameters:
    ///   - source: The directory of backups.
    ///   - target: An empty directory, or one where this was begun.
    ///   - options: How its log is laid out.
    ///   - random: Gives the epoch and salts.
    ///   - visit: Is told after each part how many bytes it has.
    ///   - prepare: Puts in place what stands beside the log, before there is a database.
    /// - Returns: The database.
    /// - Throws: `damaged` for a part of the backup; `notEmpty`, `alreadyPresent`, `inUse`,
    ///   `unsupportedFormat`, `disk`. There is no database then.
    public func restore(
        from source: any Disk,
        to target: any Disk,
        options: LogOptions = LogOptions(),
        random: any RandomSource,
        visit: (Int) -> Void = { _ in },
        prepare: () throws(CommitLogError) -> Void = {}
    ) throws(CommitLogError) -> Identity {
        try Self.refuseUsed(target)
        let lock = try onDisk { () throws(DiskError) in try target.lock(CommitLog.lockPath) }
        do throws(CommitLogError) {
            try Healing.mark("restored", position, on: target)
            try Self.clear(target)
            var writer = try CheckpointWriter(target)
            for part in manifest.parts {
                let bytes = try Self.bytes(of: part, on: source)
                try writer.write(BuiltPart(reference: part, bytes: bytes))
                visit(part.byteCount)
            }
            try writer.finish(manifest)
            try prepare()
        } catch {
            lock.release()
            throw error
        }
        lock.release()
        var epoch = Epoch(rawValue: random.next())
        while lineage.contains(where: { $0.epoch == epoch }) {
            epoch = Epoch(rawValue: random.next())
        }
        let identity = Identity(
            databaseID: manifest.databaseID,
            application: application,
            epoch: epoch
        )
        try CommitLog.create(
            disk: target,
            identity: identity,
            after: LogStart(
                lineage: lineage + [EpochStart(epoch: epoch, firstSeq: manifest.seq + 1)],
                seq: manifest.seq,
                chain: manifest.chain,
                base: 0
            ),
            options: options,
            random: random
        )
        return identity
    }

    /// Refuses a directory that holds anything but what this leaves when it is ended early.
    ///
    /// - Throws: `notEmpty`, `alreadyPresent`, `disk`.
    public static func refuseUsed(_ target: any Disk) throws(CommitLogError) {
        let names = try onDisk { () throws(DiskError) in try target.names(in: "") }
        guard !names.contains(Identity.path) else { throw .alreadyPresent }
        let isBegun = names.contains(Healing.path)
        let harmless =
            isBegun ? unfinishedNames : [CommitLog.lockPath, Healing.path + ".new", "lost+found"]
        if let name = names.first(where: { !harmless.contains($0) }) { throw .notEmpty(name) }
    }

    /// Removes the log and manifest of an earlier try; its parts stay.
    private static func clear(_ target: any Disk) throws(CommitLogError) {
        try onDisk { () throws(DiskError) in
            let names = try target.names(in: "")
            for directory in [Segment.directory, Manifest.directory] where names.contains(directory)
            {
                for name in try target.names(in: directory) {
                    try target.remove(directory + "/" + name)
                }
            }
        }
    }
}
