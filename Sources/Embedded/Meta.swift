// The facts that stand beside a value.
public import FoundationEssentials

/// What the database knows of a record beside its value.
public struct Meta: Hashable, Sendable {
    /// The position of its last change.
    public let version: Position
    /// Where it stands in its life.
    public let state: RecordState
    /// The schema version that wrote it, like `1.0`.
    public let schemaVersion: String
    /// When it was created, by the authority's clock.
    public let createdAt: Date
    /// When it was changed last, by the authority's clock.
    public let modifiedAt: Date
    /// The user who changed it last.
    public let modifiedBy: String
    /// Whether a change made here is shown that the server has not accepted yet.
    public let pending: Bool
    /// Whether the stored value has fields that this application does not know.
    ///
    /// They are kept when the record is rewritten.
    public let unknownFields: Bool

    /// Gathers the facts.
    init(
        version: Position,
        state: RecordState,
        schemaVersion: String,
        createdAt: Date,
        modifiedAt: Date,
        modifiedBy: String,
        pending: Bool,
        unknownFields: Bool
    ) {
        self.version = version
        self.state = state
        self.schemaVersion = schemaVersion
        self.createdAt = createdAt
        self.modifiedAt = modifiedAt
        self.modifiedBy = modifiedBy
        self.pending = pending
        self.unknownFields = unknownFields
    }
}
