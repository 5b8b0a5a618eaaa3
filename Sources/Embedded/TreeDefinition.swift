// What a record type says of its tree.
internal import HoldfastRecords

/// Name, version and options of a tree, filled in by ``Record/define(_:)``.
///
/// A mistake in it (a name that is none, a field that does not exist, an index whose path is
/// another field) is an error when the database opens.
public struct TreeDefinition<R: Record> {
    /// The tree's name: `[a-z][a-z0-9_-]{0,62}`.
    public var name = ""
    /// The schema version, `major.minor`.
    ///
    /// A minor step adds optional fields, or cases to enums declared ``open(_:)``; everything else
    /// is a major step and needs a migration.
    public var version = "1.0"
    /// Whether records have revisions and states.
    public var versioned = false
    /// Whether a record must be borrowed to be changed; nil: `required` in a tree of numbers,
    /// `optional` in a tree of names.
    public var borrow: BorrowPolicy?

    /// Unique indexes, as declared.
    private(set) var uniques: [any AnyUniqueIndex<R>] = []
    /// Ordered indexes, as declared.
    private(set) var indexes: [any ValueView<R>] = []
    /// Counts, as declared.
    private(set) var counts: [any ValueView<R>] = []
    /// Views of the application's own, as declared.
    private(set) var views: [any RecordView<R>] = []
    /// Fields of the text search.
    private(set) var texts: [String] = []
    /// Paths of enums that may grow.
    private(set) var openEnums: [String] = []
    /// Steps from older majors.
    private(set) var migrations: [Migration] = []

    init() {}

    /// What a record type says.
    static var defined: TreeDefinition {
        var definition = TreeDefinition()
        R.define(&definition)
        return definition
    }

    /// Declares a field of which no two ids carry the same value.
    public mutating func unique<V>(_ index: UniqueIndex<R, V>) { uniques.append(index) }

    /// Declares an ordered index.
    public mutating func index<V>(_ index: MultiIndex<R, V>) { indexes.append(index) }

    /// Declares counts of records by a value.
    public mutating func count<V>(_ counts: Counts<R, V>) { self.counts.append(counts) }

    /// Declares a view of the application's own.
    public mutating func view<V: DerivedView>(_ view: V) where V.R == R {
        views.append(DerivedRecordView(view: view))
    }

    /// Declares the fields that text search looks through.
    public mutating func text(_ fields: String...) { texts += fields }

    /// Declares that an enum may get more cases in a minor version.
    ///
    /// Older code meets cases it does not know. A plain enum refuses them, and the record with
    /// them; a type that should read on holds the unknown case itself and is ``SchemaDescribed``.
    ///
    /// - Parameter enumField: The field's stored name; inside structs, arrays and dictionaries a
    ///   path like `pins.kind`.
    public mutating func open(_ enumField: String) { openEnums.append(enumField) }

    /// Declares how values of an older major version become values of this one.
    ///
    /// Old records are migrated when they are read; released ones are never rewritten.
    ///
    /// ```swift
    /// tree.version = "1.0"
    /// tree.migrate(from: "0", PartV0.self) { Part(number: $0.number, title: $0.name) }
    /// ```
    ///
    /// - Parameters:
    ///   - from: The older major version.
    ///   - old: A type that decodes its values.
    ///   - step: Makes the new value; pure.
    public mutating func migrate<Old: Decodable & SendableMetatype>(
        from: String,
        _ old: Old.Type,
        _ step: @escaping @Sendable (Old) throws -> R
    ) {
        migrations.append(Migration(from: from, step))
    }

    /// Declares how values of an older major version become those of the next one declared.
    ///
    /// ```swift
    /// tree.migrate(from: "0", PartV0.self, to: PartV1.self) { PartV1(number: $0.name) }
    /// tree.migrate(from: "1", PartV1.self) { Part(number: $0.number, title: "") }
    /// ```
    ///
    /// - Parameters:
    ///   - from: The older major version.
    ///   - old: A type that decodes its values.
    ///   - next: The type from which the next declared step goes on.
    ///   - step: Makes the next value; pure.
    public mutating func migrate<Old: Decodable & SendableMetatype, Next: Decodable>(
        from: String,
        _ old: Old.Type,
        to next: Next.Type,
        _ step: @escaping @Sendable (Old) throws -> Next
    ) {
        migrations.append(Migration(from: from, step))
    }
}
