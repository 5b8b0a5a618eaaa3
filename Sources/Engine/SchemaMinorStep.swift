// What a minor step may do: whatever keeps both older and newer code working, and nothing else.
// `SchemaValidator` rests on it: a value good for an older minor is good for the newest.
internal import HoldfastRecords

/// Compares two versions of one major.
enum SchemaMinorStep {
    /// Adds a sentence for each rule a step breaks.
    ///
    /// - Parameters:
    ///   - old: The current version.
    ///   - new: The proposed one.
    ///   - rules: Gets the sentences.
    static func check(from old: Descriptor, to new: Descriptor, _ rules: inout [String]) {
        var step = Comparison()
        step.fields(old.fields, new.fields, at: "")
        rules += step.rules
    }
}

private struct Comparison {
    var rules: [String] = []

    mutating func fields(_ old: [Field], _ new: [Field], at path: String) {
        var proposed: [[UInt8]: Field] = [:]
        for field in new { proposed[Array(field.name.utf8)] = field }
        var known: Set<[UInt8]> = []
        for field in old {
            let name = Array(field.name.utf8)
            known.insert(name)
            if let other = proposed[name] {
                self.field(field, other, at: path + field.name)
            } else {
                rules.append("Field '\(path + field.name)' may not be removed by a minor version.")
            }
        }
        for field in new where !known.contains(Array(field.name.utf8)) {
            guard !field.isOptional, field.defaultValue == nil else { continue }
            rules.append(
                "New field '\(path + field.name)' must be optional or have a default."
            )
        }
    }

    private mutating func field(_ old: Field, _ new: Field, at path: String) {
        type(old.type, new.type, at: path)
        if old.isOptional != new.isOptional {
            rules.append(
                "Field '\(path)' may not become \(new.isOptional ? "optional" : "required") "
                    + "by a minor version."
            )
        }
        if old.defaultValue != new.defaultValue {
            rules.append("The default of field '\(path)' may not change by a minor version.")
        }
    }

    private mutating func type(_ old: FieldType, _ new: FieldType, at path: String) {
        switch (old, new) {
        case (.array(let a), .array(let b)):
            type(a, b, at: path + "[]")
        case (.dictionary(let a), .dictionary(let b)):
            type(a, b, at: path + "{}")
        case (.structure(let a), .structure(let b)):
            fields(a, b, at: path + ".")
        case (.stringEnum(let a, let wasOpen), .stringEnum(let b, let isOpen)):
            cases(
                added: missing(b, in: a),
                removed: missing(a, in: b),
                wasOpen: wasOpen,
                isOpen: isOpen,
                at: path
            )
        case (.integerEnum(let a, let wasOpen), .integerEnum(let b, let isOpen)):
            let added = Set(b).subtracting(a).sorted().map(String.init)
            let removed = Set(a).subtracting(b).sorted().map(String.init)
            cases(added: added, removed: removed, wasOpen: wasOpen, isOpen: isOpen, at: path)
        case (.payloadEnum(let a, let wasOpen), .payloadEnum(let b, let isOpen)):
            cases(
                added: missing(b.map(\.name), in: a.map(\.name)),
                removed: missing(a.map(\.name), in: b.map(\.name)),
                wasOpen: wasOpen,
                isOpen: isOpen,
                at: path
            )
            var proposed: [[UInt8]: PayloadCase] = [:]
            for one in b { proposed[Array(one.name.utf8)] = one }
            for one in a {
                guard let other = proposed[Array(one.name.utf8)] else { continue }
                fields(one.fields, other.fields, at: path + "." + one.name + ".")
            }
        default:
            guard old != new else { return }
            rules.append(
                "The type of field '\(path)' may not change from \(old.word) to \(new.word) "
                    + "by a minor version."
            )
        }
    }

    private mutating func cases(
        added: [String],
        removed: [String],
        wasOpen: Bool,
        isOpen: Bool,
        at path: String
    ) {
        if wasOpen != isOpen {
            rules.append(
                "The enum of field '\(path)' may not become \(isOpen ? "open" : "closed") "
                    + "by a minor version."
            )
        }
        for one in removed {
            rules.append("Case '\(one)' of field '\(path)' may not be removed by a minor version.")
        }
        guard !wasOpen else { return }
        for one in added {
            rules.append(
                "Case '\(one)' of field '\(path)' may not be added: the enum is not open."
            )
        }
    }

    /// Names that another list lacks, compared as bytes.
    private func missing(_ names: [String], in others: [String]) -> [String] {
        let known = Set(others.map { Array($0.utf8) })
        return names.filter { !known.contains(Array($0.utf8)) }
    }
}
