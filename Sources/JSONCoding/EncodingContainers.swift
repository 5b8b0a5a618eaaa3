// The faces of a segment that Codable talks to. Each is two or three words, so that an existential
// holds it without allocating.
internal import HoldfastBasics

/// What `encode(to:)` is given.
struct ValueEncoder: Encoder {
    let segment: EncodingSegment
    /// Containers open around the value; 32 bits, so that the whole is three words.
    private let level: Int32
    /// Where the value's text begins.
    let start: Int

    @inline(__always)
    init(segment: EncodingSegment, depth: Int, start: Int) {
        self.segment = segment
        level = Int32(truncatingIfNeeded: depth)
        self.start = start
    }

    /// Containers open around the value.
    var depth: Int { Int(level) }

    var codingPath: [any CodingKey] { segment.path(depth) }
    var userInfo: [CodingUserInfoKey: Any] {
        segment.core.pointee.userInfo.mapValues { $0 as Any }
    }

    func container<Key: CodingKey>(keyedBy _: Key.Type) -> KeyedEncodingContainer<Key> {
        open(isObject: true)
        return KeyedEncodingContainer(KeyedEncoding(segment: segment, depth: depth + 1))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        open(isObject: false)
        return UnkeyedEncoding(segment: segment, depth: depth + 1)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleEncoding(value: self)
    }

    /// Opens the value's container; a class and the class it inherits from may share an object.
    @inline(__always)
    private func open(isObject: Bool) {
        let core = segment.core
        if core.pointee.output.count == start, core.pointee.open.count == depth {
            core.pointee.begin(isObject: isObject)
            return
        }
        core.pointee.close(to: depth + 1)
        let isSame =
            core.pointee.open.count == depth + 1 && core.pointee.open[depth].start == start
            && core.pointee.open[depth].isObject == isObject
        precondition(isSame, "a second container of another kind for one value")
    }
}

/// An object that is being written.
struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let segment: EncodingSegment
    private let level: Int32

    @inline(__always)
    init(segment: EncodingSegment, depth: Int) {
        self.segment = segment
        level = Int32(truncatingIfNeeded: depth)
    }

    /// Containers open, this one included.
    private var depth: Int { Int(level) }

    var codingPath: [any CodingKey] { segment.path(depth - 1) }

    @inline(__always)
    private func put<V: JSONScalar>(_ value: V, _ key: Key) throws {
        guard value.isRepresentable else {
            throw segment.refusal(value, "not a finite number", depth: depth, key: key)
        }
        try begin(key.stringValue)
        value.write(to: &segment.core.pointee.output)
    }

    @inline(__always)
    private func begin(_ name: String) throws {
        guard segment.core.pointee.nextMember(name, depth) else {
            throw segment.refusal(
                name,
                "container used after its value had ended",
                depth: depth
            )
        }
    }

    func encodeNil(forKey key: Key) throws {
        try begin(key.stringValue)
        segment.core.pointee.output.append("null")
    }

    func encode(_ value: Bool, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: String, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Double, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Float, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Int, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Int8, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Int16, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Int32, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: Int64, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: UInt, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: UInt8, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: UInt16, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: UInt32, forKey key: Key) throws { try put(value, key) }
    func encode(_ value: UInt64, forKey key: Key) throws { try put(value, key) }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        let mark = segment.mark(depth)
        try begin(key.stringValue)
        do {
            try segment.encode(value)
        } catch {
            segment.rollBack(to: mark)
            throw error
        }
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy _: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        let child = child(key.stringValue)
        child.core.pointee.begin(isObject: true)
        return KeyedEncodingContainer(KeyedEncoding<NestedKey>(segment: child, depth: 1))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        let child = child(key.stringValue)
        child.core.pointee.begin(isObject: false)
        return UnkeyedEncoding(segment: child, depth: 1)
    }

    func superEncoder() -> any Encoder {
        ValueEncoder(segment: child(PathKey.inherited.stringValue), depth: 0, start: 0)
    }

    func superEncoder(forKey key: Key) -> any Encoder {
        ValueEncoder(segment: child(key.stringValue), depth: 0, start: 0)
    }

    private func child(_ name: String) -> EncodingSegment {
        let isOpen = segment.core.pointee.nextMember(name, depth)
        precondition(isOpen, "container used after its value had ended")
        return segment.child(depth)
    }
}

/// An array that is being written.
struct UnkeyedEncoding: UnkeyedEncodingContainer {
    let segment: EncodingSegment
    private let level: Int32

    @inline(__always)
    init(segment: EncodingSegment, depth: Int) {
        self.segment = segment
        level = Int32(truncatingIfNeeded: depth)
    }

