// The stable codes of refusals: the table that the server and all clients share.

extension Refusal {
    /// A stable code.
    ///
    /// A newer server may send codes this version does not name.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code as it stands in `openapi.yaml`.
        public let rawValue: String

        /// Takes any code.
        public init(rawValue: String) { self.rawValue = rawValue }
    }
}

extension Refusal.Code {
    // MARK: The model

    /// No such tree.
    public static let unknownTree = Refusal.Code(rawValue: "unknown-tree")
    /// No such record, and there never was one.
    public static let notFound = Refusal.Code(rawValue: "not-found")
    /// The record was deleted.
    public static let deleted = Refusal.Code(rawValue: "deleted")
    /// A record with this key stands.
    public static let exists = Refusal.Code(rawValue: "exists")
    /// The id was used before; ids are never used again.
    public static let idTaken = Refusal.Code(rawValue: "id-taken")
    /// The id lies in no range of the writing device.
    public static let outsideRange = Refusal.Code(rawValue: "outside-range")
    /// No ids are left below 2^53.
    public static let keysExhausted = Refusal.Code(rawValue: "keys-exhausted")
    /// The key is not of the tree's kind, or names a revision where there are none.
    public static let badKey = Refusal.Code(rawValue: "bad-key")
    /// A write on a versioned tree names no revision.
    public static let revisionRequired = Refusal.Code(rawValue: "revision-required")
    /// The record changed since the writer read it.
    public static let stale = Refusal.Code(rawValue: "stale")
    /// What is to be undone was changed since.
    public static let changedSince = Refusal.Code(rawValue: "changed-since")
    /// A commit that changed no record.
    public static let notUndoable = Refusal.Code(rawValue: "not-undoable")
    /// A write must name an expected version or a borrow.
    public static let preconditionRequired = Refusal.Code(rawValue: "precondition-required")
    /// Another holds the record or waits for it.
    public static let borrowed = Refusal.Code(rawValue: "borrowed")
    /// The borrow ended, or never was the caller's.
    public static let borrowEnded = Refusal.Code(rawValue: "borrow-ended")
    /// The borrow is of another record.
    public static let borrowMismatch = Refusal.Code(rawValue: "borrow-mismatch")
    /// No such borrow.
    public static let unknownBorrow = Refusal.Code(rawValue: "unknown-borrow")
    /// The line is full.
    public static let lineFull = Refusal.Code(rawValue: "line-full")
    /// A borrow is taken away for a reason that is given, or not at all.
    public static let reasonRequired = Refusal.Code(rawValue: "reason-required")
    /// The record is released: immutable for ever.
    public static let released = Refusal.Code(rawValue: "released")
    /// The record is a draft where a released one is needed, or the latest revision is one.
    public static let notReleased = Refusal.Code(rawValue: "not-released")
    /// The tree's records have no states, or the transition is not allowed.
    public static let badState = Refusal.Code(rawValue: "bad-state")
    /// Another id carries the same value in a unique field.
    public static let unique = Refusal.Code(rawValue: "unique")
    /// A member the schema does not know.
    public static let unknownField = Refusal.Code(rawValue: "unknown-field")
    /// A value that is not what the schema says.
    public static let invalidField = Refusal.Code(rawValue: "invalid-field")
    /// The schema version the change names was never declared.
    public static let unknownSchema = Refusal.Code(rawValue: "unknown-schema")
    /// The change was made by an older major version of the schema.
    public static let schemaTooOld = Refusal.Code(rawValue: "schema-too-old")
    /// The declaration breaks the rules of evolution, or is none.
    public static let incompatible = Refusal.Code(rawValue: "incompatible")
    /// The declaration is not well-formed.
    public static let badDefinition = Refusal.Code(rawValue: "bad-definition")
    /// The tree is the system's.
    public static let systemTree = Refusal.Code(rawValue: "system-tree")
    /// More than one commit, value, or line may hold.
    public static let tooLarge = Refusal.Code(rawValue: "too-large")
    /// Rule not supported by this version.
    public static let unsupported = Refusal.Code(rawValue: "unsupported")
    /// The change id was used for another request.
    public static let idempotencyMismatch = Refusal.Code(rawValue: "idempotency-mismatch")
    /// A value names a file that is not here.
    public static let fileMissing = Refusal.Code(rawValue: "file-missing")
    /// A change this one builds on was not accepted.
    public static let requirementMissing = Refusal.Code(rawValue: "requirement-missing")

    // MARK: Rights

