// The file IDENTITY: which database this directory holds. Text, so that an operator can read it.
public import HoldfastBasics
public import HoldfastRecords
internal import HoldfastStorage

/// Which database a directory holds.
///
/// Shape: five lines, each a word, a blank and a value, ended by a newline: `holdfast` (format
/// version), `database` (UUID), `application` (text), `epoch` (13 characters), `crc32c` (8
/// hexadecimal digits over all bytes before this line).
public struct Identity: Equatable, Sendable {
    /// Made once, never changed.
    public let databaseID: UniqueID
    /// The application the database belongs to; no control characters.
    public let application: String
    /// The history it is in.
    public let epoch: Epoch

    /// Its file, in the directory.
    public static let path = "IDENTITY"

    /// Names a database.
    public init(databaseID: UniqueID, application: String, epoch: Epoch) {
        precondition(
            application.utf8.count <= Limits.identityByteCountMax
                && application.utf8.allSatisfy { $0 >= 32 && $0 != 127 },
            "an application's name is a short line of text"
        )
        self.databaseID = databaseID
        self.application = application
        self.epoch = epoch
    }

    /// The content of the file.
    var bytes: [UInt8] {
        let lines =
            "holdfast \(FormatVersion.current)\ndatabase \(databaseID)\n"
            + "application \(application)\nepoch \(epoch)\n"
        let crc = Array(lines.utf8).withView { CRC32C.extend(0, $0) }
        return Array((lines + "crc32c \(String(hexadecimal(UInt64(crc)).suffix(8)))\n").utf8)
    }

    /// Reads the content of the file.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`.
    init(_ bytes: [UInt8], file: String = Self.path) throws(CommitLogError) {
        func damage(_ why: String) -> CommitLogError {
            .damaged(file: file, offset: 0, why: why)
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        func value(_ index: Int, _ word: String) throws(CommitLogError) -> String {
            guard lines.count == 6, lines[index].hasPrefix(word + " ") else {
                throw damage("no line “\(word)”")
            }
            return String(lines[index].dropFirst(word.count + 1))
        }
        guard let version = UInt16(try value(0, "holdfast")) else { throw damage("no version") }
        guard version <= FormatVersion.current else {
            throw .unsupportedFormat(file: file, version: version)
        }
        guard let databaseID = UniqueID(try value(1, "database")),
            let epoch = Array(try value(3, "epoch").utf8).withView({ Epoch($0) })
        else { throw damage("an id is not one") }
        let application = try value(2, "application")
        guard application.utf8.count <= Limits.identityByteCountMax,
            application.utf8.allSatisfy({ $0 >= 32 && $0 != 127 })
        else { throw damage("the application is no line of text") }
        self.init(databaseID: databaseID, application: application, epoch: epoch)
        // Written anew it must be the same bytes, the checksum among them.
        guard self.bytes == bytes else { throw damage("the checksum does not fit") }
    }
}

/// Versions of the format, for IDENTITY and the segments alike.
enum FormatVersion {
    static let current: UInt16 = 1
    /// Of parts of used keys, and of manifests that name some: whoever does not know them would
    /// give ids out again, and must not open the database.
    static let usedKeys: UInt16 = 2
}

extension Identity {
    /// The same database in the epoch a log is in: what its last segment says counts.
    func brought(to lineage: [EpochStart]) -> Identity {
        guard let last = lineage.last?.epoch, last != epoch else { return self }
        return Identity(databaseID: databaseID, application: application, epoch: last)
    }
}
