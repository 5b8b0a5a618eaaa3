// Every error an application can meet, in one place.
public import FoundationEssentials

/// The one error of this module's functions.
///
/// Closures handed to it throw what they like: their own error comes out unchanged.
public enum DatabaseError: Error, Hashable, Sendable {
    // MARK: The change

    /// The change, request or definition was refused, and nothing of it happened.
    case refused(Refusal)
    /// No ids of this tree are left on this device.
    ///
    /// Go online once, so that the database gets a new key range.
    case keysExhausted(tree: String)

    // MARK: The value

    /// A stored record cannot be read as its Swift type.
    ///
    /// `field` is the coding path, joined by dots, array elements as numbers; empty for the whole
    /// value. `reason` says what is wrong there.
    case undecodable(tree: String, key: String, field: String, reason: String)

    // MARK: The disk

    /// A write to the disk failed: reads go on, writes wait for a restart.
    case poisoned(String)
    /// A file holds other bytes than were written.
    case damaged(file: String, offset: UInt64)
    /// The disk is full; reads go on.
    case full
    /// A file of a compaction cannot be read or written: what stands is in no danger.
    case diskFailed(String)
    /// The directory cannot be opened as a database.
    case unavailable(directory: String, reason: String)

    // MARK: The connection

    /// The network is needed for this, and not there.
    case offline
    /// There is no secure connection to the server: which check failed, and what to do.
    ///
    /// Nothing that says who asks was sent.
    case untrusted(String)
    /// The server holds another database than the one this mirror belongs to.
    case wrongServer(expected: UUID, found: UUID)
    /// The database is closed.
    case closed
}

extension DatabaseError: CustomStringConvertible {
    /// What happened and what to do next.
    public var description: String {
        switch self {
        case .refused(let refusal): refusal.description
        case .keysExhausted(let tree):
            "No ids of '\(tree)' are left on this device: connect once to get a new range."
        case .undecodable(let tree, let key, let field, let reason):
            "Record \(key) of '\(tree)' cannot be read"
                + (field.isEmpty ? "" : " at '\(field)'") + ": \(reason)"
        case .poisoned(let reason):
            "Writing to the disk failed, nothing is written until a restart: \(reason)"
        case .damaged(let file, let offset): "\(file) is damaged at byte \(offset)."
        case .full: "The disk is full: make room; reads go on."
        case .diskFailed(let reason): "The disk failed, nothing was lost: \(reason)."
        case .unavailable(let directory, let reason): "Cannot open \(directory): \(reason)."
        case .offline: "The server cannot be reached, and this needs it."
        case .untrusted(let reason): reason
        case .wrongServer(let expected, let found):
            "The server holds the database \(found), this mirror belongs to \(expected)."
        case .closed: "The database is closed."
        }
    }
}
