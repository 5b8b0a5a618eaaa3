// Which bytes of something a client asks for. Source: RFC 9110, section 14.
public import HoldfastBasics

/// What a Range field asks for.
public enum ByteRange: Sendable, Equatable {
    /// All bytes: there is no such field, or none this server serves (several ranges, another unit,
    /// no range at all), which the RFC lets it pass over.
    case whole
    /// These bytes.
    case part(Range<Int>)
    /// None that are there.
    case unsatisfiable

    /// Reads the field.
    ///
    /// - Parameters:
    ///   - head: The request's head.
    ///   - byteCount: How many bytes there are.
    ///   - tag: The entity tag of the bytes, without its quotes: with another one in If-Range all
    ///     bytes are asked for.
    public init(_ head: RequestHead, of byteCount: Int, tag: ByteView) {
        self = .whole
        guard head.method == .get, let value = head.first("range") else { return }
        if let condition = head.first("if-range") {
            guard let named = EntityTag(condition), !named.isWeak,
                named.value.withView({ $0 == tag })
            else { return }
        }
        guard value.count > 6, value[0..<6].equalsIgnoringCase("bytes=") else { return }
        let range = value.suffix(from: 6)
        guard range.firstIndex(of: UInt8(ascii: ",")) == nil,
            let dash = range.firstIndex(of: UInt8(ascii: "-"))
        else { return }
        let (first, last) = (range[0..<dash], range.suffix(from: dash + 1))
        if first.isEmpty {
            guard let count = last.decimal else { return }
            self =
                count == 0 || byteCount == 0
                ? .unsatisfiable : .part(max(0, byteCount - count)..<byteCount)
            return
        }
        guard let start = first.decimal else { return }
        guard !last.isEmpty else {
            self = start < byteCount ? .part(start..<byteCount) : .unsatisfiable
            return
        }
        guard let end = last.decimal, end >= start else { return }
        self = start < byteCount ? .part(start..<min(end + 1, byteCount)) : .unsatisfiable
    }
}
