// Checks written values against a tree's schema.
//
// A change is checked against the version it names, and members (or cases of open enums) that only
// a later minor of the same major declares are accepted and checked by that. Both are one check
// against the newest minor: `SchemaEvolution` lets a minor add nothing but what may be absent, so a
// value is good for an older minor, with that allowance, exactly when it is good for the newest.
public import HoldfastBasics
public import HoldfastRecords

/// The compiled schema of a tree.
///
/// One object, as every write takes it: a value of its parts would be copied part by part.
public final class SchemaValidator: Sendable {
    /// Every version declared, oldest first.
    private let versions: [SchemaVersion]
    /// The last of them; nil without schema.
    let current: SchemaVersion?
    /// Compiled from the current version; nil without schema.
    private let program: SchemaProgram?
    /// Whether a value may name files.
    let mayNameFiles: Bool
    /// The unique fields of the current version.
    public let uniqueFields: UniqueFields

    /// Compiles the current version of a declaration.
    ///
    /// - Parameter declaration: One that `SchemaEvolution` accepted.
    public init(_ declaration: TreeDeclaration) {
        versions = declaration.schemas.map(\.version)
        current = versions.last
        program = declaration.current.map { SchemaProgram($0) }
        mayNameFiles = program?.mayNameFiles ?? true
        uniqueFields = UniqueFields(declaration.current)
    }

    /// Checks a value that is to be written.
    ///
    /// Complexity: one pass over the value; nothing is allocated when it is accepted, unless a text
    /// whose shape matters or a member's name is written with escapes.
    ///
    /// - Parameters:
    ///   - document: Normalised JSON.
    ///   - version: The version the change names; nil means the current one.
    /// - Returns: `unknown-schema`, `schema-too-old`, `unknown-field` or `invalid-field`; nil when
    ///   the value is good. A tree without schema takes any value, written with no version.
    public func validate(
        _ document: ByteView,
        writtenWith version: SchemaVersion?
    ) -> Refusal? {
        if let version, let refusal = refusal(of: version) { return refusal }
        guard let program else { return nil }
        return program.check(document).map { failure in
            let path = failure.path.reversed().joined(separator: ".")
            return Refusal(
                failure.code,
                failure.detail,
                field: path.isEmpty ? nil : path
            )
        }
    }

    /// Whether every value is good: the tree has no schema, and the change names no version.
    func takesAnything(writtenWith version: SchemaVersion?) -> Bool {
        version == nil && current == nil
    }

    /// Whether a change may name a version.
    private func refusal(of version: SchemaVersion) -> Refusal? {
        guard let current else {
            guard version != .none else { return nil }
            return Refusal(
                .unknownSchema,
                "The tree has no schema: leave the version out, or declare one."
            )
        }
        if version == current { return nil }
        guard versions.contains(version) else {
            return Refusal(
                .unknownSchema,
                "Version \(version) was never declared; the current one is \(current)."
            )
        }
        guard version.major == current.major else {
            return Refusal(
                .schemaTooOld,
                "Version \(version) is of an older major than the current \(current): "
                    + "migrate the value and write it with the current version."
            )
        }
        return nil
    }
}

extension SchemaProgram {
    /// Runs over a document; nil when it is good.
    func check(_ document: ByteView) -> SchemaRun.Failure? {
        names.withView { names in
            var run = SchemaRun(self, names: names, document: document)
            return run.accepts() ? nil : run.failure
        }
    }
}
