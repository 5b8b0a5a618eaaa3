// Everything about one record type that stands as long as the process: what is declared of its
// tree, and how values become bytes and bytes values.
//
// Invariant: it is pure. It knows no database; two made of one type are the same.
internal import HoldfastBasics
internal import HoldfastEngine
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
    let indexes: [any ValueView<R>]
    /// Counts by value.
    let counts: [any ValueView<R>]
    /// Stored names of the fields text search looks through.
    let texts: [String]
    /// All views of the tree, whoever declared them.
    let views: [any RecordView<R>]
    private let shape: ValueShape
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
        guard R.ID.kind == .name || R.ID("1")?.description == "1" else {
            throw Refusal(
                .badDefinition,
                "\(R.ID.self) does not read the number 1 or writes it otherwise: let it conform "
                    + "to RecordName when its ids are names."
            )
        }
        self.tree = tree
        self.version = version
        keys = R.ID.kind
        uniques = declared.uniques
        indexes = declared.indexes
        counts = declared.counts
        texts = declared.texts
        views =
            declared.indexes.map { $0.view } + declared.counts.map { $0.view }
            + TextView<R>.all(declared.texts) + declared.views
        migrations = try MigrationChain(declared.migrations, to: version, R.self)
        let recording = try Self.record()
        guard case .structure(let seen) = recording.type else {
            throw Refusal(
                .badDefinition,
                "\(R.self) is stored as \(recording.type.word): a record is a struct with fields."
            )
        }
        shape = recording.shape
        let check = SchemaCheck<R>(fields: seen, samples: recording.samples.map(\.json))
        definition = HoldfastRecords.TreeDefinition(
            keys: keys,
            isVersioned: declared.versioned,
            borrow: declared.borrow?.stored,
            schema: Descriptor(version: version, fields: try Self.options(declared, check))
        )
        if case .failure(let refusal) = SchemaEvolution.check(old: nil, definition: definition) {
            throw Refusal(refusal)
        }
        try check.checkSamples()
        for index in uniques { try Self.check(index, check) }
        for index in indexes where !index.isComputed { try Self.check(index, check) }
        for counts in counts where !counts.isComputed { try Self.check(counts, check) }
    }

    private static func record() throws(Refusal) -> Recording<R> {
        if let failure = RecorderSelfTest.failure {
            throw Refusal(
                .badDefinition,
                "This compiler's Codable is not what the schema recorder knows: \(failure)."
            )
        }
        do {
            return try SchemaRecorder().see(R.self, at: [])
        } catch let finding as SchemaFinding {
            let path = finding.path.joined(separator: ".")
            throw Refusal(
                .badDefinition,
                (path.isEmpty ? "\(R.self) " : "\(R.self).\(path) ") + finding.reason + ".",
                field: path.isEmpty ? nil : path
            )
        } catch {
            throw Refusal(.badDefinition, "\(R.self) cannot be tried: \(error)")
        }
    }

    /// The fields with what the definition says of them.
    private static func options(
        _ declared: TreeDefinition<R>,
        _ check: SchemaCheck<R>
    ) throws(Refusal) -> [Field] {
        var fields = check.fields
        for path in declared.openEnums {
            let steps = path.split(separator: ".").map(String.init)
            guard let opened = fields.opening(steps[...]) else {
                throw Refusal(.badDefinition, "\(R.self).\(path) is no enum.", field: path)
            }
            fields = opened
        }
        for view in declared.views where TreeName(view.name) == nil || view.version ?? 0 < 0 {
            throw Refusal(
                .badDefinition,
                "\(R.self) names a view '\(view.name)' of version \(view.version ?? 0): give a name "
                    + "like a tree's, and a version from 0 on."
            )
        }
        for name in declared.texts { try check.checkField(name, of: "text search") }
        for index in declared.indexes { try check.checkField(index.field, of: "index") }
        for counts in declared.counts { try check.checkField(counts.field, of: "counts") }
        for index in declared.uniques { try check.checkField(index.field, of: "unique index") }
        return fields.map { field in
            field.with(
                isUnique: declared.uniques.contains { $0.field.sameBytes(as: field.name) },
                isIndexed: field.type.isIndexable
                    && declared.indexes.contains {
                        !$0.isComputed && $0.field.sameBytes(as: field.name)
                    }
            )
        }
    }

    private static func check<I: AnyUniqueIndex>(
        _ index: I,
        _ check: SchemaCheck<R>
    ) throws(Refusal) where I.R == R {
        try check.checkIndex(
            index.field,
            differs: { index.differs($0, $1) },
            value: { try RecordEncoder().encode(index.value(of: $0)) }
        )
    }

    private static func check<I: ValueView>(
        _ index: I,
        _ check: SchemaCheck<R>
    ) throws(Refusal) where I.R == R {
        try check.checkIndex(
            index.field,
            differs: { index.differs($0, $1) },
            value: { record in try RecordEncoder().encode(index.values(record)[0]) }
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
            if isOwnMajor(schema) {
                let record = try RecordDecoder().decode(R.self, from: value)
                return (record, try shape.hasUnknownMembers(value))
            }
            if schema.major < version.major,
                let record = try migrations.migrate(value, from: schema.major, to: R.self)
            {
                return (record, false)
            }
        } catch {
            let place = DecodingPath(error)
            throw undecodable(key, place.text, place.reason)
        }
        throw undecodable(
            key,
            "",
            schema.major > version.major
                ? "version \(schema) of the schema wrote it, and this application knows "
                    + "\(version): update the application"
                : "version \(schema) of the schema wrote it: declare a migration from "
                    + "\"\(schema.major)\""
        )
    }

    /// Encodes a value.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - base: What it was made of: the stored bytes and the version that wrote them. The fields
    ///     its type does not know are kept, also inside arrays and sets, as are null and absent
    ///     where the value did not change. Nil for a new record.
    /// - Returns: The bytes to store.
    /// - Throws: `refused` with the code `invalid-field` for a value that has no JSON, and for a
    ///   base that does not decode, naming the field.
    func encode(
        _ value: R,
        over base: (document: ByteView, schema: SchemaVersion)?
    ) throws(DatabaseError) -> [UInt8] {
        let new: [UInt8]
        do {
            let encoded = try RecordEncoder().encode(value)
            new = shape.hasSets ? try encoded.withView { try shape.sorted($0) } : encoded
        } catch {
            throw unstorable(error, "The value cannot be stored: ")
        }
        // What an older major wrote has been migrated as a whole.
        guard let base, isOwnMajor(base.schema) else { return new }
        do {
            return try rewrite(base.document, new)
        } catch {
            throw unstorable(error, "What the value is to replace cannot be read: ")
        }
    }

    private func unstorable(_ error: any Error, _ sentence: String) -> DatabaseError {
        let place = DecodingPath(error)
        let field = place.text.isEmpty ? nil : place.text
        return .refused(Refusal(.invalidField, sentence + place.reason + ".", field: field))
    }

    /// Applies what changed to the stored document.
    private func rewrite(_ document: ByteView, _ new: [UInt8]) throws -> [UInt8] {
        let known = try RecordEncoder().encode(RecordDecoder().decode(R.self, from: document))
        guard shape.hasSets else {
            return try known.withView { known in
                try new.withView {
                    try JSONDifference.apply(differenceFrom: known, to: $0, onto: document)
                }
            }
        }
        let sorted = try known.withView { try shape.sorted($0) }
        return try sorted.withView { sorted in
            try new.withView { new in
                try shape.aligned(document, with: sorted, to: new).withView { document in
                    try JSONDifference.apply(differenceFrom: sorted, to: new, onto: document)
                }
            }
        }
    }

    /// Whether a version's values decode as they are; those without version were never checked, and
    /// are tried.
    func isOwnMajor(_ schema: SchemaVersion) -> Bool {
        schema == .none || schema.major == version.major
    }

    private func undecodable(_ key: RecordKey, _ field: String, _ reason: String) -> DatabaseError {
        .undecodable(
            tree: tree.description,
            key: key.description,
            field: field,
            reason: reason
        )
    }
}
