// One condition on one field: `stock:lt:10`.
//
// Invariants:
// - `ne` holds exactly where `eq` does not, also of a record without the value; every other
//   operator holds of values alone;
// - an absent value is the field's default, when it has one; null is absent;
// - what an older major version left there in another type equals nothing and has no order.
internal import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A condition on a field of a record's value.
public struct FieldCondition: Hashable, Sendable {
    /// How a value is compared.
    public enum Operator: String, CaseIterable, Sendable {
        /// Equal.
        case equal = "eq"
        /// Not equal, or absent.
        case notEqual = "ne"
        /// Less.
        case less = "lt"
        /// Less or equal.
        case atMost = "le"
        /// Greater.
        case greater = "gt"
        /// Greater or equal.
        case atLeast = "ge"
        /// Equal to one of several, separated by commas; `\,` is a comma of a value's own.
        case among = "in"
        /// A text that begins so.
        case prefix = "prefix"
        /// A text with this in it, or an array with this value among its elements.
        case contains = "contains"
    }

    /// Which field.
    public let path: FieldPath
    /// How its value is compared.
    public let comparison: Operator
    /// The type of what is compared: the field's, or of an array's elements.
    private let type: FieldType
    /// The forms it is compared with: one, or those of `in`.
    let forms: [[UInt8]]
    /// The same as an index of unique values has them; nil where none answers.
    let lookups: [[UInt8]]?
    /// The form of an absent value.
    private let defaultForm: [UInt8]?

    /// Reads a condition.
    ///
    /// - Parameters:
    ///   - text: Field, operator and value, joined by colons. Texts are written as they are,
    ///     without quotes; numbers and truth values as in JSON.
    ///   - descriptor: The tree's current version; nil for a tree without schema.
    /// - Throws: When there is no such field or operator, the type does not have the operator, or
    ///   the value is not of the type.
    public init(_ text: String, in descriptor: Descriptor?) throws(QueryError) {
        let (path, comparison, value) = try Self.split(text, descriptor)
        guard let type = Self.type(comparison, on: path.type) else {
            throw QueryError(
                "\(path.type.word) has no operator \(comparison.rawValue); it has "
                    + Self.operators(of: path.type) + "."
            )
        }
        let values = comparison == .among ? Self.list(value) : [value]
        var tokens: [[UInt8]] = []
        for value in values { tokens.append(try Self.token(value, type)) }
        self.path = path
        self.comparison = comparison
        self.type = type
        forms = tokens.compactMap { $0.withView { ValueForm.form($0, of: type) } }
        lookups = Self.lookups(tokens, path, comparison)
        defaultForm = path.defaultValue.flatMap { $0.withView { ValueForm.form($0, of: type) } }
    }

    // MARK: Judging

    /// Whether it holds of a value.
    ///
    /// - Parameters:
    ///   - document: Normalised JSON.
    ///   - scratch: Memory of the caller's, cleared here.
    /// - Returns: Whether it holds.
    func holds(of document: ByteView, _ scratch: inout ByteBuffer) -> Bool {
        let value = path.value(in: document)
        guard comparison != .contains || value == nil || path.type == type else {
            return value.map { hasElement($0, &scratch) } ?? false
        }
        scratch.removeAll()
        if let value {
            guard ValueForm.append(value, of: type, to: &scratch) else {
                return comparison == .notEqual
            }
        } else if let defaultForm {
            scratch.append(defaultForm)
        } else {
            return comparison == .notEqual
        }
        return holds(of: scratch.view)
    }

    private func holds(of form: ByteView) -> Bool {
        forms.contains { wanted in
            wanted.withView { wanted in
                switch comparison {
                case .equal, .among: form == wanted
                case .notEqual: form != wanted
                case .less: form.compare(wanted) < 0
                case .atMost: form.compare(wanted) <= 0
                case .greater: form.compare(wanted) > 0
                case .atLeast: form.compare(wanted) >= 0
                case .prefix: form.count >= wanted.count && form[0..<wanted.count] == wanted
                case .contains: Self.contains(form, wanted)
                }
            }
        }
    }

    private static func contains(_ text: ByteView, _ part: ByteView) -> Bool {
        guard let first = part.isEmpty ? nil : part[0] else { return true }
        var from = 0
        while let found = text.firstIndex(of: first, from: from), found + part.count <= text.count {
            if text[found..<found + part.count] == part { return true }
            from = found + 1
        }
        return false
    }

