// Every error of this module, in the order in which it can occur.
public import HoldfastBasics
public import HoldfastStorage

/// Why a log could not be made, opened, read or written.
public enum CommitLogError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `create` found a database, or parts of one, in the directory.
    case alreadyPresent
    /// Something else is in a directory that is to be made a database or a place of backups.
    case notEmpty(String)
    /// A directory holds backups of another database.
    case otherDatabase(expected: UniqueID, found: UniqueID)
    /// `open` found no database in the directory.
    case notPresent
    /// Another process has the database open for writing.
    case inUse
    /// Bytes are not what was written.
    ///
    /// `file` is relative to the database's directory, `offset` counts its bytes.
    case damaged(file: String, offset: Int, why: String)
    /// The file was written by a later version of this program.
    case unsupportedFormat(file: String, version: UInt16)
    /// What was being written was given up: the process ends.
    case stopped
    /// The log begins later than what was asked for: it was compacted meanwhile.
    ///
    /// `oldest` is the first commit it has; the state before it is in the checkpoint.
    case compacted(oldest: UInt64)
    /// The disk refused.
    case disk(DiskError)

    /// One line for the operator.
    public var description: String {
        switch self {
        case .alreadyPresent: "there is a database in this directory already"
        case .notEmpty(let name): "the directory is not empty: \(name)"
        case .otherDatabase(let expected, let found):
            "the backups here are of database \(found), not of \(expected)"
        case .notPresent: "there is no database in this directory"
        case .inUse: "another process has this database open for writing"
        case .damaged(let file, let offset, let why): "damaged: \(file) at byte \(offset): \(why)"
        case .unsupportedFormat(let file, let version):
            "\(file) has format \(version), which this version cannot read"
        case .stopped: "it was given up, as the process ends"
        case .compacted(let oldest):
            "the log begins at commit \(oldest), what came before was dropped; begin there, or "
                + "read the state anew"
        case .disk(let error): error.description
        }
    }
}

/// Runs disk operations and lets their error out as one of the log's.
func onDisk<T>(_ body: () throws(DiskError) -> T) throws(CommitLogError) -> T {
    do throws(DiskError) {
        return try body()
    } catch {
        throw error.isLocked ? .inUse : .disk(error)
    }
}
