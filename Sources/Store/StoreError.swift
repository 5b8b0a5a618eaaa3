// Why a database cannot be opened or read.
public import HoldfastCommitLog
public import HoldfastEngine
public import HoldfastRecords

/// Why a database cannot be opened or read.
public enum StoreError: Error {
    /// The log says why: in use, damaged, missing, of a newer format, a failing disk.
    case log(CommitLogError)
    /// A frame is whole, but its content cannot be folded.
    case unfoldable(seq: UInt64, ApplyError)
    /// The database belongs to another application.
    case otherApplication(expected: String, found: String)
    /// A commit of the authority does not follow what is here.
    case gap(expected: UInt64, found: UInt64)
    /// The authority's commit of this seq is another one than is here.
    case diverged(seq: UInt64)
    /// A commit of the authority was made in an epoch that is not this log's.
    case otherEpoch(seq: UInt64)
    /// A commit of the authority is damaged, or needs a newer version.
    case badContent(seq: UInt64, ContentError)
    /// Commits are handed back to a database that is not healing.
    case notHealing
    /// The commits handed back lead to other records of a block than their holder has.
    case otherRecords(BlockName)
    /// No commit is taken: the reason says why, and what to do.
    case readOnly(String)
    /// Too many readers are pinned.
    case tooManyPins(limit: Int)
    /// Others that share the database write, or compact it, for longer than one waits.
    case busy(milliseconds: Int64)
}
