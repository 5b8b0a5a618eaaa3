// The values of one type as bytes whose order is the order of the values, so that conditions,
// orders and cursors compare bytes alone.
//
// Texts are compared by their UTF-8, as everywhere; whoever wants other letters to be equal
// normalises them before they are stored.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// Turns values into bytes that compare as the values do.
enum ValueForm {
    /// Appends the form of a value.
    ///
    /// Shape: a truth value is a byte; a whole number its sign and 8 bytes, big-endian; a fraction
    /// its bits so that they ascend; a date as its milliseconds; a UUID its 16 bytes; a decimal its
    /// sign, exponent and digits; every other text its UTF-8.
    ///
    /// - Parameters:
    ///   - token: Normalised JSON.
    ///   - type: A scalar type.
    ///   - buffer: Gets the bytes.
    /// - Returns: False, with nothing appended, when the value is of another type.
    static func append(
        _ token: ByteView,
        of type: FieldType,
        to buffer: inout ByteBuffer
    ) -> Bool {
        do throws(JSONError) {
            var scanner = JSONScanner(token)
            switch type {
            case .bool: buffer.append(try scanner.readBool() ? UInt8(1) : UInt8(0))
            case .int, .integerEnum: append(try scanner.readInteger(Int64.self), to: &buffer)
            case .uint: append(try scanner.readInteger(UInt64.self), to: &buffer)
            case .float:
                guard let value = try scanner.readNumber().float else { return false }
                append(Double(value), to: &buffer)
            case .double: append(try scanner.readDouble(), to: &buffer)
            case .string, .url, .data, .key, .stringEnum:
                return try scanner.readString().append(to: &buffer)
            case .date, .uuid, .decimal:
                var text = ByteBuffer(capacity: 40)
                guard try scanner.readString().append(to: &text) else { return false }
                return append(text: text.view, of: type, to: &buffer)
            case .file, .array, .structure, .dictionary, .payloadEnum, .any: return false
            }
            return true
        } catch {
            return false
        }
    }

    /// The form of a value as bytes of its own; nil when it is of another type.
    static func form(_ token: ByteView, of type: FieldType) -> [UInt8]? {
        var buffer = ByteBuffer()
        return append(token, of: type, to: &buffer) ? buffer.array : nil
    }

    private static func append(
        text: ByteView,
        of type: FieldType,
        to buffer: inout ByteBuffer
    ) -> Bool {
        switch type {
        case .date:
            guard let time = Timestamp.milliseconds(text) else { return false }
            append(time, to: &buffer)
        case .uuid:
            guard let id = UniqueID(text) else { return false }
            buffer.append(integer: id.high.bigEndian)
            buffer.append(integer: id.low.bigEndian)
        default:
            guard SchemaText.isDecimal(text) else { return false }
            append(decimal: text, to: &buffer)
        }
        return true
    }

    private static func append(_ value: Int64, to buffer: inout ByteBuffer) {
        buffer.append(value < 0 ? UInt8(0) : UInt8(1))
        buffer.append(integer: value.bigEndian)
    }

    private static func append(_ value: UInt64, to buffer: inout ByteBuffer) {
        buffer.append(UInt8(1))
        buffer.append(integer: value.bigEndian)
    }

    private static func append(_ value: Double, to buffer: inout ByteBuffer) {
        // Zero has two signs and is one number.
        let bits = value == 0 ? 0 : value.bitPattern
        let ascending = bits >> 63 == 0 ? bits | 1 << 63 : ~bits
        buffer.append(integer: ascending.bigEndian)
    }

    /// Digits without zeros at either end, and how many of them stand before the point.
    private static func append(decimal text: ByteView, to buffer: inout ByteBuffer) {
        let isNegative = text[0] == UInt8(ascii: "-")
        var digits: [UInt8] = []
        var exponent = 0
        var isFraction = false
        for index in (isNegative ? 1 : 0)..<text.count {
            if text[index] == UInt8(ascii: ".") {
                isFraction = true
            } else if digits.isEmpty, text[index] == UInt8(ascii: "0") {
                exponent -= isFraction ? 1 : 0
            } else {
                digits.append(text[index])
                exponent += isFraction ? 0 : 1
            }
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        guard !digits.isEmpty else { return buffer.append(UInt8(1)) }
        buffer.append(isNegative ? UInt8(0) : UInt8(2))
        let magnitude = [UInt8(exponent + 128)] + digits
        // What is larger is smaller below zero, and what goes on is smaller than what ended.
        buffer.append(isNegative ? magnitude.map { ~$0 } + [UInt8.max] : magnitude)
    }
}

extension FieldType {
    /// The length of the forms of its values; nil where they differ in length.
    ///
    /// Unit: bytes.
    var formByteCount: Int? {
        switch self {
        case .bool: 1
        case .float, .double: 8
        case .int, .uint, .integerEnum, .date: 9
        case .uuid: 16
        case .string, .url, .data, .key, .stringEnum, .decimal, .file, .array, .structure,
            .dictionary, .payloadEnum, .any:
            nil
        }
    }
}
