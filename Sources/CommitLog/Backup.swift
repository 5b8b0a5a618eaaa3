// One backup: the state of a database after a commit, and what a database made of it must know. The
// contract is FORMAT.md, section "Backups".
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// A backup, as a directory of backups keeps it.
public struct Backup: Equatable, Sendable {
    /// Its place among the backups of the directory, from 1; a later one has a higher number.
    public let number: UInt64
    /// When it was made, in milliseconds since 1970.
    public let madeAt: Int64
    /// The application the database belongs to.
    public let application: String
    /// The epochs up to its commit, oldest first.
    public let lineage: [EpochStart]
    /// The parts that make up the state.
    public let manifest: Manifest

    /// The commit it is the state after.
    public var position: Position {
        Position(epoch: lineage[lineage.count - 1].epoch, seq: manifest.seq)
    }

    /// What its parts weigh.
    ///
    /// Unit: bytes.
    public var byteCount: Int { manifest.parts.reduce(0) { $0 + $1.byteCount } }

    /// Its place in the directory.
    public var path: String { Self.path(number: number) }

    /// The place of the backup of a number.
    static func path(number: UInt64) -> String { Manifest.path(seq: number) }

    private static let magic: UInt64 = 0x5055_4B42_444C_4F48  // "HOLDBKUP", little-endian
    private static let fixedByteCount = 32

    /// Describes a backup.
    ///
    /// - Parameters:
    ///   - number: Its place among the others.
    ///   - madeAt: When, in milliseconds since 1970.
    ///   - application: Whose database it is.
    ///   - lineage: The epochs of the database; those after the commit are left out.
    ///   - manifest: The state.
    /// - Precondition: The lineage is `LogStart.isLineage`.
    init(
        number: UInt64,
        madeAt: Int64,
        application: String,
        lineage: [EpochStart],
        manifest: Manifest
    ) {
        precondition(LogStart.isLineage(lineage), "epochs follow one another from commit 1 on")
        self.number = number
        self.madeAt = madeAt
        self.application = application
        self.lineage = lineage.filter { $0.firstSeq <= max(1, manifest.seq) }
        self.manifest = manifest
    }

    /// The content of the file.
    var bytes: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(integer: Self.magic)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: FormatVersion.current)
        buffer.append(integer: UInt16(application.utf8.count))
        buffer.append(integer: madeAt)
        buffer.append(integer: UInt32(lineage.count))
        buffer.append(integer: UInt32(0))
        for entry in lineage {
            buffer.append(integer: entry.epoch.rawValue)
            buffer.append(integer: entry.firstSeq)
        }
        buffer.append(text: application)
        buffer.append(manifest.bytes)
        let crc = CRC32C.extend(0, buffer.view.suffix(from: 12))
        buffer.replace(integer: crc, at: 8)
        return buffer.array
    }

    /// Reads the content of a file.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`.
    init(_ bytes: [UInt8], number: UInt64) throws(CommitLogError) {
        let result = bytes.withView { view in
            Result { () throws(CommitLogError) in try Backup(view, number) }
        }
        self = try result.get()
    }

    private init(_ bytes: ByteView, _ number: UInt64) throws(CommitLogError) {
        let file = Self.path(number: number)
        func damage(_ why: String) -> CommitLogError { .damaged(file: file, offset: 0, why: why) }
        guard bytes.count >= Self.fixedByteCount, bytes.integer(at: 0) == Self.magic else {
            throw damage("this is no backup")
        }
        guard CRC32C.extend(0, bytes.suffix(from: 12)) == bytes.integer(at: 8) else {
            throw damage("the checksum of the backup does not fit")
        }
        let version = bytes.integer(UInt16.self, at: 12)
        guard version == FormatVersion.current else {
            throw .unsupportedFormat(file: file, version: version)
        }
        let nameLength = Int(bytes.integer(UInt16.self, at: 14))
        let epochCount = Int(bytes.integer(UInt32.self, at: 24))
        let nameStart = Self.fixedByteCount + epochCount * 16
        guard nameStart + nameLength <= bytes.count, nameLength <= Limits.identityByteCountMax
        else { throw damage("the backup is cut") }
        lineage = (0..<epochCount).map { index in
            let offset = Self.fixedByteCount + index * 16
            return EpochStart(
                epoch: Epoch(rawValue: bytes.integer(at: offset)),
                firstSeq: bytes.integer(at: offset + 8)
            )
        }
        self.number = number
        madeAt = bytes.integer(at: 16)
        application = bytes[nameStart..<nameStart + nameLength].text
        manifest = try Manifest(bytes.suffix(from: nameStart + nameLength).array, file: file)
        guard LogStart.isLineage(lineage), lineage.allSatisfy({ $0.firstSeq <= manifest.seq })
        else { throw damage("the epochs are no history") }
    }
}

// MARK: Reading a directory of backups

extension Backup {
    /// Names the database whose backups a directory holds, as IDENTITY does.
    static let identityPath = "BACKUP"
    static let lockPath = CommitLog.lockPath

    /// Whose backups a directory holds; nil when it holds none.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`, `disk`.
    public static func identity(on disk: any Disk) throws(CommitLogError) -> Identity? {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.contents(of: identityPath)
        } catch {
            if error.isMissing { return nil }
            throw .disk(error)
        }
        return try Identity(bytes, file: identityPath)
    }

    /// The backups of a directory, oldest first, and what of them cannot be read.
    ///
    /// - Throws: `unsupportedFormat`, `disk`.
    public static func all(
        on disk: any Disk
    ) throws(CommitLogError) -> (backups: [Backup], damages: [CommitLogError]) {
        var backups: [Backup] = []
        var damages: [CommitLogError] = []
        for number in try Checkpoint.seqs(disk) {
            let bytes = try onDisk { () throws(DiskError) in
                try disk.contents(of: path(number: number))
            }
            do throws(CommitLogError) {
                backups.append(try Backup(bytes, number: number))
            } catch {
                guard case .damaged = error else { throw error }
                damages.append(error)
            }
        }
        return (backups, damages)
    }

    /// Reads every byte of every backup, each part once.
    ///
    /// - Parameters:
    ///   - disk: The directory of backups.
    ///   - visit: Is told after each part how many bytes it has.
    /// - Returns: Every damage found, each naming its file.
    /// - Throws: `unsupportedFormat`, `disk`.
    public static func verify(
        on disk: any Disk,
        visit: (Int) -> Void = { _ in }
    ) throws(CommitLogError) -> [CommitLogError] {
        var (backups, damages) = try all(on: disk)
        var seen: Set<Digest256> = []
        for part in backups.flatMap(\.manifest.parts) where seen.insert(part.digest).inserted {
            do throws(CommitLogError) {
                _ = try bytes(of: part, on: disk)
            } catch {
                guard case .damaged = error else { throw error }
                damages.append(error)
            }
            visit(part.byteCount)
        }
        return damages
    }

    /// The bytes of a part, which are those of its name.
    ///
    /// - Throws: `damaged`, `disk`.
    static func bytes(
        of part: PartReference,
        on disk: any Disk
    ) throws(CommitLogError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.contents(of: part.path)
        } catch {
            guard error.isMissing else { throw .disk(error) }
            throw .damaged(file: part.path, offset: 0, why: "the part is missing")
        }
        guard bytes.count == part.byteCount else {
            throw .damaged(
                file: part.path,
                offset: bytes.count,
                why: "the part has another length"
            )
        }
        guard bytes.withView({ SHA256.digest($0) }) == part.digest else {
            throw .damaged(
                file: part.path,
                offset: 0,
                why: "its bytes are not those of its name"
            )
        }
        return bytes
    }
}
