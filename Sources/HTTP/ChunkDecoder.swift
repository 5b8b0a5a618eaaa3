// The chunks of a body, one line or run of data at a time.
//
// Shape: `size [extensions] CRLF data CRLF ... 0 CRLF trailers CRLF`. Sizes are 1 to 15 hexadecimal
// digits, nothing before them; extensions are checked and dropped, and so are trailers.
// Source: RFC 9112, section 7.1.
internal import HoldfastBasics

/// Takes chunks apart; holds no bytes.
struct ChunkDecoder {
    enum Step {
        case needsMore
        case data(ByteView)
        case end
    }

    private enum Phase {
        case size, data, dataEnd, trailers, ended
    }

    /// Longest line with a size and its extensions.
    private static let lineByteCountMax = 256
    /// Longest trailer section.
    static let trailerByteCountMax = 4096

    private let byteCountMax: Int
    private var phase = Phase.size
    /// Data of the current chunk that has not come yet.
    private var missing = 0
    private var total = 0
    private var trailerByteCount = 0

    /// - Parameter byteCountMax: Most data of the body; a chunk that goes beyond is refused at
    ///   once.
    init(byteCountMax: Int = .max) { self.byteCountMax = byteCountMax }

    /// Goes on; `offset` is moved behind what is consumed, a line only as a whole.
    mutating func step(_ bytes: ByteView, _ offset: inout Int) throws(HTTPError) -> Step {
        while true {
            switch phase {
            case .size:
                guard let line = try line(bytes, &offset, Self.lineByteCountMax, .malformedChunk)
                else { return .needsMore }
                missing = try size(line)
                if missing > byteCountMax - total { throw .contentTooLarge(limit: byteCountMax) }
                total += missing
                phase = missing == 0 ? .trailers : .data
            case .data:
                let count = min(missing, bytes.count - offset)
                guard count > 0 else { return .needsMore }
                let data = bytes[offset..<offset + count]
                offset += count
                missing -= count
                if missing == 0 { phase = .dataEnd }
                return .data(data)
            case .dataEnd:
                guard offset < bytes.count else { return .needsMore }
                guard bytes[offset] == ASCII.carriageReturn else { throw .malformedChunk }
                guard offset + 1 < bytes.count else { return .needsMore }
                guard bytes[offset + 1] == ASCII.lineFeed else { throw .malformedChunk }
                offset += 2
                phase = .size
            case .trailers:
                let left = Self.trailerByteCountMax - trailerByteCount
                let tooLarge = HTTPError.trailersTooLarge(limit: Self.trailerByteCountMax)
                guard let line = try line(bytes, &offset, left, tooLarge) else {
                    return .needsMore
                }
                trailerByteCount += line.count + 2
                if line.isEmpty {
                    phase = .ended
                } else {
                    _ = try FieldLine.split(line, 0, line.count)
                }
            case .ended:
                return .end
            }
        }
    }

    /// The next line without its CRLF, or nil when it is not complete.
    private func line(
        _ bytes: ByteView,
        _ offset: inout Int,
        _ byteCountMax: Int,
        _ tooLong: HTTPError
    ) throws(HTTPError) -> ByteView? {
        let rest = bytes.suffix(from: offset)
        guard let end = rest.firstIndex(of: ASCII.lineFeed) else {
            if rest.count >= byteCountMax { throw tooLong }
            return nil
        }
        if end >= byteCountMax { throw tooLong }
        guard end > 0, rest[end - 1] == ASCII.carriageReturn else { throw .bareLineFeed }
        offset += end + 1
        return rest[0..<end - 1]
    }

    private func size(_ line: ByteView) throws(HTTPError) -> Int {
        var (index, size) = (0, 0)
        while index < line.count, let digit = ASCII.hexadecimal(line[index]) {
            // A size of 16 digits would not fit.
            if index == 15 { throw .contentTooLarge(limit: byteCountMax) }
            size = size << 4 | Int(digit)
            index += 1
        }
        guard index > 0 else { throw .malformedChunk }
        while index < line.count { try skipExtension(line, &index) }
        return size
    }

    /// Passes over `;name`, `;name=token` or `;name="text"`.
    private func skipExtension(_ line: ByteView, _ index: inout Int) throws(HTTPError) {
        guard line[index] == ASCII.semicolon else { throw .malformedChunk }
        index += 1
        try skipToken(line, &index)
        guard index < line.count, line[index] == ASCII.equals else { return }
        index += 1
        guard index < line.count, line[index] == ASCII.quote else {
            return try skipToken(line, &index)
        }
        guard let end = QuotedString.end(line, from: index) else { throw .malformedChunk }
        index = end
    }

    private func skipToken(_ line: ByteView, _ index: inout Int) throws(HTTPError) {
        let start = index
        while index < line.count, ASCII.isToken(line[index]) { index += 1 }
        if index == start { throw .malformedChunk }
    }
}