    /// The request shows no token, and the server asks for one.
    public static let tokenMissing = Refusal.Code(rawValue: "token-missing")
    /// The token was never given out there, or was revoked.
    public static let tokenUnknown = Refusal.Code(rawValue: "token-unknown")
    /// The token's time is over.
    public static let tokenEnded = Refusal.Code(rawValue: "token-ended")
    /// The token's rights do not go so far.
    public static let forbidden = Refusal.Code(rawValue: "forbidden")
    /// No such token to revoke.
    public static let unknownToken = Refusal.Code(rawValue: "unknown-token")
    /// Without this token nobody could administer the server.
    public static let lastAdmin = Refusal.Code(rawValue: "last-admin")

    // MARK: The store

    /// The disk is full; reads go on.
    public static let full = Refusal.Code(rawValue: "full")
    /// A write to the disk failed and writes wait for a restart, or the database is open for
    /// reading alone; reads go on.
    public static let readOnly = Refusal.Code(rawValue: "read-only")
    /// The database was restored and is healing: reads go on, writes wait for its operator.
    public static let healing = Refusal.Code(rawValue: "healing")
    /// The server is not healing: it takes no commits of somebody else's log.
    public static let notHealing = Refusal.Code(rawValue: "not-healing")
    /// The change had been accepted, and was lost when the server was restored.
    public static let lostByRestore = Refusal.Code(rawValue: "lost-by-restore")
    /// Whether the change was accepted cannot be known; ask again with the same id.
    public static let outcomeUnknown = Refusal.Code(rawValue: "outcome-unknown")
    /// Two histories differ.
    public static let diverged = Refusal.Code(rawValue: "diverged")
    /// The log no longer reaches back that far.
    public static let compacted = Refusal.Code(rawValue: "compacted")
    /// There is no snapshot, or it has no such part any more.
    public static let unknownSnapshot = Refusal.Code(rawValue: "unknown-snapshot")
    /// No such file, or none the caller may know of.
    public static let unknownFile = Refusal.Code(rawValue: "unknown-file")
    /// The bytes of a file are not those of its name.
    public static let hashMismatch = Refusal.Code(rawValue: "hash-mismatch")
    /// The bytes do not go on where the upload stands.
    public static let offsetMismatch = Refusal.Code(rawValue: "offset-mismatch")
    /// The server is not there yet: the position asked for was not reached in time.
    public static let notYet = Refusal.Code(rawValue: "not-yet")
    /// Too many pinned readers.
    public static let busy = Refusal.Code(rawValue: "busy")
    /// The server stops: it answers what it has begun, and takes nothing more.
    public static let stopping = Refusal.Code(rawValue: "stopping")

    // MARK: Requests

    /// The message is not HTTP as this server takes it.
    public static let badRequest = Refusal.Code(rawValue: "bad-request")
    /// The body is not JSON.
    public static let badJSON = Refusal.Code(rawValue: "bad-json")
    /// The JSON is not of the shape the route takes.
    public static let badBody = Refusal.Code(rawValue: "bad-body")
    /// A header's value is not of its shape.
    public static let badHeader = Refusal.Code(rawValue: "bad-header")
    /// The bytes a Range names are not there.
    public static let badRange = Refusal.Code(rawValue: "bad-range")
    /// A parameter is not known or not supported yet.
    public static let unsupportedParameter = Refusal.Code(rawValue: "unsupported-parameter")
    /// A parameter's value is not of its shape.
    public static let badParameter = Refusal.Code(rawValue: "bad-parameter")
    /// Another server's database.
    public static let wrongDatabase = Refusal.Code(rawValue: "wrong-database")
    /// The Host header names another server, or the Origin is not allowed.
    public static let forbiddenOrigin = Refusal.Code(rawValue: "forbidden-origin")
    /// No such path.
    public static let noRoute = Refusal.Code(rawValue: "no-route")
    /// The path does not take this method.
    public static let methodNotAllowed = Refusal.Code(rawValue: "method-not-allowed")
    /// No server knows this method.
    public static let unknownMethod = Refusal.Code(rawValue: "unknown-method")
    /// The body's media type is not the one the route takes.
    public static let unsupportedMediaType = Refusal.Code(rawValue: "unsupported-media-type")
    /// The request's head is too large.
    public static let headTooLarge = Refusal.Code(rawValue: "head-too-large")
    /// The request took too long to arrive.
    public static let requestTimeout = Refusal.Code(rawValue: "request-timeout")
    /// The address, or the token, asks more often than the server allows.
    public static let tooManyRequests = Refusal.Code(rawValue: "too-many-requests")
    /// An Upgrade is needed here.
    public static let upgradeRequired = Refusal.Code(rawValue: "upgrade-required")
    /// The server failed; its log says why.
    public static let internalError = Refusal.Code(rawValue: "internal-error")

    // MARK: Clients

    /// Without a borrow this record cannot be changed while the server is out of reach.
    public static let borrowNeeded = Refusal.Code(rawValue: "borrow-needed")
}
