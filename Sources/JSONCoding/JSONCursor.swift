// Reads JSON tokens in place. The scanner and the decoder stand on it.
//
// It expects text that the normaliser has passed (or at least valid JSON: white space is allowed
// between tokens) and gives meaning only to that. It is nevertheless safe on any bytes: damaged
// text throws or gives a wrong value, it never reads outside.
//
// Unsafe, with this argument: `start` <= `at` <= `end`, which are the bounds of a view that its
// owner keeps alive; every read is preceded by a comparison with `end`, every jump is clamped to
// it.
internal import HoldfastBasics

/// A position inside JSON text.
struct JSONCursor {
    let start: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>
    private(set) var at: UnsafePointer<UInt8>

    @inline(__always)
    init(_ bytes: ByteView) {
        // A view's address is never nil, also when it holds no bytes.
        start = bytes.withUnsafeBytes {
            $0.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)
        }
        end = start + bytes.count
        at = start
    }

    /// Bytes from the beginning.
    @inline(__always) var offset: Int { at - start }

    /// Jumps to an offset, or to the end when it lies beyond.
    @inline(__always)
    mutating func seek(_ offset: Int) { at = start + max(0, min(offset, end - start)) }

    /// The bytes from `offset` to here.
    @inline(__always)
    func view(from offset: Int) -> ByteView { view(offset..<self.offset) }

    /// The bytes of a range, which must not be reversed; cut at the end of the text.
    @inline(__always)
    func view(_ range: Range<Int>) -> ByteView {
        let upper = min(range.upperBound, end - start)
        let lower = max(0, min(range.lowerBound, upper))
        return ByteView(UnsafeRawBufferPointer(start: start + lower, count: upper - lower))
    }

    /// The first byte of the next token, which is not consumed.
    @inline(__always)
    mutating func peek() throws(JSONError) -> UInt8 {
        while at < end {
            let byte = at.pointee
            if byte > ASCII.space { return byte }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
            at += 1
        }
        throw at < end
            ? .unexpectedByte(offset: offset, byte: at.pointee) : .unexpectedEnd(offset: offset)
    }

    /// Consumes the token of one byte that must come next.
    @inline(__always)
    mutating func expect(_ byte: UInt8) throws(JSONError) {
        let found = try peek()
        guard found == byte else { throw .unexpectedByte(offset: offset, byte: found) }
        at += 1
    }

    /// Consumes the byte that `peek` gave.
    @inline(__always)
    mutating func consume() { if at < end { at += 1 } }

    /// The kind of the next value, which is not consumed.
    @inline(__always)
    mutating func kind() throws(JSONError) -> JSONKind {
        let byte = try peek()
        guard let kind = JSONKind(firstByte: byte) else {
            throw .unexpectedByte(offset: offset, byte: byte)
        }
        return kind
    }

    /// An error for the value that begins here and is not of the kind wanted.
    @inline(never)
    func wrongKind(_ wanted: JSONKind) -> JSONError {
        .wrongKind(offset: offset, wanted: wanted)
    }

    // MARK: Containers

    /// Consumes the bracket that opens a container.
    @inline(__always)
    mutating func open(_ bracket: UInt8, _ kind: JSONKind) throws(JSONError) {
        guard try peek() == bracket else { throw wrongKind(kind) }
        at += 1
    }

    /// Goes to the next entry of a container: behind the comma, or behind the closing bracket.
    ///
    /// - Parameters:
    ///   - isFirst: Whether the opening bracket has just been consumed.
    ///   - closing: The bracket that ends the container.
    /// - Returns: False when the container has ended.
    /// - Throws: When neither a comma nor the bracket stands there.
    @inline(__always)
    mutating func nextEntry(isFirst: Bool, closing: UInt8) throws(JSONError) -> Bool {
        let byte = try peek()
        if byte == closing {
            at += 1
            return false
        }
        if isFirst { return true }
        guard byte == ASCII.comma else { throw .unexpectedByte(offset: offset, byte: byte) }
        at += 1
        return true
    }

    /// Reads a member's name and its colon.
    @inline(__always)
    mutating func name() throws(JSONError) -> JSONString {
        let byte = try peek()
        guard byte == ASCII.quote else { throw .unexpectedByte(offset: offset, byte: byte) }
        let name = try content()
        try expect(ASCII.colon)
        return name
    }

    // MARK: Scalars

    /// Reads a string.
    @inline(__always)
    mutating func string() throws(JSONError) -> JSONString {
        guard try peek() == ASCII.quote else { throw wrongKind(.string) }
        return try content()
    }

    /// Reads a string whose opening quote stands here.
    @inline(__always)
    private mutating func content() throws(JSONError) -> JSONString {
        at += 1
        let first = at
        var isEscaped = false
        while true {
            at = ByteScan.stop(from: at, to: end)
            guard at < end else { throw .unexpectedEnd(offset: offset) }
            let byte = at.pointee
            if byte == ASCII.quote {
                let raw = ByteView(UnsafeRawBufferPointer(start: first, count: at - first))
                at += 1
                return JSONString(raw: raw, isEscaped: isEscaped)
            }
            guard byte == ASCII.backslash else { throw .controlCharacter(offset: offset) }
            guard end - at >= 2 else { throw .unexpectedEnd(offset: offset) }
            isEscaped = true
            at += 2
        }
    }

    /// Reads `null` when it comes next.
    @inline(__always)
    mutating func null() throws(JSONError) -> Bool {
        guard try peek() == ASCII.n else { return false }
        try literal(0x6C6C_756E, skipping: 0)
        return true
    }

    /// Reads `true` or `false`.
    @inline(__always)
    mutating func bool() throws(JSONError) -> Bool {
        switch try peek() {
        case ASCII.t:
            try literal(0x6575_7274, skipping: 0)
            return true
        case ASCII.f:
            try literal(0x6573_6C61, skipping: 1)
            return false
        default: throw wrongKind(.true)
        }
    }

    @inline(__always)
    private mutating func literal(_ letters: UInt32, skipping: Int) throws(JSONError) {
        guard end - at >= 4 + skipping, ByteScan.half(at + skipping) == letters else {
            throw .unexpectedByte(offset: offset, byte: at.pointee)
        }
        at += 4 + skipping
    }

    /// Reads an integer of any width, exactly.
    @inline(__always)
    mutating func integer<I: FixedWidthInteger>(_: I.Type = I.self) throws(JSONError) -> I {
        let byte = try peek()
        guard byte == ASCII.minus || byte &- 48 <= 9 else { throw wrongKind(.number) }
        let place = offset
        let isNegative = byte == ASCII.minus
        if isNegative { at += 1 }
        let first = at
        var magnitude: UInt64 = 0
        while at < end {
            let digit = at.pointee &- 48
            if digit > 9 { break }
            magnitude = magnitude &* 10 &+ UInt64(digit)
            at += 1
        }
        let count = at - first
        guard count > 0, count == 1 || first.pointee != 48 else { throw .badNumber(offset: place) }
        if at < end, at.pointee == ASCII.point || at.pointee | 0x20 == ASCII.e {
            throw .notAnInteger(offset: place)
        }
        if count > 19 {
            // Rare: only the largest UInt64 have twenty digits.
            let digits = UnsafeBufferPointer(start: first, count: count)
            guard let exact = UInt64(String(decoding: digits, as: UTF8.self)) else {
                throw .numberOutOfRange(offset: place)
            }
            magnitude = exact
        }
        guard let value = Self.signed(magnitude, isNegative: isNegative, I.self) else {
            throw .numberOutOfRange(offset: place)
        }
        return value
    }

    @inline(__always)
    static func signed<I: FixedWidthInteger>(
        _ magnitude: UInt64,
        isNegative: Bool,
        _: I.Type
    ) -> I? {
        guard isNegative else { return I(exactly: magnitude) }
        // Zero has no sign; the least Int64 has a magnitude of its own.
        guard magnitude <= 1 << 63 else { return nil }
        return I(exactly: Int64(truncatingIfNeeded: 0 &- magnitude))
    }

    /// Reads a number.
    @inline(__always)
    mutating func number() throws(JSONError) -> JSONNumber {
        let byte = try peek()
        guard byte == ASCII.minus || byte &- 48 <= 9 else { throw wrongKind(.number) }
        let place = offset
        var parts = JSONNumber.Parts(isNegative: byte == ASCII.minus)
        if parts.isNegative { at += 1 }
        let leadsWithZero = at < end && at.pointee == 48
        let whole = digits(&parts)
        guard whole == 1 || whole > 0 && !leadsWithZero else { throw .badNumber(offset: place) }
        if at < end, at.pointee == ASCII.point {
            at += 1
            parts.isInteger = false
            let count = digits(&parts)
            guard count > 0 else { throw .badNumber(offset: place) }
            parts.exponent = -count
        }
        if at < end, at.pointee | 0x20 == ASCII.e {
            at += 1
            parts.isInteger = false
            try exponent(&parts, place)
        }
        return JSONNumber(token: view(from: place), parts: parts, offset: place)
    }

    @inline(__always)
    private mutating func digits(_ parts: inout JSONNumber.Parts) -> Int {
        let first = at
        while at < end {
            let digit = at.pointee &- 48
            if digit > 9 { break }
            let (tens, over) = parts.magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            parts.isExact = parts.isExact && !over && !carry
            parts.magnitude = sum
            at += 1
        }
        return at - first
    }

    private mutating func exponent(
        _ parts: inout JSONNumber.Parts,
        _ place: Int
    ) throws(JSONError) {
        let sign = at < end ? at.pointee : 0
        if sign == ASCII.plus || sign == ASCII.minus { at += 1 }
        let first = at
        var value = 0
        while at < end, at.pointee &- 48 <= 9 {
            // Far beyond every double; more digits change nothing.
            if value < 100_000 { value = value * 10 + Int(at.pointee &- 48) }
            at += 1
        }
        guard at > first else { throw .badNumber(offset: place) }
        parts.exponent += sign == ASCII.minus ? -value : value
    }

    // MARK: Passing over

    /// Passes over a value, whatever it is.
    ///
    /// Brackets are counted, not matched: on text that is no JSON the place behind is arbitrary.
    mutating func skipValue() throws(JSONError) {
        switch try kind() {
        case .string: _ = try content()
        case .number: skipNumber()
        case .true, .false: _ = try bool()
        case .null: _ = try null()
        case .object, .array: try skipContainer()
        }
    }

    @inline(__always)
    private mutating func skipNumber() {
        while at < end {
            let byte = at.pointee
            guard
                byte &- 48 <= 9 || byte == ASCII.point || byte == ASCII.minus
                    || byte == ASCII.plus || byte | 0x20 == ASCII.e
            else { return }
            at += 1
        }
    }

    private mutating func skipContainer() throws(JSONError) {
        var depth = 0
        while at < end {
            switch at.pointee {
            case ASCII.quote: _ = try content()
            case ASCII.brace, ASCII.bracket:
                depth += 1
                at += 1
            case ASCII.braceEnd, ASCII.bracketEnd:
                depth -= 1
                at += 1
                if depth == 0 { return }
            default: at += 1
            }
        }
        throw .unexpectedEnd(offset: offset)
    }
}
