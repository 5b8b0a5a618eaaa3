// The faces of a session that Codable talks to. Each is two or three words, so that an existential
// holds it without allocating.
internal import HoldfastBasics

/// What `init(from:)` is given: a place in the document, good for as long as the session.
struct ValueDecoder: Decoder {
    let session: DecodingSession
    /// Where the value begins; 32 bits, so that the whole is three words.
    private let place: UInt32
    let location: Location

    @inline(__always)
    init(session: DecodingSession, start: Int, location: Location) {
        self.session = session
        place = UInt32(truncatingIfNeeded: start)
        self.location = location
    }

    /// Where the value begins.
    var start: Int { Int(place) }

    var codingPath: [any CodingKey] { session.path(location) }
    var userInfo: [CodingUserInfoKey: Any] {
        session.core.pointee.userInfo.mapValues { $0 as Any }
    }

    func container<Key: CodingKey>(keyedBy _: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(
            KeyedDecoding(session: session, frame: try open(isObject: true))
        )
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        UnkeyedDecoding(session: session, frame: try open(isObject: false))
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { SingleDecoding(value: self) }

    @inline(__always)
    private func open(isObject: Bool) throws -> Int {
        do throws(JSONError) {
            return try session.core.pointee.open(
                at: start,
                isObject: isObject,
                location: location
            )
        } catch {
            throw session.failure(error, isObject ? [String: Any].self : [Any].self, location)
        }
    }
}

/// An object that is being read.
struct KeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let session: DecodingSession
    let frame: Int

    private var core: UnsafeMutablePointer<DecodingCore> { session.core }
    private var here: Location { .member(core.pointee.nameAt, in: frame) }

    var codingPath: [any CodingKey] { session.path(core.pointee.frames[frame].location) }

    var allKeys: [Key] {
        do throws(JSONError) { try core.pointee.list(frame) } catch { return [] }
        var keys: [Key] = []
        for index in 0..<core.pointee.frames[frame].listCount {
            guard let member = core.pointee.member(index, of: frame),
                let name = core.pointee.name(member).text, let key = Key(stringValue: name)
            else { continue }
            keys.append(key)
        }
        return keys
    }

    /// Whether the member is there; the cursor then stands before its value.
    @inline(__always)
    private func find(_ name: String) throws -> Bool {
        var name = name
        switch name.withUTF8({ core.pointee.find($0, in: frame) }) {
        case .found: return true
        case .absent: return false
        case .damaged: throw DecodingSession.corrupted(core.pointee.damage, codingPath)
        }
    }

    @inline(__always)
    private func need(_ key: Key) throws {
        if try !find(key.stringValue) { throw missing(key) }
    }

    @inline(never)
    private func missing(_ key: any CodingKey) -> DecodingError {
        .keyNotFound(
            key,
            DecodingError.Context(
                codingPath: codingPath,
                debugDescription: "no member \"\(key.stringValue)\""
            )
        )
    }

    @inline(__always)
    private func read<V: JSONScalar>() throws -> V {
        do throws(JSONError) {
            let value = try V.read(&core.pointee.cursor)
            core.pointee.passMember(frame)
            return value
        } catch {
            throw session.failure(error, V.self, here)
        }
    }

    @inline(__always)
    private func get<V: JSONScalar>(_ key: Key) throws -> V {
        try need(key)
        return try read()
    }

    @inline(__always)
    private func getIfPresent<V: JSONScalar>(_ key: Key) throws -> V? {
        try isNil(key, else: { try read() })
    }

    /// Nil for a member that is absent or null, otherwise what `body` reads.
    @inline(__always)
    private func isNil<T>(_ key: Key, else body: () throws -> T) throws -> T? {
        guard try find(key.stringValue), try !null() else { return nil }
        return try body()
    }

    @inline(__always)
    private func null() throws -> Bool {
        do throws(JSONError) {
            guard try core.pointee.cursor.null() else { return false }
            core.pointee.passMember(frame)
            return true
        } catch {
            throw session.failure(error, Any?.self, here)
        }
    }

    func contains(_ key: Key) -> Bool { (try? find(key.stringValue)) ?? false }

    func decodeNil(forKey key: Key) throws -> Bool {
        try need(key)
        return try null()
    }

