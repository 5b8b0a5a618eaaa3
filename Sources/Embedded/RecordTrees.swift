// The record types of a database, learned before anything is opened.
internal import HoldfastRecords
internal import HoldfastStore

/// The record types an application opens a database with.
///
/// For this package's own modules: an application hands its types to `open` or `connect`.
public struct RecordTrees: Sendable {
    private let schemas: [any AnySchema]

    /// Learns record types.
    ///
    /// - Parameter types: One per tree.
    /// - Throws: `refused` with the code `bad-definition`, naming the type or field.
    public init(_ types: [any Record.Type]) throws(DatabaseError) {
        var schemas: [any AnySchema] = []
        for type in types {
            let schema = try Self.learn(type)
            if let other = schemas.first(where: { $0.tree == schema.tree }) {
                throw .refused(
                    Refusal(
                        .badDefinition,
                        "\(type) and \(other.typeName) both name their tree '\(schema.tree)'."
                    )
                )
            }
            schemas.append(schema)
        }
        self.schemas = schemas
    }

    private static func learn<R: Record>(_ type: R.Type) throws(DatabaseError) -> any AnySchema {
        let schema = try RecordSchema(type)
        var names: Set<String> = []
        for view in schema.views where !names.insert(view.signature).inserted {
            throw .refused(
                Refusal(
                    .badDefinition,
                    "\(type) declares \(view.words) twice with values of one type.",
                    field: view.name
                )
            )
        }
        return schema
    }

    /// What is to be declared of the trees.
    public var proposals: [TreeProposal] {
        schemas.map { TreeProposal(tree: $0.tree, definition: $0.definition) }
    }

    /// Caches for the trees, in the order of the types.
    func caches(
        _ store: Store,
        byteCountMax: Int
    ) -> [(type: ObjectIdentifier, cache: any AnyTreeCache)] {
        schemas.map { ($0.type, $0.cache(store, byteCountMax: byteCountMax)) }
    }
}

/// A record type's schema, whatever the type.
protocol AnySchema: Sendable {
    var tree: TreeName { get }
    var definition: HoldfastRecords.TreeDefinition { get }
    var type: ObjectIdentifier { get }
    var typeName: String { get }
    func cache(_ store: Store, byteCountMax: Int) -> any AnyTreeCache
}

extension RecordSchema: AnySchema {
    var type: ObjectIdentifier { ObjectIdentifier(R.self) }
    var typeName: String { "\(R.self)" }

    func cache(_ store: Store, byteCountMax: Int) -> any AnyTreeCache {
        TreeCache(self, store: store, byteCountMax: byteCountMax)
    }
}
