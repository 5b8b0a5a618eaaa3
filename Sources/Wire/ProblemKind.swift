// The table of problems: what each refusal code is in HTTP.
//
// One code has one status. The switch is exhaustive, so that a new code cannot be forgotten;
// openapi/openapi.yaml lists the same table and a test compares them.
public import HoldfastRecords

/// A member of a problem that carries a fact.
public enum ProblemFact: String, Sendable, Hashable, CaseIterable {
    /// The borrow in the way: `{"id","holder","takenAt","dueAt","note","queue","yours"}`.
    case borrow
    /// The envelope of the record as it stands.
    case current
    /// Who ended it: `{"by","device","at","why"}`.
    case ended
    /// The rules a definition breaks, a sentence each.
    case rules
    /// The lowest `since` the log answers.
    case oldest
}

/// What a refusal code is in HTTP.
public struct ProblemKind: Hashable, Sendable {
    /// The HTTP status.
    public let status: Int
    /// The code in words, the same for every occurrence (RFC 9457, section 3.1.3).
    public let title: String
    /// Members it may carry besides `operation` and `field`, which any may.
    public let facts: Set<ProblemFact>

    init(_ status: Int, _ title: String, _ facts: Set<ProblemFact> = []) {
        self.status = status
        self.title = title
        self.facts = facts
    }
}

extension RefusalCode {
    /// Its status, title and facts.
    public var problem: ProblemKind {
        switch self {
        case .unknownTree: ProblemKind(404, "No such tree")
        case .notFound: ProblemKind(404, "No such record")
        case .deleted: ProblemKind(410, "The record was deleted", [.ended])
        case .exists: ProblemKind(412, "A record with this key stands", [.current])
        case .idTaken: ProblemKind(409, "The id was used before")
        case .outsideRange: ProblemKind(403, "The id lies in no range of this device")
        case .keysExhausted: ProblemKind(507, "No ids are left")
        case .badKey: ProblemKind(400, "Not a key of this tree")
        case .revisionRequired: ProblemKind(400, "The revision must be named")
        case .stale: ProblemKind(412, "The record changed meanwhile", [.current])
        case .changedSince: ProblemKind(409, "The record was changed since", [.current])
        case .notUndoable: ProblemKind(409, "Nothing to undo")
        case .preconditionRequired: ProblemKind(428, "A version or a borrow must be named")
        case .released: ProblemKind(409, "The record is released", [.current])
        case .notReleased: ProblemKind(409, "The latest revision is a draft", [.current])
        case .badState: ProblemKind(409, "The state cannot change so", [.current])
        case .unique: ProblemKind(409, "The value is taken", [.current])
        case .systemTree: ProblemKind(403, "The tree is the system's")
        case .tooLarge: ProblemKind(413, "Too large")
        case .unsupported: ProblemKind(422, "Not supported yet")
        case .idempotencyMismatch: ProblemKind(422, "The change id was used for another request")
        case .borrowed: ProblemKind(423, "The record is borrowed", [.borrow, .current])
        case .borrowEnded: ProblemKind(410, "The borrow ended", [.ended])
        case .borrowMismatch: ProblemKind(409, "The borrow is of something else", [.borrow])
        case .unknownBorrow: ProblemKind(404, "No such borrow")
        case .lineFull: ProblemKind(409, "The line is full", [.borrow])
        case .reasonRequired: ProblemKind(422, "A reason must be given", [.borrow])
        case .unknownField: ProblemKind(422, "A field the schema does not know")
        case .invalidField: ProblemKind(422, "A value the schema does not allow")
        case .unknownSchema: ProblemKind(422, "No such schema version")
        case .schemaTooOld: ProblemKind(409, "Written by an older major version")
        case .incompatible:
            ProblemKind(409, "The definition breaks the rules of evolution", [.rules])
        case .badDefinition: ProblemKind(422, "Not a well-formed definition", [.rules])
        case .requirementMissing: ProblemKind(409, "A change it builds on was not accepted")
        case .tokenMissing: ProblemKind(401, "A token is needed")
        case .tokenUnknown: ProblemKind(401, "The token is unknown here")
        case .tokenEnded: ProblemKind(401, "The token has ended")
        case .forbidden: ProblemKind(403, "The token's rights do not go so far")
        case .unknownToken: ProblemKind(404, "No such token")
        case .lastAdmin: ProblemKind(409, "Nobody else could administer the server")
        case .full: ProblemKind(507, "The disk is full")
        case .readOnly: ProblemKind(503, "The store takes no writes")
        case .healing: ProblemKind(503, "The database is healing")
        case .notHealing: ProblemKind(409, "The database is not healing")
        case .lostByRestore: ProblemKind(409, "The change was lost when the server was restored")
        case .outcomeUnknown: ProblemKind(504, "The outcome is unknown")
        case .diverged: ProblemKind(409, "The histories differ", [.oldest])
        case .compacted: ProblemKind(410, "The log begins later", [.oldest])
        case .unknownSnapshot: ProblemKind(404, "No such snapshot")
        case .fileMissing: ProblemKind(422, "A file the value names is not here")
        case .unknownFile: ProblemKind(404, "No such file")
        case .hashMismatch: ProblemKind(400, "The bytes are not those of the name")
        case .offsetMismatch: ProblemKind(409, "The upload stands elsewhere")
        case .notYet: ProblemKind(503, "That position is not reached")
        case .busy: ProblemKind(503, "Too many readers")
        case .stopping: ProblemKind(503, "The server stops")
        case .badRequest: ProblemKind(400, "Not an HTTP request this server takes")
        case .badJSON: ProblemKind(400, "Not JSON")
        case .badBody: ProblemKind(422, "Not the shape this route takes")
        case .badHeader: ProblemKind(400, "A header is not well-formed")
        case .badRange: ProblemKind(416, "No such bytes")
        case .unsupportedParameter: ProblemKind(400, "Unknown parameter")
        case .badParameter: ProblemKind(400, "A parameter is not well-formed")
        case .wrongDatabase: ProblemKind(421, "Another database")
        case .forbiddenOrigin: ProblemKind(403, "Host or Origin not allowed")
        case .noRoute: ProblemKind(404, "No such path")
        case .methodNotAllowed: ProblemKind(405, "The path does not take this method")
        case .unknownMethod: ProblemKind(501, "Unknown method")
        case .unsupportedMediaType: ProblemKind(415, "Not the media type this route takes")
        case .headTooLarge: ProblemKind(431, "The head is too large")
        case .requestTimeout: ProblemKind(408, "The request took too long")
        case .tooManyRequests: ProblemKind(429, "Too many requests")
        case .upgradeRequired: ProblemKind(426, "An upgrade is needed")
        case .internalError: ProblemKind(500, "The server failed")
        }
    }
}
