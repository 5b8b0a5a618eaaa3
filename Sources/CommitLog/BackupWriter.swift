// Writes a backup into a directory that may hold others of the same database.
//
// Order: the name of the database; parts, each by a rename after a sync; their directory; the
// backup's own file; its directory. Killed anywhere it leaves every older backup as it was, and
// parts that the next one need not write again.
public import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// Writes one backup; confined to its owner, who closes it.
public struct BackupWriter: PartSink {
    private let disk: any Disk
    private let lock: any DiskLock
    private var writer: CheckpointWriter
    /// Parts written; the others were there already.
    public var writtenCount: Int { writer.writtenCount }
    /// What they weigh.
    ///
    /// Unit: bytes.
    public var writtenByteCount: Int { writer.writtenByteCount }

    // What an interrupted beginning, or the file system, leaves in an empty directory.
    private static let harmlessNames: Set = [Backup.lockPath, "BACKUP.new", "lost+found"]

    /// Begins a backup, and makes a directory for backups of an empty one.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - identity: The database that is backed up.
    /// - Throws: `notEmpty` for a directory of something else, `otherDatabase` for one of another
    ///   database's backups, `inUse` while another backup is written there, `damaged`,
    ///   `unsupportedFormat`, `disk`.
    public init(_ disk: any Disk, of identity: Identity) throws(CommitLogError) {
        // Nothing is made in a directory that is refused.
        _ = try Self.isBegun(disk, identity)
        let lock = try onDisk { () throws(DiskError) in try disk.lock(Backup.lockPath) }
        do throws(CommitLogError) {
            if try !Self.isBegun(disk, identity) {
                try onDisk { () throws(DiskError) in
                    try disk.replace(Backup.identityPath, with: identity.bytes)
                }
            }
            writer = try CheckpointWriter(disk)
        } catch {
            lock.release()
            throw error
        }
        self.disk = disk
        self.lock = lock
    }

    /// Whether a directory is one of this database's backups already, or may become one.
    private static func isBegun(
        _ disk: any Disk,
        _ identity: Identity
    ) throws(CommitLogError) -> Bool {
        if let found = try Backup.identity(on: disk) {
            guard found.databaseID == identity.databaseID else {
                throw .otherDatabase(expected: identity.databaseID, found: found.databaseID)
            }
            return true
        }
        let names = try onDisk { () throws(DiskError) in try disk.names(in: "") }
        if let name = names.first(where: { !harmlessNames.contains($0) }) {
            throw .notEmpty(name)
        }
        return false
    }

    /// Lets others write backups into the directory.
    public func close() { lock.release() }

    /// Whether a part is there: all of it, as its name came after its bytes.
    public func has(_ digest: Digest256) -> Bool { writer.has(digest) }

    /// Writes a part, unless it is there already.
    ///
    /// - Throws: `disk`.
    public mutating func write(
        _ part: BuiltPart,
        yielding: Yielding
    ) throws(CommitLogError) {
        try writer.write(part, yielding: yielding)
    }

    /// Makes the backup one of the directory's; what no backup names goes.
    ///
    /// - Parameters:
    ///   - manifest: Names parts that are all there.
    ///   - application: Whose database it is.
    ///   - lineage: The epochs of the database.
    ///   - time: When it was made, in milliseconds since 1970.
    /// - Returns: The backup; the last one of the directory when that is of the same state.
    /// - Throws: `disk`; the older backups are as they were.
    public func finish(
        _ manifest: Manifest,
        application: String,
        lineage: [EpochStart],
        at time: Int64
    ) throws(CommitLogError) -> (backup: Backup, isNew: Bool) {
        let last = try Backup.all(on: disk).backups.last
        let number = (try Checkpoint.seqs(disk).last ?? 0) + 1
        let backup = Backup(
            number: number,
            madeAt: time,
            application: application,
            lineage: lineage,
            manifest: manifest
        )
        if let last, last.manifest == manifest, last.lineage == backup.lineage {
            return (last, false)
        }
        try onDisk { () throws(DiskError) in
            try disk.syncDirectory(PartReference.directory)
            try disk.replace(backup.path, with: backup.bytes)
        }
        try Self.collect(on: disk)
        return (backup, true)
    }

    // MARK: Dropping

    /// Drops the oldest backups of a directory, and parts no other names.
    ///
    /// - Parameters:
    ///   - count: How many stay, at least 1.
    ///   - disk: The directory of backups.
    /// - Returns: Those that are gone, oldest first.
    /// - Throws: `inUse` while a backup is written there; `damaged` when one cannot be read, so
    ///   that nobody knows which parts it needs; `unsupportedFormat`, `disk`.
    public static func keep(_ count: Int, on disk: any Disk) throws(CommitLogError) -> [Backup] {
        precondition(count > 0, "the last backup stays")
        let lock = try onDisk { () throws(DiskError) in try disk.lock(Backup.lockPath) }
        defer { lock.release() }
        let (backups, damages) = try Backup.all(on: disk)
        if let damage = damages.first { throw damage }
        let dropped = Array(backups.dropLast(count))
        guard !dropped.isEmpty else { return [] }
        try onDisk { () throws(DiskError) in
            for backup in dropped { try disk.remove(backup.path) }
            // Only a backup that is gone for good needs its parts no more.
            try disk.syncDirectory(Manifest.directory)
        }
        try collect(on: disk)
        return dropped
    }

    /// Removes parts that no backup names; none while a backup cannot be read.
    private static func collect(on disk: any Disk) throws(CommitLogError) {
        let (backups, damages) = try Backup.all(on: disk)
        guard damages.isEmpty else { return }
        let named = Set(backups.flatMap(\.manifest.parts).map(\.digest.description))
        try onDisk { () throws(DiskError) in
            for name in try disk.names(in: PartReference.directory) where !named.contains(name) {
                try disk.remove(PartReference.directory + "/" + name)
            }
        }
    }
}

extension CommitLog {
    /// Makes sure that what was read of a log is on its disk, though another process writes it and
    /// has not synced it yet: a backup must not hold what a power cut may still take away.
    ///
    /// - Parameter disk: The database's directory.
    /// - Throws: `damaged` when there is no segment, `disk`.
    public static func syncSeen(on disk: any Disk) throws(CommitLogError) {
        // A segment is named after the one before it was synced.
        guard let last = try LogFiles(disk: disk).firstSeqs().last else { return }
        try onDisk { () throws(DiskError) in
            try disk.open(Segment.path(firstSeq: last), .read).sync()
            try disk.syncDirectory(Segment.directory)
        }
    }
}
