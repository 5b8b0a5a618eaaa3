// The bodies of routes that take one thing.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Reads the bodies of routes.
///
/// All throw `badJSON` for bytes that are not JSON, `badBody` with the member for JSON of another
/// shape, `unsupported` for members of a later version.
public enum RequestBody {
    /// A record's value, or a merge patch, as it is stored.
    ///
    /// - Parameter body: As it came.
    /// - Returns: Normalised JSON.
    /// - Throws: `badJSON`.
    public static func value(_ body: ByteView) throws(ShapeRefusal) -> [UInt8] {
        try Body.normalized(body)
    }

    /// The body of `PUT /v1/trees/{tree}`.
    ///
    /// Shape: `{"keys","versioned"?,"borrow"?,"transitions"?,"schema"?}`.
    ///
    /// - Parameter body: As it came.
    /// - Returns: The definition; whether it makes sense is the engine's to say.
    /// - Throws: `badJSON`, `badBody`.
    public static func treeDefinition(_ body: ByteView) throws(ShapeRefusal) -> TreeDefinition {
        try Body.read(body) { reader throws(FormError) in try reader.treeDefinition() }
    }

    /// The body of `/release`.
    ///
    /// Shape: nothing, or `{"released"?}`.
    ///
    /// - Parameter body: As it came; may be empty.
    /// - Returns: The number of the released state, 0 when none is named.
    /// - Throws: `badJSON`, `badBody`.
    public static func release(_ body: ByteView) throws(ShapeRefusal) -> UInt32 {
        guard !body.isEmpty else { return 0 }
        return try Body.read(body) { reader throws(FormError) in
            try OperationMembers(.released, from: &reader).released ?? 0
        }
    }

    /// The body of `/revise`.
    ///
    /// Shape: nothing, or `{"hold"?}`.
    ///
    /// - Parameter body: As it came; may be empty.
    /// - Returns: Id of the borrow the caller is left with; nil for none.
    /// - Throws: `badJSON`, `badBody`.
    public static func revise(_ body: ByteView) throws(ShapeRefusal) -> UniqueID? {
        guard !body.isEmpty else { return nil }
        return try Body.read(body) { reader throws(FormError) in
            try OperationMembers(.hold, from: &reader).hold
        }
    }

    /// The body of `/state`.
    ///
    /// Shape: `"plain"`, `{"draft":n}` or `{"released":n}`.
    ///
    /// - Parameter body: As it came.
    /// - Returns: The state; whether it may follow is the engine's to say.
    /// - Throws: `badJSON`, `badBody`.
    public static func state(_ body: ByteView) throws(ShapeRefusal) -> RecordState {
        try Body.read(body) { reader throws(FormError) in try reader.state() }
    }

    /// The body of `POST /v1/ranges`.
    ///
    /// Shape: `{"tree","count"}`.
    ///
    /// - Parameter body: As it came.
    /// - Returns: How many ids of which tree.
    /// - Throws: `badJSON`, `badBody`.
    public static func range(
        _ body: ByteView
    ) throws(ShapeRefusal) -> (tree: TreeName, count: UInt64) {
        try Body.read(body) { reader throws(FormError) in
            let members = try OperationMembers([.tree, .count], from: &reader)
            let tree = try reader.required(members.tree, "tree", at: members.start)
            return (tree, try reader.required(members.count, "count", at: members.start))
        }
    }

    /// The body of `/recall`.
    ///
    /// Shape: nothing, or `{"note"?}`.
    ///
    /// - Parameters:
    ///   - body: As it came; may be empty.
    ///   - id: Which borrow.
    /// - Returns: The operation that is proposed.
    /// - Throws: `badJSON`, `badBody`.
    public static func recall(
        _ body: ByteView,
        of id: UniqueID
    ) throws(ShapeRefusal) -> Operation {
        guard !body.isEmpty else { return .recall(id, note: "") }
        return try Body.read(body) { reader throws(FormError) in
            .recall(id, note: try OperationMembers(.note, from: &reader).note ?? "")
        }
    }

    /// The body of `/seize`.
    ///
    /// Shape: nothing, or `{"why"?}`.
    ///
    /// - Parameter body: As it came; may be empty.
    /// - Returns: The reason; nil when the body gives none.
    /// - Throws: `badJSON`, `badBody`.
    public static func seizure(_ body: ByteView) throws(ShapeRefusal) -> String? {
        guard !body.isEmpty else { return nil }
        return try Body.read(body) { reader throws(FormError) in
            try OperationMembers(.why, from: &reader).why
        }
    }

    /// The body of `/setHolder`.
    ///
    /// Shape: `{"user","device"}`.
    ///
    /// - Parameters:
    ///   - body: As it came.
    ///   - id: Which borrow.
    /// - Returns: The operation that is proposed.
    /// - Throws: `badJSON`, `badBody`.
    public static func setHolder(
        _ body: ByteView,
        of id: UniqueID
    ) throws(ShapeRefusal) -> Operation {
        let holder = try Body.read(body) { reader throws(FormError) in try reader.holder() }
        return .setHolder(id, user: holder.user, device: holder.device)
    }

    /// Expects a body that says nothing: empty, or an object without members.
    ///
    /// - Parameter body: As it came.
    /// - Throws: `badJSON`, `badBody`.
    public static func nothing(_ body: ByteView) throws(ShapeRefusal) {
        guard !body.isEmpty else { return }
        _ = try Body.read(body) { reader throws(FormError) in
            try OperationMembers([], from: &reader)
        }
    }
}

/// The body of `PUT /v1/borrows/{id}`.
///
/// Shape: `{"tree","key","kind"?,"termSeconds"?,"note"?,"dueAt"?,"queue"?}`.
public struct BorrowRequest: Hashable, Sendable {
    /// Tree of the record.
    public let tree: TreeName
    /// Which record.
    public let key: KeyChoice
    /// How long it lasts.
    public let kind: BorrowKind
    /// How long a leased one lasts when it is not renewed; nil for the usual term.
    public let termSeconds: Int64?
    /// Seen by others.
    public let note: String
    /// When it should be back, in milliseconds since 1970.
    public let dueAt: Int64?
    /// Whether to wait in line when another holds it.
    public let queue: Bool

    /// Reads the request.
    ///
    /// - Parameter body: As it came.
    /// - Throws: `badJSON`; `badBody` with the member.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.read(body) { reader throws(FormError) in
            let members = try OperationMembers([.tree, .key, .taking, .note], from: &reader)
            return Self(
                tree: try reader.required(members.tree, "tree", at: members.start),
                key: try reader.required(members.key, "key", at: members.start),
                members
            )
        }
    }

    private init(tree: TreeName, key: KeyChoice, _ members: OperationMembers) {
        self.tree = tree
        self.key = key
        kind = members.kind ?? .held
        termSeconds = members.termSeconds
        note = members.note ?? ""
        dueAt = members.dueAt
        queue = members.queue ?? false
    }

    /// The operation that is proposed.
    ///
    /// - Parameters:
    ///   - id: The id the taker chose.
    ///   - isVersioned: Whether the tree's records have revisions.
    /// - Returns: The operation.
    /// - Throws: `revisionRequired`.
    public func operation(
        id: UniqueID,
        isVersioned: Bool
    ) throws(ShapeRefusal) -> BorrowOperation {
        guard key.revision != nil || !isVersioned else { throw .revisionRequired("key.revision") }
        return BorrowOperation(
            tree: tree,
            key: try key.key(isVersioned: isVersioned),
            borrow: id,
            kind: kind,
            termSeconds: termSeconds,
            note: note,
            dueAt: dueAt,
            queue: queue
        )
    }
}
