// Every stable error code of the product, grouped by who refuses. `Wire` gives each its HTTP status
// and title, exhaustively; openapi/openapi.yaml lists the same table and a test compares them.

/// Why a change, a request or a connection was refused.
public enum RefusalCode: String, Sendable, Hashable, CaseIterable {
    // MARK: The model

    /// No such tree.
    case unknownTree = "unknown-tree"
    /// No such record, and there never was one.
    case notFound = "not-found"
    /// The record was deleted.
    case deleted = "deleted"
    /// A record with this key stands.
    case exists = "exists"
    /// The id was used before; ids are never used again.
    case idTaken = "id-taken"
    /// The id lies in no range of the writing device.
    case outsideRange = "outside-range"
    /// No ids are left below 2^53.
    case keysExhausted = "keys-exhausted"
    /// The key is not of the tree's kind, or names a revision where there are none.
    case badKey = "bad-key"
    /// A write on a versioned tree names no revision.
    case revisionRequired = "revision-required"
    /// The record changed since the writer read it.
    case stale = "stale"
    /// What is to be undone was changed since.
    case changedSince = "changed-since"
    /// A commit that changed no record.
    case notUndoable = "not-undoable"
    /// A write must name an expected version or a borrow.
    case preconditionRequired = "precondition-required"
    /// Another holds the record or waits for it.
    case borrowed = "borrowed"
    /// The borrow ended, or never was the caller's.
    case borrowEnded = "borrow-ended"
    /// The borrow is of another record.
    case borrowMismatch = "borrow-mismatch"
    /// No such borrow.
    case unknownBorrow = "unknown-borrow"
    /// The line is full.
    case lineFull = "line-full"
    /// A borrow is taken away for a reason that is given, or not at all.
    case reasonRequired = "reason-required"
    /// The record is released: immutable for ever.
    case released = "released"
    /// The record is a draft where a released one is needed, or the latest revision is one.
    case notReleased = "not-released"
    /// The tree's records have no states, or the transition is not allowed.
    case badState = "bad-state"
    /// Another id carries the same value in a unique field.
    case unique = "unique"
    /// A member the schema does not know.
    case unknownField = "unknown-field"
    /// A value that is not what the schema says.
    case invalidField = "invalid-field"
    /// The schema version the change names was never declared.
    case unknownSchema = "unknown-schema"
    /// The change was made by an older major version of the schema.
    case schemaTooOld = "schema-too-old"
    /// The declaration breaks the rules of evolution, or is none.
    case incompatible = "incompatible"
    /// The declaration is not well-formed.
    case badDefinition = "bad-definition"
    /// The tree is the system's.
    case systemTree = "system-tree"
    /// More than one commit, value, or line may hold.
    case tooLarge = "too-large"
    /// Rule not supported by this version.
    case unsupported = "unsupported"
    /// The change id was used for another request.
    case idempotencyMismatch = "idempotency-mismatch"

    /// A value names a file that is not here.
    case fileMissing = "file-missing"
    /// A change this one builds on was not accepted.
    case requirementMissing = "requirement-missing"

    // MARK: Rights

    /// The request shows no token, and this server asks for one.
    case tokenMissing = "token-missing"
    /// The token was never given out here, or was revoked.
    case tokenUnknown = "token-unknown"
    /// The token's time is over.
    case tokenEnded = "token-ended"
    /// The caller's rights do not go so far.
    case forbidden = "forbidden"
    /// No such token to revoke.
    case unknownToken = "unknown-token"
    /// Without this token nobody could administer the server.
    case lastAdmin = "last-admin"

    // MARK: The store

    /// The disk is full; reads go on.
    case full = "full"
    /// A write to the disk failed; reads go on, writes wait for a restart.
    case readOnly = "read-only"
    /// The database was restored and is healing: reads go on, writes wait for its operator.
    case healing = "healing"
    /// The server is not healing: it takes no commits of somebody else's log.
    case notHealing = "not-healing"
    /// The change had been accepted, and was lost when the server was restored.
    case lostByRestore = "lost-by-restore"
    /// Whether the change was accepted cannot be known; ask again with the same id.
    case outcomeUnknown = "outcome-unknown"
    /// Two histories differ.
    case diverged = "diverged"
    /// The log no longer reaches back that far.
    case compacted = "compacted"
    /// There is no snapshot, or it has no such part any more.
    case unknownSnapshot = "unknown-snapshot"
    /// No such file, or none the caller may know of.
    case unknownFile = "unknown-file"
    /// The bytes of a file are not those of its name.
    case hashMismatch = "hash-mismatch"
    /// The bytes do not go on where the upload stands.
    case offsetMismatch = "offset-mismatch"
    /// The server is not there yet: the position asked for was not reached in time.
    case notYet = "not-yet"
    /// Too many pinned readers.
    case busy = "busy"
    /// The server stops: it answers what it has begun, and takes nothing more.
    case stopping = "stopping"

    // MARK: Requests

    /// The message is not HTTP as this server takes it.
    case badRequest = "bad-request"
    /// The body is not JSON.
    case badJSON = "bad-json"
    /// The JSON is not of the shape the route takes.
    case badBody = "bad-body"
    /// A header's value is not of its shape.
    case badHeader = "bad-header"
    /// The bytes a Range names are not there.
    case badRange = "bad-range"
    /// A parameter is not known or not supported yet.
    case unsupportedParameter = "unsupported-parameter"
    /// A parameter's value is not of its shape.
    case badParameter = "bad-parameter"
    /// Another server's database.
    case wrongDatabase = "wrong-database"
    /// The Host header names another server, or the Origin is not allowed.
    case forbiddenOrigin = "forbidden-origin"
    /// No such path.
    case noRoute = "no-route"
    /// The path does not take this method.
    case methodNotAllowed = "method-not-allowed"
    /// No server knows this method.
    case unknownMethod = "unknown-method"
    /// The body's media type is not the one the route takes.
    case unsupportedMediaType = "unsupported-media-type"
    /// The request's head is too large.
    case headTooLarge = "head-too-large"
    /// The request took too long to arrive.
    case requestTimeout = "request-timeout"
    /// The address, or the token, asks more often than the server allows.
    case tooManyRequests = "too-many-requests"
    /// An Upgrade is needed here.
    case upgradeRequired = "upgrade-required"
    /// The server failed; its log says why.
    case internalError = "internal-error"
}

extension RefusalCode {
    /// Whether a change was judged: sent again as it is, it would be refused again.
    ///
    /// False when the store or the server could not take it then; it may be sent again.
    public var isVerdict: Bool {
        switch self {
        case .full, .readOnly, .healing, .outcomeUnknown, .notYet, .busy, .stopping,
            .internalError, .requestTimeout, .tooManyRequests:
            false
        default: true
        }
    }
}
