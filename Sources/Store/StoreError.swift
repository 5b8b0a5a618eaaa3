// Why a database cannot be opened or read.
public import HoldfastCommitLog
public import HoldfastEngine

/// Why a database cannot be opened or read.
public enum StoreError: Error {
    /// The log says why: in use, damaged, missing, of a newer format, a failing disk.
    case log(CommitLogError)
    /// A frame is whole, but its content cannot be folded.
    case unfoldable(seq: UInt64, ApplyError)
    /// The database belongs to another application.
    case otherApplication(expected: String, found: String)
    /// Too many readers are pinned.
    case tooManyPins(limit: Int)
}
