// The decoder that answers with samples and notes what it is asked.
internal import HoldfastRecords

/// Stands for any value.
struct RecordingDecoder: Decoder {
    let frame: RecordingFrame

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<K: CodingKey>(keyedBy type: K.Type) throws -> KeyedDecodingContainer<K> {
        try frame.enterObject()
        return KeyedDecodingContainer(KeyedRecording<K>(frame: frame))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw frame.recorder.finding(
            "reads a list element by element, as Range and others of the library do: store an "
                + "array or a struct of its parts, or \(SchemaRecorder.hook)",
            at: frame.prefix
        )
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        SingleRecording(frame: frame)
    }
}

/// Stands for any object.
struct KeyedRecording<K: CodingKey>: KeyedDecodingContainerProtocol {
    let frame: RecordingFrame

    var codingPath: [any CodingKey] { [] }

    var allKeys: [K] {
        do {
            return try frame.names(K.self)
        } catch {
            // The recorder has kept the finding.
            return []
        }
    }

    func contains(_ key: K) -> Bool { frame.ask(key.stringValue) }

    func decodeNil(forKey key: K) throws -> Bool { !frame.ask(key.stringValue) }

    private func get<T: Decodable>(_ type: T.Type, _ key: K) throws -> T {
        try frame.read(type, key.stringValue)
    }

    private func getIfPresent<T: Decodable>(_ type: T.Type, _ key: K) throws -> T? {
        try frame.readIfPresent(type, key.stringValue)
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: K) throws -> T { try get(type, key) }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: K) throws -> T? {
        try getIfPresent(type, key)
    }

    func nestedContainer<N: CodingKey>(
        keyedBy type: N.Type,
        forKey key: K
    ) throws -> KeyedDecodingContainer<N> {
        KeyedDecodingContainer(KeyedRecording<N>(frame: try frame.enterNested(key.stringValue)))
    }

    func nestedUnkeyedContainer(forKey key: K) throws -> any UnkeyedDecodingContainer {
        throw frame.recorder.finding(
            "is read element by element: decode an array, or \(SchemaRecorder.hook)",
            at: frame.prefix + [key.stringValue]
        )
    }

    func superDecoder() throws -> any Decoder { throw superclass("super") }

    func superDecoder(forKey key: K) throws -> any Decoder { throw superclass(key.stringValue) }

    private func superclass(_ name: String) -> SchemaFinding {
        frame.recorder.finding(
            "is read by a superclass, which cannot be seen: use a struct, or "
                + SchemaRecorder.hook,
            at: frame.prefix + [name]
        )
    }

    // The library's overloads, which would otherwise not come here.
    func decode(_ type: Bool.Type, forKey key: K) throws -> Bool { try get(type, key) }
    func decode(_ type: String.Type, forKey key: K) throws -> String { try get(type, key) }
    func decode(_ type: Double.Type, forKey key: K) throws -> Double { try get(type, key) }
    func decode(_ type: Float.Type, forKey key: K) throws -> Float { try get(type, key) }
    func decode(_ type: Int.Type, forKey key: K) throws -> Int { try get(type, key) }
    func decode(_ type: Int8.Type, forKey key: K) throws -> Int8 { try get(type, key) }
    func decode(_ type: Int16.Type, forKey key: K) throws -> Int16 { try get(type, key) }
    func decode(_ type: Int32.Type, forKey key: K) throws -> Int32 { try get(type, key) }
    func decode(_ type: Int64.Type, forKey key: K) throws -> Int64 { try get(type, key) }
    func decode(_ type: UInt.Type, forKey key: K) throws -> UInt { try get(type, key) }
    func decode(_ type: UInt8.Type, forKey key: K) throws -> UInt8 { try get(type, key) }
    func decode(_ type: UInt16.Type, forKey key: K) throws -> UInt16 { try get(type, key) }
    func decode(_ type: UInt32.Type, forKey key: K) throws -> UInt32 { try get(type, key) }
    func decode(_ type: UInt64.Type, forKey key: K) throws -> UInt64 { try get(type, key) }

    func decodeIfPresent(_ type: Bool.Type, forKey key: K) throws -> Bool? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: String.Type, forKey key: K) throws -> String? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Double.Type, forKey key: K) throws -> Double? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Float.Type, forKey key: K) throws -> Float? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Int.Type, forKey key: K) throws -> Int? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Int8.Type, forKey key: K) throws -> Int8? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Int16.Type, forKey key: K) throws -> Int16? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Int32.Type, forKey key: K) throws -> Int32? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: Int64.Type, forKey key: K) throws -> Int64? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: UInt.Type, forKey key: K) throws -> UInt? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: K) throws -> UInt8? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: K) throws -> UInt16? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: K) throws -> UInt32? {
        try getIfPresent(type, key)
    }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: K) throws -> UInt64? {
        try getIfPresent(type, key)
    }
}

/// Stands for any value without members.
struct SingleRecording: SingleValueDecodingContainer {
    let frame: RecordingFrame

    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type) throws -> T { try frame.readSingle(type) }

    func decode(_ type: Bool.Type) throws -> Bool { try frame.readSingle(type) }
    func decode(_ type: String.Type) throws -> String { try frame.readSingle(type) }
    func decode(_ type: Double.Type) throws -> Double { try frame.readSingle(type) }
    func decode(_ type: Float.Type) throws -> Float { try frame.readSingle(type) }
    func decode(_ type: Int.Type) throws -> Int { try frame.readSingle(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try frame.readSingle(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try frame.readSingle(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try frame.readSingle(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try frame.readSingle(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try frame.readSingle(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try frame.readSingle(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try frame.readSingle(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try frame.readSingle(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try frame.readSingle(type) }
}
