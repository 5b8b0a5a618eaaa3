// Query parameters: what is not known or not supported is refused, never ignored.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords

/// The parameters of a route.
enum Parameters {
    /// Refuses every parameter that is not among `known`.
    static func check(
        _ target: borrowing RequestTarget,
        _ known: [StaticString]
    ) throws(RequestRefusal) {
        for index in 0..<target.parameterCount {
            let name = target.parameter(index).name
            guard !known.contains(where: { name.equals($0) }) else { continue }
            let list = known.map { "\($0)" }.joined(separator: ", ")
            throw RequestRefusal(
                .unsupportedParameter,
                "Parameter \(name.text) is not known here."
                    + (list.isEmpty ? " This route takes none." : " Known: \(list)."),
                field: name.text
            )
        }
    }

    /// The value of a parameter that may stand once.
    static func single(
        _ target: borrowing RequestTarget,
        _ name: StaticString
    ) throws(RequestRefusal) -> ByteView? {
        do throws(HTTPError) {
            return try target.single(name)
        } catch {
            throw RequestRefusal(.badParameter, error.reason, field: "\(name)")
        }
    }

    /// A number between bounds.
    static func number(
        _ target: borrowing RequestTarget,
        _ name: StaticString,
        _ bounds: ClosedRange<UInt64>
    ) throws(RequestRefusal) -> UInt64? {
        guard let text = try single(target, name) else { return nil }
        guard let value = decimalNumber(text), bounds.contains(value) else {
            throw RequestRefusal(
                .badParameter,
                "\(name) is a number from \(bounds.lowerBound) to \(bounds.upperBound).",
                field: "\(name)"
            )
        }
        return value
    }

    /// `true` or `false`; false when it is missing.
    static func flag(
        _ target: borrowing RequestTarget,
        _ name: StaticString
    ) throws(RequestRefusal) -> Bool {
        guard let text = try single(target, name) else { return false }
        if text.equals("true") { return true }
        guard text.equals("false") else {
            throw RequestRefusal(.badParameter, "\(name) is true or false.", field: "\(name)")
        }
        return false
    }

    /// A tree's name in the path.
    static func tree(_ segment: ByteView) throws(RequestRefusal) -> TreeName {
        guard let name = TreeName(any: segment.text) else {
            throw RequestRefusal(
                .unknownTree,
                "There is no tree \(segment.text); names are [a-z][a-z0-9_-]{0,62}."
            )
        }
        return name
    }

    /// A UUID in the path.
    static func id(_ segment: ByteView) throws(RequestRefusal) -> UniqueID {
        guard let id = UniqueID(segment), id != .none else {
            throw RequestRefusal(.badParameter, "\(segment.text) is not a UUID.")
        }
        return id
    }
}
