// The scalars of Codable: how each is read from a document and written into one.
internal import HoldfastBasics

/// A type that is one JSON token and needs no container.
protocol JSONScalar {
    /// Reads the token that comes next.
    static func read(_ cursor: inout JSONCursor) throws(JSONError) -> Self
    /// Whether JSON can express the value.
    var isRepresentable: Bool { get }
    /// Appends the token.
    func write(to buffer: inout ByteBuffer)
}

extension JSONScalar {
    @inline(__always) var isRepresentable: Bool { true }
}

extension JSONScalar where Self: FixedWidthInteger {
    @inline(__always)
    static func read(_ cursor: inout JSONCursor) throws(JSONError) -> Self {
        try cursor.integer()
    }

    @inline(__always)
    func write(to buffer: inout ByteBuffer) { buffer.append(decimal: self) }
}

extension Int: JSONScalar {}
extension Int8: JSONScalar {}
extension Int16: JSONScalar {}
extension Int32: JSONScalar {}
extension Int64: JSONScalar {}
extension UInt: JSONScalar {}
extension UInt8: JSONScalar {}
extension UInt16: JSONScalar {}
extension UInt32: JSONScalar {}
extension UInt64: JSONScalar {}

extension Bool: JSONScalar {
    @inline(__always)
    static func read(_ cursor: inout JSONCursor) throws(JSONError) -> Bool { try cursor.bool() }

    @inline(__always)
    func write(to buffer: inout ByteBuffer) { buffer.append(self ? "true" : "false") }
}

extension String: JSONScalar {
    @inline(__always)
    static func read(_ cursor: inout JSONCursor) throws(JSONError) -> String {
        let string = try cursor.string()
        guard let text = string.text else {
            throw .badEscape(offset: cursor.offset - string.raw.count - 1)
        }
        return text
    }

    @inline(__always)
    func write(to buffer: inout ByteBuffer) { buffer.appendJSONString(self) }
}

extension Double: JSONScalar {
    @inline(__always)
    static func read(_ cursor: inout JSONCursor) throws(JSONError) -> Double {
        let number = try cursor.number()
        guard let value = number.double else {
            throw .numberOutOfRange(offset: cursor.offset - number.token.count)
        }
        return value
    }

    @inline(__always) var isRepresentable: Bool { isFinite }

    @inline(__always)
    func write(to buffer: inout ByteBuffer) { buffer.appendNumber(self) }
}

extension Float: JSONScalar {
    static func read(_ cursor: inout JSONCursor) throws(JSONError) -> Float {
        let number = try cursor.number()
        guard let value = number.float else {
            throw .numberOutOfRange(offset: cursor.offset - number.token.count)
        }
        return value
    }

    var isRepresentable: Bool { isFinite }

    func write(to buffer: inout ByteBuffer) { buffer.appendNumber(self) }
}