    func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try get(key) }
    func decode(_: String.Type, forKey key: Key) throws -> String { try get(key) }
    func decode(_: Double.Type, forKey key: Key) throws -> Double { try get(key) }
    func decode(_: Float.Type, forKey key: Key) throws -> Float { try get(key) }
    func decode(_: Int.Type, forKey key: Key) throws -> Int { try get(key) }
    func decode(_: Int8.Type, forKey key: Key) throws -> Int8 { try get(key) }
    func decode(_: Int16.Type, forKey key: Key) throws -> Int16 { try get(key) }
    func decode(_: Int32.Type, forKey key: Key) throws -> Int32 { try get(key) }
    func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try get(key) }
    func decode(_: UInt.Type, forKey key: Key) throws -> UInt { try get(key) }
    func decode(_: UInt8.Type, forKey key: Key) throws -> UInt8 { try get(key) }
    func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 { try get(key) }
    func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 { try get(key) }
    func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 { try get(key) }

    func decodeIfPresent(_: Bool.Type, forKey key: Key) throws -> Bool? { try getIfPresent(key) }
    func decodeIfPresent(_: String.Type, forKey key: Key) throws -> String? {
        try getIfPresent(key)
    }
    func decodeIfPresent(_: Double.Type, forKey key: Key) throws -> Double? {
        try getIfPresent(key)
    }
    func decodeIfPresent(_: Int.Type, forKey key: Key) throws -> Int? { try getIfPresent(key) }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try need(key)
        return try value(type)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        try isNil(key, else: { try value(type) })
    }

    @inline(__always)
    private func value<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try session.decode(type, in: here)
        core.pointee.passMember(frame)
        return value
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        let key = PathKey.inherited
        guard try find(key.stringValue) else { throw missing(key) }
        return try decoder()
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }

    /// A decoder of a member's value.
    ///
    /// The frame stays before it, so that the next look-up makes the list.
    private func nested(_ key: Key) throws -> ValueDecoder {
        try need(key)
        return try decoder()
    }

    private func decoder() throws -> ValueDecoder {
        do throws(JSONError) { _ = try core.pointee.cursor.peek() } catch {
            throw session.failure(error, Any.self, here)
        }
        return ValueDecoder(session: session, start: core.pointee.cursor.offset, location: here)
    }
}

/// An array that is being read.
struct UnkeyedDecoding: UnkeyedDecodingContainer {
    let session: DecodingSession
    let frame: Int

    private var core: UnsafeMutablePointer<DecodingCore> { session.core }
    private var here: Location { .element(currentIndex, in: frame) }

    var codingPath: [any CodingKey] { session.path(core.pointee.frames[frame].location) }
    var currentIndex: Int { Int(core.pointee.frames[frame].index) }

    var count: Int? {
        var cursor = core.pointee.cursor
        cursor.seek(core.pointee.frames[frame].start + 1)
        var count = 0
        do throws(JSONError) {
            while try cursor.nextEntry(isFirst: count == 0, closing: ASCII.bracketEnd) {
                try cursor.skipValue()
                count += 1
            }
        } catch {
            return nil
        }
        return count
    }

    var isAtEnd: Bool {
        core.pointee.cursor.seek(core.pointee.frames[frame].next)
        // Damage is not the end: the element that is decoded next reports it.
        do throws(JSONError) { return try core.pointee.cursor.peek() == ASCII.bracketEnd } catch {
            return false
        }
    }

    /// Puts the cursor before the next element.
    @inline(__always)
    private func step() throws {
        let frame = core.pointee.frames[frame]
        core.pointee.cursor.seek(frame.next)
        let goesOn: Bool
        do throws(JSONError) {
            goesOn = try core.pointee.cursor.nextEntry(
                isFirst: frame.index == 0,
                closing: ASCII.bracketEnd
            )
        } catch {
            throw session.failure(error, Any.self, here)
        }
        if !goesOn { throw ended() }
    }

    @inline(never)
    private func ended() -> DecodingError {
        .valueNotFound(
            Any.self,
            DecodingError.Context(
                codingPath: session.path(here),
                debugDescription: "the array has \(currentIndex) elements"
            )
        )
    }

