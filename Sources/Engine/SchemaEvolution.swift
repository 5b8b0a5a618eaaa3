// The rules by which a tree's declaration may change. One place decides, whoever asks.
internal import HoldfastBasics
public import HoldfastRecords

/// Decides over `defineTree`.
public enum SchemaEvolution {
    /// What a tree's declaration becomes.
    ///
    /// The kind of keys and being versioned never change; borrow policy and transitions may, with
    /// or without a new schema version. A version that stands may be named again only as it stands.
    /// A new one is above all others. Within a major (a minor step) it may add fields that are
    /// optional or have a default, add cases to open enums, and change `unique` and `indexed`; a
    /// new major may change anything. A tree without schema may get one, and never lose it.
    ///
    /// A newly `unique` field is checked against the records by the caller, who has them.
    ///
    /// - Parameters:
    ///   - old: What stands; nil for a new tree.
    ///   - definition: What is proposed.
    /// - Returns: The declaration to store, equal to `old` when nothing changes; or
    ///   `bad-definition` with the path of the member at fault, `incompatible` with all rules
    ///   broken, `too-large` when the tree has all the versions it may have.
    public static func check(
        old: TreeDeclaration?,
        definition: TreeDefinition
    ) -> Result<TreeDeclaration, Refusal> {
        if let refusal = SchemaDefinition.refusal(of: definition) { return .failure(refusal) }
        guard let old else {
            return .success(
                TreeDeclaration(
                    keys: definition.keys,
                    isVersioned: definition.isVersioned,
                    borrow: definition.borrow
                        ?? (definition.keys == .id ? .required : .optional),
                    transitions: definition.transitions,
                    schemas: definition.schema.map { [$0] } ?? []
                )
            )
        }
        var rules: [String] = []
        if definition.keys != old.keys {
            rules.append("The kind of a tree's keys never changes: it is '\(old.keys.rawValue)'.")
        }
        if definition.isVersioned != old.isVersioned {
            rules.append(
                "Whether a tree is versioned never changes: it is \(old.isVersioned ? "" : "not ")"
                    + "versioned."
            )
        }
        var result = old
        result.borrow = definition.borrow ?? old.borrow
        if definition.transitions != nil || definition.allowsAnyTransition {
            result.transitions = definition.transitions
        }
        if let schema = definition.schema, isNew(schema, in: old, &rules) {
            guard old.schemas.count < Limits.schemaVersionCountMax else {
                return .failure(
                    Refusal(
                        .tooLarge,
                        "A tree keeps at most \(Limits.schemaVersionCountMax) schema versions: "
                            + "begin a new tree."
                    )
                )
            }
            result.schemas.append(schema)
        }
        guard rules.isEmpty else { return .failure(refusal(rules, old: old)) }
        return .success(result)
    }

    private static func refusal(_ rules: [String], old: TreeDeclaration) -> Refusal {
        var detail = "The definition breaks a rule of evolution: " + rules[0]
        if rules.count > 1 { detail += " (\(rules.count) rules are broken in all.)" }
        if let current = old.current {
            detail += " The current version is \(current.version); "
            detail += "what no minor may change needs version \(current.version.major + 1).0."
        }
        return Refusal(.incompatible, detail, rules: rules)
    }

    /// Whether a schema is to be added; what forbids it goes into `rules`.
    private static func isNew(
        _ schema: Descriptor,
        in old: TreeDeclaration,
        _ rules: inout [String]
    ) -> Bool {
        guard let current = old.current else { return true }
        if let standing = old.schemas.first(where: { $0.version == schema.version }) {
            // As bytes: String's == would call differently composed letters equal.
            if standing.json != schema.json {
                rules.append(
                    "Version \(schema.version) is declared already and may not change."
                )
            }
            return false
        }
        guard schema.version > current.version else {
            rules.append(
                "A new version is above all others: \(schema.version) is below \(current.version)."
            )
            return false
        }
        if schema.version.major == current.version.major {
            SchemaMinorStep.check(from: current, to: schema, &rules)
        }
        return true
    }
}