    /// Containers open, this one included.
    private var depth: Int { Int(level) }

    var codingPath: [any CodingKey] { segment.path(depth - 1) }

    var count: Int {
        segment.core.pointee.open.count >= depth
            ? segment.core.pointee.open[depth - 1].entryCount : 0
    }

    @inline(__always)
    private func put<V: JSONScalar>(_ value: V) throws {
        guard value.isRepresentable else {
            let key = PathKey(index: count)
            throw segment.refusal(value, "not a finite number", depth: depth, key: key)
        }
        try begin()
        value.write(to: &segment.core.pointee.output)
    }

    @inline(__always)
    private func begin() throws {
        guard segment.core.pointee.nextEntry(depth) else {
            throw segment.refusal("", "container used after its value had ended", depth: depth)
        }
    }

    func encodeNil() throws {
        try begin()
        segment.core.pointee.output.append("null")
    }

    func encode(_ value: Bool) throws { try put(value) }
    func encode(_ value: String) throws { try put(value) }
    func encode(_ value: Double) throws { try put(value) }
    func encode(_ value: Float) throws { try put(value) }
    func encode(_ value: Int) throws { try put(value) }
    func encode(_ value: Int8) throws { try put(value) }
    func encode(_ value: Int16) throws { try put(value) }
    func encode(_ value: Int32) throws { try put(value) }
    func encode(_ value: Int64) throws { try put(value) }
    func encode(_ value: UInt) throws { try put(value) }
    func encode(_ value: UInt8) throws { try put(value) }
    func encode(_ value: UInt16) throws { try put(value) }
    func encode(_ value: UInt32) throws { try put(value) }
    func encode(_ value: UInt64) throws { try put(value) }

    func encode<T: Encodable>(_ value: T) throws {
        let mark = segment.mark(depth)
        try begin()
        do {
            try segment.encode(value)
        } catch {
            segment.rollBack(to: mark)
            throw error
        }
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy _: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        let child = child()
        child.core.pointee.begin(isObject: true)
        return KeyedEncodingContainer(KeyedEncoding<NestedKey>(segment: child, depth: 1))
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        let child = child()
        child.core.pointee.begin(isObject: false)
        return UnkeyedEncoding(segment: child, depth: 1)
    }

    func superEncoder() -> any Encoder { ValueEncoder(segment: child(), depth: 0, start: 0) }

    private func child() -> EncodingSegment {
        let isOpen = segment.core.pointee.nextEntry(depth)
        precondition(isOpen, "container used after its value had ended")
        return segment.child(depth)
    }
}

/// A value without a container.
struct SingleEncoding: SingleValueEncodingContainer {
    let value: ValueEncoder

    private var segment: EncodingSegment { value.segment }
    private var depth: Int { value.depth }
    private var start: Int { value.start }

    var codingPath: [any CodingKey] { segment.path(depth) }

    @inline(__always)
    private func put<V: JSONScalar>(_ value: V) throws {
        guard value.isRepresentable else {
            throw segment.refusal(value, "not a finite number", depth: depth)
        }
        try begin(value)
        value.write(to: &segment.core.pointee.output)
    }

    @inline(__always)
    private func begin<V>(_ value: V) throws {
        let core = segment.core
        guard core.pointee.output.count == start, core.pointee.open.count == depth else {
            throw segment.refusal(value, "a second value where one belongs", depth: depth)
        }
    }

    func encodeNil() throws {
        try begin("null")
        segment.core.pointee.output.append("null")
    }

    func encode(_ value: Bool) throws { try put(value) }
    func encode(_ value: String) throws { try put(value) }
    func encode(_ value: Double) throws { try put(value) }
    func encode(_ value: Float) throws { try put(value) }
    func encode(_ value: Int) throws { try put(value) }
    func encode(_ value: Int8) throws { try put(value) }
    func encode(_ value: Int16) throws { try put(value) }
    func encode(_ value: Int32) throws { try put(value) }
    func encode(_ value: Int64) throws { try put(value) }
    func encode(_ value: UInt) throws { try put(value) }
    func encode(_ value: UInt8) throws { try put(value) }
    func encode(_ value: UInt16) throws { try put(value) }
    func encode(_ value: UInt32) throws { try put(value) }
    func encode(_ value: UInt64) throws { try put(value) }

    func encode<T: Encodable>(_ value: T) throws {
        try begin(value)
        let mark = segment.mark(depth)
        do {
            try segment.encode(value)
        } catch {
            segment.rollBack(to: mark)
            throw error
        }
    }
}
