// Types whose JSON is ours to say: time, ids, bytes, addresses, decimals, and the scalars and plain
// arrays, which need no detour through a container.
//
// Unsafe, with this argument: `unsafeBitCast` stands only behind a comparison that has proven both
// types to be the same.
internal import FoundationEssentials
internal import HoldfastBasics

/// Metadata of generic types, looked up once.
///
/// Asking for `[Int].self` in generic code costs a search each time.
private enum Metadata {
    static let strings = kept([String].self)
    static let integers = kept([Int].self)
    static let doubles = kept([Double].self)

    /// Keeps the optimiser from putting the search back where the constant is used.
    @inline(never)
    private static func kept(_ type: Any.Type) -> Any.Type { type }
}

extension EncodingSegment {
    /// Encodes a value of a known type; false when its type is another.
    @inline(__always)
    func encodeKnown<T: Encodable>(_ value: T) throws -> Bool {
        func same<K>(_: K.Type) -> K { unsafeBitCast(value, to: K.self) }
        if T.self == String.self {
            core.pointee.output.appendJSONString(same(String.self))
        } else if T.self == Int.self {
            core.pointee.output.append(decimal: same(Int.self))
        } else if T.self == Date.self {
            try encode(date: same(Date.self))
        } else if T.self == UUID.self {
            encode(uuid: same(UUID.self))
        } else if T.self == Metadata.strings {
            try encode(array: same([String].self))
        } else if T.self == Metadata.integers {
            try encode(array: same([Int].self))
        } else if T.self == Metadata.doubles {
            try encode(array: same([Double].self))
        } else if T.self == Data.self {
            encode(ascii: same(Data.self).base64EncodedString())
        } else if T.self == URL.self {
            core.pointee.output.appendJSONString(same(URL.self).absoluteString)
        } else if T.self == Decimal.self {
            try encode(decimal: same(Decimal.self))
        } else {
            return false
        }
        return true
    }

    private func encode<V: JSONScalar>(array: [V]) throws {
        let depth = core.pointee.open.count
        core.pointee.begin(isObject: false)
        for value in array {
            _ = core.pointee.nextEntry(depth + 1)
            guard value.isRepresentable else {
                throw refusal(value, "not a finite number", depth: depth + 1)
            }
            value.write(to: &core.pointee.output)
        }
        core.pointee.close(to: depth)
    }

    private func encode(date: Date) throws {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        // Years 0 to 9999; NaN fails both comparisons.
        guard milliseconds >= -62_167_219_200_000, milliseconds <= 253_402_300_799_999 else {
            throw refusal(date, "date outside the years 0 to 9999", depth: core.pointee.open.count)
        }
        core.pointee.output.append(ASCII.quote)
        Timestamp.append(milliseconds: Int64(milliseconds), to: &core.pointee.output)
        core.pointee.output.append(ASCII.quote)
    }

    private func encode(uuid: UUID) {
        withUnsafeBytes(of: uuid.uuid) { bytes in
            core.pointee.output.appendUnsafe(38) { memory in
                memory[0] = ASCII.quote
                var at = 1
                for index in 0..<16 {
                    if index == 4 || index == 6 || index == 8 || index == 10 {
                        memory[at] = ASCII.minus
                        at += 1
                    }
                    memory[at] = Self.digit(bytes[index] >> 4)
                    memory[at + 1] = Self.digit(bytes[index] & 15)
                    at += 2
                }
                memory[at] = ASCII.quote
                return 38
            }
        }
    }

    @inline(__always)
    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }

    private func encode(decimal: Decimal) throws {
        guard decimal.isFinite else {
            throw refusal(decimal, "not a finite number", depth: core.pointee.open.count)
        }
        encode(ascii: decimal.description)
    }

    /// Text that needs no escape.
    private func encode(ascii text: String) {
        core.pointee.output.append(ASCII.quote)
        core.pointee.output.append(text: text)
        core.pointee.output.append(ASCII.quote)
    }
}

extension DecodingSession {
    /// Decodes the value at the cursor and leaves the cursor behind it.
    ///
    /// One chain without helpers: an optional of `T` in between would cost a search for its
    /// metadata.
    @inline(__always)
    func decode<T: Decodable>(_ type: T.Type, in location: Location) throws -> T {
        func same<K>(_ value: K) -> T { unsafeBitCast(value, to: T.self) }
        do throws(JSONError) {
            if T.self == String.self { return same(try String.read(&core.pointee.cursor)) }
            if T.self == Int.self { return same(try Int.read(&core.pointee.cursor)) }
            if T.self == Date.self { return same(try date()) }
            if T.self == UUID.self { return same(try uuid()) }
            if T.self == Metadata.strings { return same(try array(of: String.self)) }
            if T.self == Metadata.integers { return same(try array(of: Int.self)) }
            if T.self == Metadata.doubles { return same(try array(of: Double.self)) }
            if T.self == Data.self { return same(try data()) }
            if T.self == URL.self { return same(try url()) }
            if T.self == Decimal.self { return same(try decimal()) }
        } catch {
            throw failure(error, type, location)
        }
        return try decodeUnknown(type, in: location)
    }

    private func array<V: JSONScalar>(of _: V.Type) throws(JSONError) -> [V] {
        var values: [V] = []
        try core.pointee.cursor.open(ASCII.bracket, .array)
        var index = 0
        while try core.pointee.cursor.nextEntry(isFirst: index == 0, closing: ASCII.bracketEnd) {
            // Room for a few at once: growing one by one would allocate three times for three.
            if index == 0 { values.reserveCapacity(4) }
            core.pointee.failedIndex = index
            values.append(try V.read(&core.pointee.cursor))
            index += 1
        }
        core.pointee.failedIndex = nil
        return values
    }

    /// The content of a string that must not need unescaping to be what it should be.
    private func plain() throws(JSONError) -> (text: ByteView, malformed: JSONError) {
        _ = try core.pointee.cursor.peek()
        let place = core.pointee.cursor.offset
        let string = try core.pointee.cursor.string()
        // Escapes are allowed in principle; nobody writes them in these types.
        return (string.isEscaped ? .empty : string.raw, .unexpectedByte(offset: place, byte: 34))
    }

    private func date() throws(JSONError) -> Date {
        let (text, malformed) = try plain()
        guard let milliseconds = Timestamp.milliseconds(text) else { throw malformed }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    private func uuid() throws(JSONError) -> UUID {
        let (text, malformed) = try plain()
        guard let id = UniqueID(text) else { throw malformed }
        return withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) {
            UUID(uuid: $0.loadUnaligned(as: uuid_t.self))
        }
    }

    private func data() throws(JSONError) -> Data {
        let (_, place) = (try core.pointee.cursor.peek(), core.pointee.cursor.offset)
        guard let data = Data(base64Encoded: try String.read(&core.pointee.cursor)) else {
            throw .unexpectedByte(offset: place, byte: ASCII.quote)
        }
        return data
    }

    private func url() throws(JSONError) -> URL {
        let (_, place) = (try core.pointee.cursor.peek(), core.pointee.cursor.offset)
        guard let url = URL(string: try String.read(&core.pointee.cursor)) else {
            throw .unexpectedByte(offset: place, byte: ASCII.quote)
        }
        return url
    }

    private func decimal() throws(JSONError) -> Decimal {
        let (text, malformed) = try plain()
        // Decimal's own reader stops at the first byte it does not know; a number's does not.
        var cursor = JSONCursor(text)
        guard text.count > 0, (try? cursor.number())?.token.count == text.count,
            let value = Decimal(string: text.text)
        else { throw malformed }
        return value
    }
}
