// The target of a request, taken apart: path segments and query parameters as decoded bytes.
//
// Invariants:
// - the path is split on `/` before it is decoded, so an encoded slash belongs to its segment;
// - every segment is valid UTF-8, not empty, neither `.` nor `..`, and without NUL;
// - `+` is a plus sign: the blank of HTML forms is not part of the API;
// - one value serves many requests; nothing is allocated once its memory has grown to their size.
//
// Source: RFC 3986, section 3; WHATWG URL is not followed.
public import HoldfastBasics

/// The path and the query of a request target.
public struct RequestTarget: ~Copyable {
    private struct Parameter {
        var name: Slice
        var value: Slice
        var hasValue: Bool
    }

    private var decoded = ByteBuffer()
    private var segments: ContiguousArray<Slice> = []
    private var parameters: ContiguousArray<Parameter> = []

    /// Whether the path ends in `/`; true for the root.
    public private(set) var endsInSlash = false

    /// An empty target, to parse into.
    public init() {}

    /// Takes a target apart.
    ///
    /// - Parameter target: Origin form, as `RequestHead.target` gives it.
    /// - Throws: As `parse`.
    public init(_ target: ByteView) throws(HTTPError) { try parse(target) }

    /// Replaces the content by another target's.
    ///
    /// - Parameter target: Origin form, as `RequestHead.target` gives it.
    /// - Throws: `badTarget` when it does not begin with `/`, as the `*` of OPTIONS, which a router
    ///   answers before; `badSegment`, `badEscape`, `notUTF8`.
    public mutating func parse(_ target: ByteView) throws(HTTPError) {
        decoded.removeAll()
        segments.removeAll(keepingCapacity: true)
        parameters.removeAll(keepingCapacity: true)
        guard target.count > 0, target[0] == ASCII.slash else { throw .badTarget }
        let pathEnd = target.firstIndex(of: ASCII.question) ?? target.count
        try parsePath(target[1..<pathEnd])
        if pathEnd < target.count { try parseQuery(target.suffix(from: pathEnd + 1)) }
    }

    // MARK: Path

    /// How many segments the path has; none for the root.
    public var segmentCount: Int { segments.count }

    /// One decoded segment, valid until the next `parse`.
    public func segment(_ index: Int) -> ByteView { decoded.view[segments[index].range] }

    private mutating func parsePath(_ path: ByteView) throws(HTTPError) {
        endsInSlash = path.isEmpty || path[path.count - 1] == ASCII.slash
        // Most paths have nothing to decode.
        let isPlain = path.isPrintableASCII && path.firstIndex(of: ASCII.percent) == nil
        if isPlain { decoded.append(path) }
        var start = 0
        while start < path.count {
            var end = start
            while end < path.count, path[end] != ASCII.slash { end &+= 1 }
            let slice = isPlain ? Slice(start..<end) : try decode(path[start..<end])
            let segment = decoded.view[slice.range]
            if segment.isEmpty || segment.equals(".") || segment.equals("..")
                || !isPlain && segment.firstIndex(of: 0) != nil
            {
                throw .badSegment
            }
            segments.append(slice)
            start = end + 1
        }
    }

    private mutating func decode(_ bytes: ByteView) throws(HTTPError) -> Slice {
        let start = decoded.count
        try PercentEncoding.decode(bytes, to: &decoded)
        let range = start..<decoded.count
        guard UTF8Validator.isValid(decoded.view[range]) else { throw .notUTF8 }
        return Slice(range)
    }

    // MARK: Query

    /// How many parameters the query has.
    public var parameterCount: Int { parameters.count }

    /// One parameter, in the order sent, valid until the next `parse`.
    ///
    /// - Returns: Name and value, decoded; the value is nil when there is no `=`.
    public func parameter(_ index: Int) -> (name: ByteView, value: ByteView?) {
        let (found, view) = (parameters[index], decoded.view)
        return (view[found.name.range], found.hasValue ? view[found.value.range] : nil)
    }

    /// The value of a parameter that may stand once, empty when it has none; nil when it is
    /// missing.
    ///
    /// - Throws: `parameterRepeated`.
    public func single(_ name: StaticString) throws(HTTPError) -> ByteView? {
        var found: ByteView?
        for index in 0..<parameters.count {
            let (candidate, value) = parameter(index)
            guard candidate.equals(name) else { continue }
            if found != nil { throw .parameterRepeated(name: candidate.text) }
            found = value ?? .empty
        }
        return found
    }

    private mutating func parseQuery(_ query: ByteView) throws(HTTPError) {
        var start = 0
        while start < query.count {
            let end = query.firstIndex(of: ASCII.ampersand, from: start) ?? query.count
            let pair = query[start..<end]
            start = end + 1
            if pair.isEmpty { continue }
            let nameEnd = pair.firstIndex(of: ASCII.equals) ?? pair.count
            let name = try decode(pair[0..<nameEnd])
            let hasValue = nameEnd < pair.count
            let value = hasValue ? try decode(pair.suffix(from: nameEnd + 1)) : Slice()
            parameters.append(Parameter(name: name, value: value, hasValue: hasValue))
        }
    }
}
