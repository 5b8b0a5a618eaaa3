// Steps from older major versions, and their chain.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// One step from a major version to the next one declared, or to the record's type.
struct Migration: Sendable {
    /// The major version as declared.
    let from: String
    /// The type it reads.
    let old: ObjectIdentifier
    /// The type it makes.
    let next: ObjectIdentifier
    /// Decodes a stored value as the type it reads.
    let decode: @Sendable (ByteView) throws -> Any
    /// Makes the next value of what `decode` or the step before gave.
    let apply: @Sendable (Any) throws -> Any

    /// Keeps a step without its types.
    init<Old: Decodable & SendableMetatype, Next>(
        from: String,
        _ step: @escaping @Sendable (Old) throws -> Next
    ) {
        self.from = from
        old = ObjectIdentifier(Old.self)
        next = ObjectIdentifier(Next.self)
        decode = { try RecordDecoder().decode(Old.self, from: $0) }
        apply = { value in
            guard let value = value as? Old else {
                throw DecodingError.typeMismatch(
                    Old.self,
                    DecodingError.Context(codingPath: [], debugDescription: "not a \(Old.self)")
                )
            }
            return try step(value)
        }
    }
}

/// The steps of a tree, oldest first, each fitting the one before.
struct MigrationChain: Sendable {
    /// Major version and step.
    private let steps: [(major: UInt16, step: Migration)]

    /// Orders and checks the steps.
    ///
    /// - Parameters:
    ///   - migrations: As declared.
    ///   - version: The version they lead to.
    ///   - type: The record's type.
    /// - Throws: `bad-definition` when they do not fit one another.
    init(_ migrations: [Migration], to version: SchemaVersion, _ type: Any.Type) throws(Refusal) {
        var steps: [(major: UInt16, step: Migration)] = []
        for migration in migrations {
            guard let from = SchemaVersion(migration.from), from.major < version.major else {
                throw Refusal(
                    .badDefinition,
                    "A migration comes from a major version below \(version.major), "
                        + "not from '\(migration.from)'."
                )
            }
            guard !steps.contains(where: { $0.major == from.major }) else {
                throw Refusal(.badDefinition, "Two migrations come from version \(from.major).")
            }
            steps.append((from.major, migration))
        }
        steps.sort { $0.major < $1.major }
        for (index, one) in steps.enumerated() {
            let target = index + 1 < steps.count ? steps[index + 1].step.old : nil
            let record = ObjectIdentifier(type)
            guard one.step.next == record || one.step.next == target else {
                throw Refusal(
                    .badDefinition,
                    "The migration from version \(one.major) gives neither a \(type) nor what "
                        + "the next migration reads."
                )
            }
        }
        self.steps = steps
    }

    /// Migrates a stored value.
    ///
    /// - Parameters:
    ///   - document: The value.
    ///   - major: The major version that wrote it.
    ///   - type: The record's type.
    /// - Returns: The value today; nil when no step comes from that version.
    /// - Throws: What decoding or a step throws.
    func migrate<R>(_ document: ByteView, from major: UInt16, to type: R.Type) throws -> R? {
        guard var index = steps.firstIndex(where: { $0.major == major }) else { return nil }
        var value = try steps[index].step.decode(document)
        while index < steps.count {
            value = try steps[index].step.apply(value)
            if let record = value as? R { return record }
            index += 1
        }
        return nil
    }
}
