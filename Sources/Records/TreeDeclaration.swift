// What `_trees` holds of a tree.

/// Whether a record must be borrowed before it is changed.
public enum BorrowPolicy: String, Sendable, Hashable {
    /// The writer holds the borrow, or writes with a matching version while nobody holds or waits.
    case required
    /// Free while nobody else holds it.
    case optional
}

/// Which states a tree's records may change to; nil on a tree means any.
public struct StateTransition: Hashable, Sendable {
    /// The state before.
    public let from: RecordState
    /// A state that may follow.
    public let to: RecordState

    /// Allows one transition.
    public init(from: RecordState, to: RecordState) {
        self.from = from
        self.to = to
    }
}

/// The declaration of a tree: a record of `_trees`.
public struct TreeDeclaration: Hashable, Sendable {
    /// Kind of its keys; never changes.
    public var keys: KeyKind
    /// Whether records have revisions; never changes.
    public var isVersioned: Bool
    /// Whether a borrow is needed.
    public var borrow: BorrowPolicy
    /// Allowed changes of state; nil allows any.
    public var transitions: [StateTransition]?
    /// Every schema version ever, oldest first; empty for a tree without schema.
    public var schemas: [Descriptor]

    /// Declares a tree.
    public init(
        keys: KeyKind,
        isVersioned: Bool,
        borrow: BorrowPolicy,
        transitions: [StateTransition]? = nil,
        schemas: [Descriptor] = []
    ) {
        self.keys = keys
        self.isVersioned = isVersioned
        self.borrow = borrow
        self.transitions = transitions
        self.schemas = schemas
    }

    /// The version new writes are checked against; nil without schema.
    public var current: Descriptor? { schemas.last }
}

/// What `defineTree` proposes.
///
/// Members left nil keep what stands, or take the key kind's default.
public struct TreeDefinition: Hashable, Sendable {
    /// Kind of its keys.
    public var keys: KeyKind
    /// Whether records have revisions.
    public var isVersioned: Bool
    /// Whether a borrow is needed; nil: `required` for ids, `optional` for names.
    public var borrow: BorrowPolicy?
    /// Allowed changes of state; nil keeps those that stand.
    public var transitions: [StateTransition]?
    /// Whether the table of transitions is taken away, so that any change of state is allowed.
    ///
    /// In JSON `"transitions":null`; counts only while `transitions` is nil.
    public var allowsAnyTransition: Bool
    /// The schema version to add; nil for a tree without schema.
    public var schema: Descriptor?

    /// Proposes a declaration.
    public init(
        keys: KeyKind,
        isVersioned: Bool = false,
        borrow: BorrowPolicy? = nil,
        transitions: [StateTransition]? = nil,
        allowsAnyTransition: Bool = false,
        schema: Descriptor? = nil
    ) {
        self.keys = keys
        self.isVersioned = isVersioned
        self.borrow = borrow
        self.transitions = transitions
        self.allowsAnyTransition = allowsAnyTransition
        self.schema = schema
    }
}
