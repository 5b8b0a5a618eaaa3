// The mark of a database that lacks commits which were acknowledged, and waits for them.
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// The mark of a database that was made of a backup, or of what was whole in a damaged one, and
/// whose operator has not said yet what becomes of the commits behind that.
public struct Healing: Sendable, Equatable {
    static let path = "HEALING"

    /// The commit it was made up to; nil when the mark cannot be read, which counts all the same.
    public let made: Position?

    /// Reads the mark of a database; nil when it has none.
    ///
    /// - Throws: `disk`.
    public init?(on disk: any Disk) throws(CommitLogError) {
        let bytes = try onDisk { () throws(DiskError) -> [UInt8]? in
            guard try disk.names(in: "").contains(Self.path) else { return nil }
            return try disk.contents(of: Self.path)
        }
        guard let bytes else { return nil }
        let words = bytes.split(separator: UInt8(ascii: "\n")).dropFirst().first?
            .split(separator: UInt8(ascii: " "))
        made = words?.last.flatMap { Array($0).withView { Position($0) } }
    }

    /// Marks a directory, durably.
    ///
    /// - Parameters:
    ///   - word: How the database was made, for people.
    ///   - position: The last commit it was made of.
    ///   - disk: The directory.
    /// - Throws: `disk`.
    static func mark(
        _ word: String,
        _ position: Position,
        on disk: any Disk
    ) throws(CommitLogError) {
        let text = "holdfast healing \(FormatVersion.current)\n\(word) \(position)\n"
        try onDisk { () throws(DiskError) in try disk.replace(path, with: Array(text.utf8)) }
    }

    /// Takes the mark away, durably: what stands counts from now on.
    ///
    /// - Throws: `disk`.
    public static func end(on disk: any Disk) throws(CommitLogError) {
        try onDisk { () throws(DiskError) in
            if try disk.names(in: "").contains(path) { try disk.remove(path) }
            try disk.syncDirectory("")
        }
    }
}
