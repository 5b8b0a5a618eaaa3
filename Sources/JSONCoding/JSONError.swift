// Everything this module can refuse, in one place, each with where it was found.

/// Why bytes are not the JSON that was wanted.
///
/// An offset counts bytes from the beginning of the text that was handed in.
public enum JSONError: Error, Equatable, Sendable {
    // MARK: The text as a whole

    /// There is no value, only white space or nothing.
    case empty
    /// The text is longer than offsets of 31 bits reach.
    case tooLong(byteCountMax: Int)
    /// The text begins with a byte order mark, which RFC 8259 forbids to add.
    case byteOrderMark
    /// Something follows the value.
    case trailingBytes(offset: Int)
    /// The text ends inside a value.
    case unexpectedEnd(offset: Int)
    /// A byte that cannot stand where it stands.
    case unexpectedByte(offset: Int, byte: UInt8)
    /// Containers are nested deeper than the limit.
    case tooDeep(offset: Int, depthMax: Int)

    // MARK: Names and strings

    /// An object names the same member twice; the offset is the second name's.
    case duplicateMember(offset: Int)
    /// A backslash that begins no escape of RFC 8259.
    case badEscape(offset: Int)
    /// An escape names half of a surrogate pair.
    case loneSurrogate(offset: Int)
    /// A control character stands unescaped in a string.
    case controlCharacter(offset: Int)
    /// A string is not UTF-8.
    case invalidUTF8(offset: Int)

    // MARK: Numbers and kinds

    /// A number breaks the grammar of RFC 8259.
    case badNumber(offset: Int)
    /// An integer was wanted, the number has a fraction or an exponent.
    case notAnInteger(offset: Int)
    /// The number does not fit the type it is read into.
    case numberOutOfRange(offset: Int)
    /// A number that JSON cannot express was to be written.
    case notFinite
    /// A value of another kind was wanted.
    case wrongKind(offset: Int, wanted: JSONKind)

    /// Where the fault lies, from the beginning of the text.
    public var offset: Int {
        switch self {
        case .empty, .tooLong, .byteOrderMark, .notFinite: 0
        case .trailingBytes(let offset), .unexpectedEnd(let offset),
            .unexpectedByte(let offset, _), .tooDeep(let offset, _),
            .duplicateMember(let offset), .badEscape(let offset), .loneSurrogate(let offset),
            .controlCharacter(let offset), .invalidUTF8(let offset), .badNumber(let offset),
            .notAnInteger(let offset), .numberOutOfRange(let offset), .wrongKind(let offset, _):
            offset
        }
    }
}

extension JSONError: CustomStringConvertible {
    /// One sentence for a problem's detail.
    public var description: String {
        switch self {
        case .empty: "no JSON value"
        case .tooLong(let limit): "JSON text longer than \(limit) bytes"
        case .byteOrderMark: "byte order mark before the JSON value"
        case .trailingBytes: "something follows the JSON value at byte \(offset)"
        case .unexpectedEnd: "JSON ends early at byte \(offset)"
        case .unexpectedByte(_, let byte): "byte 0x\(hex(byte)) not expected at byte \(offset)"
        case .tooDeep(_, let limit): "nested deeper than \(limit) levels at byte \(offset)"
        case .duplicateMember: "member named twice at byte \(offset)"
        case .badEscape: "unknown escape at byte \(offset)"
        case .loneSurrogate: "half a surrogate pair at byte \(offset)"
        case .controlCharacter: "unescaped control character at byte \(offset)"
        case .invalidUTF8: "invalid UTF-8 at byte \(offset)"
        case .badNumber: "malformed number at byte \(offset)"
        case .notAnInteger: "number with fraction or exponent at byte \(offset)"
        case .numberOutOfRange: "number out of range at byte \(offset)"
        case .notFinite: "JSON has no infinity and no NaN"
        case .wrongKind(_, let wanted): "\(wanted.rawValue) wanted at byte \(offset)"
        }
    }

    private func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }
}

/// The kinds of JSON values; each literal is a kind of its own.
public enum JSONKind: String, Sendable {
    /// Members between braces.
    case object
    /// Elements between brackets.
    case array
    /// Text between quotes.
    case string
    /// A number.
    case number
    /// The literal `true`.
    case `true`
    /// The literal `false`.
    case `false`
    /// The literal `null`.
    case null

    /// The kind of the value that begins with a byte, or nil when none does.
    @inline(__always)
    init?(firstByte: UInt8) {
        switch firstByte {
        case ASCII.quote: self = .string
        case ASCII.brace: self = .object
        case ASCII.bracket: self = .array
        case ASCII.minus, 48...57: self = .number
        case ASCII.t: self = .true
        case ASCII.f: self = .false
        case ASCII.n: self = .null
        default: return nil
        }
    }
}
