// Everything about one record type that stands as long as the process: what is declared of its
// tree, and how values become bytes and bytes values.
//
// Invariant: it is pure. It knows no database; two made of one type are the same.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// The typed side of a tree.
struct RecordSchema<R: Record>: Sendable {
    /// The tree.
    let tree: TreeName
    /// The kind of its keys.
    let keys: KeyKind
    /// What `defineTree` proposes.
    let definition: HoldfastRecords.TreeDefinition
    /// The schema version values are written in.
    let version: SchemaVersion
    /// Unique indexes.
    let uniques: [any AnyUniqueIndex<R>]
    /// Ordered indexes.
    let indexes: [any AnyMultiIndex<R>]
    /// Stored names of the fields text search looks through.
    let texts: [String]
    private let migrations: MigrationChain

    /// Learns a record type.
    ///
    /// - Throws: `refused` with the code `bad-definition`, naming the field.
    init(_ type: R.Type = R.self) throws(DatabaseError) {
        do throws(Refusal) {
            try self.init(TreeDefinition<R>.defined)
        } catch {
            throw .refused(error)
        }
    }

    private init(_ declared: TreeDefinition<R>) throws(Refusal) {
        guard let tree = TreeName(declared.name) else {
            throw Refusal(
                .badDefinition,
                "\(R.self) names its tree '\(declared.name)': give a name of lower-case letters, "
                    + "digits, _ and -, beginning with a letter."
            )
        }
        guard let version = SchemaVersion(declared.version) else {
            throw Refusal(.badDefinition, "'\(declared.version)' is no version like \"1.0\".")
        }
        self.tree = tree
        self.version = version
        keys = R.ID.kind
        uniques = declared.uniques
        indexes = declared.indexes
        texts = declared.texts
        migrations = try MigrationChain(declared.migrations, to: version, R.self)
        definition = HoldfastRecords.TreeDefinition(
            keys: keys,
            isVersioned: declared.versioned,
            borrow: declared.borrow?.stored
        )
    }

    // MARK: Values

    /// Decodes a stored value.
    ///
    /// - Parameters:
    ///   - value: The stored bytes.
    ///   - schema: The version that wrote them.
    ///   - key: Whose value it is, for the error.
    /// - Returns: The value, migrated when an older major wrote it, and whether the bytes hold
    ///   fields its type does not know.
    /// - Throws: `undecodable`, naming the field.
    func decode(
        _ value: ByteView,
        schema: SchemaVersion,
        key: RecordKey
    ) throws(DatabaseError) -> (value: R, hasUnknownFields: Bool) {
        do {
            return (try RecordDecoder().decode(R.self, from: value), false)
        } catch {
            throw undecodable(key, error)
        }
    }

    /// Encodes a value.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - base: What it was made of: the stored bytes and the version that wrote them. The fields
    ///     its type does not know are kept. Nil for a new record.
    /// - Returns: The bytes to store.
    /// - Throws: `refused` with the code `invalid-field` for a value that has no JSON, naming the
    ///   field; `undecodable` when the base is.
    func encode(
        _ value: R,
        over base: (document: ByteView, schema: SchemaVersion)?
    ) throws(DatabaseError) -> [UInt8] {
        do {
            return try RecordEncoder().encode(value)
        } catch {
            throw .refused(Refusal(.invalidField, "\(error)"))
        }
    }

    private func undecodable(_ key: RecordKey, _ error: any Error) -> DatabaseError {
        .undecodable(
            tree: tree.description,
            key: key.description,
            field: "",
            reason: "\(error)"
        )
    }
}