    /// Notes that an element has been read up to the cursor.
    @inline(__always)
    private func pass() {
        core.pointee.frames[frame].next = core.pointee.cursor.offset
        core.pointee.frames[frame].index &+= 1
    }

    @inline(__always)
    private func get<V: JSONScalar>() throws -> V {
        try step()
        do throws(JSONError) {
            let value = try V.read(&core.pointee.cursor)
            pass()
            return value
        } catch {
            throw session.failure(error, V.self, here)
        }
    }

    func decodeNil() throws -> Bool {
        try step()
        do throws(JSONError) {
            guard try core.pointee.cursor.null() else { return false }
        } catch {
            throw session.failure(error, Any?.self, here)
        }
        pass()
        return true
    }

    func decode(_: Bool.Type) throws -> Bool { try get() }
    func decode(_: String.Type) throws -> String { try get() }
    func decode(_: Double.Type) throws -> Double { try get() }
    func decode(_: Float.Type) throws -> Float { try get() }
    func decode(_: Int.Type) throws -> Int { try get() }
    func decode(_: Int8.Type) throws -> Int8 { try get() }
    func decode(_: Int16.Type) throws -> Int16 { try get() }
    func decode(_: Int32.Type) throws -> Int32 { try get() }
    func decode(_: Int64.Type) throws -> Int64 { try get() }
    func decode(_: UInt.Type) throws -> UInt { try get() }
    func decode(_: UInt8.Type) throws -> UInt8 { try get() }
    func decode(_: UInt16.Type) throws -> UInt16 { try get() }
    func decode(_: UInt32.Type) throws -> UInt32 { try get() }
    func decode(_: UInt64.Type) throws -> UInt64 { try get() }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try step()
        let value = try session.decode(type, in: here)
        pass()
        return value
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try nested().unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try nested() }

    /// A decoder of the next element, which is passed.
    private func nested() throws -> ValueDecoder {
        try step()
        let location = here
        do throws(JSONError) {
            _ = try core.pointee.cursor.peek()
            let start = core.pointee.cursor.offset
            try core.pointee.cursor.skipValue()
            pass()
            return ValueDecoder(session: session, start: start, location: location)
        } catch {
            throw session.failure(error, Any.self, location)
        }
    }
}

/// A value without a container.
struct SingleDecoding: SingleValueDecodingContainer {
    let value: ValueDecoder

    private var core: UnsafeMutablePointer<DecodingCore> { value.session.core }

    var codingPath: [any CodingKey] { value.codingPath }

    @inline(__always)
    private func get<V: JSONScalar>() throws -> V {
        core.pointee.cursor.seek(value.start)
        do throws(JSONError) {
            let result = try V.read(&core.pointee.cursor)
            pass()
            return result
        } catch {
            throw value.session.failure(error, V.self, value.location)
        }
    }

    @inline(__always)
    private func pass() {
        core.pointee.singleStart = value.start
        core.pointee.singleEnd = core.pointee.cursor.offset
    }

    func decodeNil() -> Bool {
        core.pointee.cursor.seek(value.start)
        guard (try? core.pointee.cursor.null()) ?? false else { return false }
        pass()
        return true
    }

    func decode(_: Bool.Type) throws -> Bool { try get() }
    func decode(_: String.Type) throws -> String { try get() }
    func decode(_: Double.Type) throws -> Double { try get() }
    func decode(_: Float.Type) throws -> Float { try get() }
    func decode(_: Int.Type) throws -> Int { try get() }
    func decode(_: Int8.Type) throws -> Int8 { try get() }
    func decode(_: Int16.Type) throws -> Int16 { try get() }
    func decode(_: Int32.Type) throws -> Int32 { try get() }
    func decode(_: Int64.Type) throws -> Int64 { try get() }
    func decode(_: UInt.Type) throws -> UInt { try get() }
    func decode(_: UInt8.Type) throws -> UInt8 { try get() }
    func decode(_: UInt16.Type) throws -> UInt16 { try get() }
    func decode(_: UInt32.Type) throws -> UInt32 { try get() }
    func decode(_: UInt64.Type) throws -> UInt64 { try get() }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        core.pointee.cursor.seek(value.start)
        let result = try value.session.decode(type, in: value.location)
        pass()
        return result
    }
}