    /// Whether an array has an element equal to the value.
    private func hasElement(_ array: ByteView, _ scratch: inout ByteBuffer) -> Bool {
        do throws(JSONError) {
            var scanner = JSONScanner(array)
            guard try scanner.peekKind() == .array else { return false }
            try scanner.enterArray()
            while try scanner.nextElement() {
                let element = try scanner.skipValue()
                scratch.removeAll()
                if ValueForm.append(element, of: type, to: &scratch),
                    forms[0].withView({ $0 == scratch.view })
                {
                    return true
                }
            }
        } catch {
            // No normalised document has such bytes.
        }
        return false
    }

    // MARK: Reading

    /// Takes a condition apart; names of fields may hold colons too.
    private static func split(
        _ text: String,
        _ descriptor: Descriptor?
    ) throws(QueryError) -> (FieldPath, Operator, String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3 else {
            throw QueryError("A condition is field:operator:value, as stock:lt:10.")
        }
        var problem: QueryError?
        for count in 1...parts.count - 2 {
            let name = parts[..<count].joined(separator: ":")
            do throws(QueryError) {
                let path = try FieldPath(name, in: descriptor)
                guard let comparison = Operator(rawValue: String(parts[count])) else {
                    let known = Operator.allCases.map(\.rawValue).joined(separator: " ")
                    throw QueryError("There is no operator '\(parts[count])'; there are \(known).")
                }
                return (path, comparison, parts[(count + 1)...].joined(separator: ":"))
            } catch {
                problem = problem ?? error
            }
        }
        throw problem ?? QueryError("A condition is field:operator:value, as stock:lt:10.")
    }

    /// The type of the value an operator takes; nil when the field's type does not have it.
    private static func type(_ comparison: Operator, on type: FieldType) -> FieldType? {
        switch (comparison, type) {
        case (.prefix, .string), (.prefix, .url), (.contains, .string), (.contains, .url):
            return type
        case (.prefix, _): return nil
        case (.contains, .array(let element)): return element.isScalar ? element : nil
        case (.contains, _): return nil
        case (.equal, _), (.notEqual, _), (.among, _): return type.isScalar ? type : nil
        default:
            switch type {
            case .bool, .data, .key, .stringEnum: return nil
            default: return type.isScalar ? type : nil
            }
        }
    }

    /// The operators of a type in words.
    private static func operators(of type: FieldType) -> String {
        let words = Operator.allCases.filter { self.type($0, on: type) != nil }.map(\.rawValue)
        return words.isEmpty ? "none" : words.joined(separator: " ")
    }

    /// A value as normalised JSON of a type.
    private static func token(_ text: String, _ type: FieldType) throws(QueryError) -> [UInt8] {
        var token: [UInt8]?
        switch type {
        case .bool, .int, .uint, .float, .double, .integerEnum:
            token = Array(text.utf8).withView(normalized)
        default:
            var buffer = ByteBuffer()
            buffer.appendJSONString(text)
            token = buffer.array
        }
        guard let token, token.withView({ SchemaProgram(type).check($0) }) == nil else {
            throw QueryError("'\(text)' is no value of this field, whose type is \(type.word).")
        }
        return token
    }

    private static func normalized(_ text: ByteView) -> [UInt8]? {
        do throws(JSONError) {
            return try JSONNormalizer.normalized(text)
        } catch {
            return nil
        }
    }

    /// Takes the values of `in` apart.
    private static func list(_ text: String) -> [String] {
        var values: [[UInt8]] = [[]]
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                // A backslash before anything else is one.
                if byte != UInt8(ascii: ","), byte != UInt8(ascii: "\\") {
                    values[values.count - 1].append(UInt8(ascii: "\\"))
                }
                values[values.count - 1].append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: ",") {
                values.append([])
            } else {
                values[values.count - 1].append(byte)
            }
        }
        if isEscaped { values[values.count - 1].append(UInt8(ascii: "\\")) }
        return values.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The values as an index has them, for types whose equal values have equal texts.
    private static func lookups(
        _ tokens: [[UInt8]],
        _ path: FieldPath,
        _ comparison: Operator
    ) -> [[UInt8]]? {
        guard path.isLookedUp, comparison == .equal || comparison == .among else { return nil }
        switch path.type {
        case .float, .date, .uuid, .decimal: return nil
        default: break
        }
        return tokens.compactMap { $0.withView(lookup) }
    }

    private static func lookup(_ token: ByteView) -> [UInt8]? {
        var found: [UInt8]?
        do throws(JSONError) {
            try UniqueFields.lend(token) { found = $0.array }
        } catch {
            // It was checked when it was read.
        }
        return found
    }
}
