// The gate of every body: bytes become a normalised document, the document becomes a value, and
// what is wrong on the way becomes a refusal that names the member.
internal import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A body, parameter or text that is not of its shape.
public struct ShapeRefusal: Error, Hashable, Sendable {
    /// The code, a sentence that says what to do, and the member.
    public let refusal: Refusal

    init(_ code: RefusalCode, _ detail: String, field: String? = nil, operation: Int? = nil) {
        var refusal = Refusal(code, detail, field: field)
        refusal.operation = operation
        self.refusal = refusal
    }

    /// Bytes that are not JSON.
    init(_ error: JSONError) {
        self.init(.badJSON, "The body is no JSON this server takes: \(error).")
    }

    /// JSON of another shape than the route's.
    ///
    /// - Parameters:
    ///   - error: What does not fit, and where.
    ///   - later: Members that are part of the API but not of this version.
    init(_ error: FormError, later: [String]) {
        let path = error.path
        let steps = path.split(separator: ".")
        let operation = steps.count > 1 && steps[0] == "operations" ? Int(steps[1]) : nil
        if case .unknownMember = error, let member = steps.last, later.contains(String(member)) {
            self.init(
                .unsupported,
                "'\(member)' is not supported yet: leave it out.",
                field: path,
                operation: operation
            )
        } else {
            // What stands inside a schema is the definition's own, wherever it comes from.
            let isDefinition = steps.dropLast().contains("schema")
            self.init(
                isDefinition ? .badDefinition : .badBody,
                error.detail,
                field: path.isEmpty ? nil : path,
                operation: operation
            )
        }
    }
}

/// Reads bodies.
enum Body {
    /// Checks JSON and drops its white space.
    static func normalized(_ body: ByteView) throws(ShapeRefusal) -> [UInt8] {
        do throws(JSONError) {
            return try JSONNormalizer.normalized(body)
        } catch {
            throw ShapeRefusal(error)
        }
    }

    /// Reads a body that is one value of a form.
    ///
    /// - Parameters:
    ///   - body: As it came.
    ///   - isStrict: Whether members nobody knows are refused.
    ///   - later: Members that are part of the API but not of this version.
    ///   - form: Reads the value; what follows it is refused.
    /// - Returns: What `form` gave.
    /// - Throws: `badJSON`; `badBody` or `unsupported` with the member.
    static func read<T>(
        _ body: ByteView,
        isStrict: Bool = true,
        later: [String] = [],
        _ form: (inout FormReader) throws(FormError) -> T
    ) throws(ShapeRefusal) -> T {
        let outcome: Result<T, FormError> = try normalized(body).withView { document in
            var reader = FormReader(document, isStrict: isStrict)
            do throws(FormError) {
                let value = try form(&reader)
                try reader.expectEnd()
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let value): return value
        case .failure(let error): throw ShapeRefusal(error, later: later)
        }
    }
}

extension FormReader {
    /// Reads a UUID that names something: not the one of all zeros.
    mutating func namedID() throws(FormError) -> UniqueID {
        try word("a UUID") { text in UniqueID(text).flatMap { $0 == .none ? nil : $0 } }
    }
}
