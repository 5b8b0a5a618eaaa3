// Where a list goes on: opaque text that a page gives and the next request returns.
//
// Shape, before base64url, all little-endian: format (1 byte), seq (8), epoch (8), digest of the
// list's parameters (8), revision (4), kind of the id (1); in format 2, of a sorted list, whether
// the record has the field's value (1), length of the value's form (2) and the form; then the id's
// number (8) or the name's bytes, and a CRC-32C over all of it. The checksum tells damage from
// another place; it is no secret.
public import HoldfastBasics
public import HoldfastRecords

/// Where a list goes on.
public struct ListCursor: Hashable, Sendable {
    /// What a record's place in a list follows from.
    public enum Place: Hashable, Sendable {
        /// Its key.
        case key
        /// The form of a field's value, nil without one; then its key.
        case value([UInt8]?)
    }

    /// The last key of the page before.
    public let last: RecordKey
    /// What its place follows from.
    public let place: Place
    /// What the page before was exact at.
    public let position: Position
    private let parameters: UInt64

    private static let fixedByteCount = 30
    private static let checksumByteCount = 4

    /// Goes on after a key.
    ///
    /// - Parameters:
    ///   - last: The last key of the page.
    ///   - place: What its place follows from; a form has 65,535 bytes at most.
    ///   - position: What the page is exact at.
    ///   - parameters: The list's other parameters that choose its entries, each as one text, in an
    ///     order of their own.
    public init(
        after last: RecordKey,
        _ place: Place = .key,
        at position: Position,
        parameters: [String]
    ) {
        self.last = last
        self.place = place
        self.position = position
        self.parameters = Self.digest(parameters)
    }

    /// Reads a cursor.
    ///
    /// - Parameters:
    ///   - text: The value of the parameter.
    ///   - parameters: As the page before was asked for.
    ///   - isSorted: Whether the list is in the order of a field's values.
    /// - Throws: `badParameter` when it is no cursor, or one of another list.
    public init(
        _ text: ByteView,
        parameters: [String],
        isSorted: Bool = false
    ) throws(ShapeRefusal) {
        guard let bytes = Base64URL.decode(text), let cursor = bytes.withView({ Self(bytes: $0) }),
            (cursor.place != .key) == isSorted
        else {
            throw ShapeRefusal(
                .badParameter,
                "This is no cursor: give the next of the page before as it was.",
                field: "cursor"
            )
        }
        guard cursor.parameters == Self.digest(parameters) else {
            throw ShapeRefusal(
                .badParameter,
                "The cursor is of another list: give the same parameters as for the page before.",
                field: "cursor"
            )
        }
        self = cursor
    }

    private init?(bytes: ByteView) {
        let end = bytes.count - Self.checksumByteCount
        guard end > Self.fixedByteCount, (1...2).contains(bytes[0]),
            bytes.integer(UInt32.self, at: end) == CRC32C.extend(0, bytes[0..<end])
        else { return nil }
        var start = Self.fixedByteCount
        if bytes[0] == 2 {
            guard end > start + 3 else { return nil }
            let form = start + 3
            let count = Int(bytes.integer(UInt16.self, at: start + 1))
            guard bytes[start] == 1 || bytes[start] == 0 && count == 0, form + count < end else {
                return nil
            }
            place = .value(bytes[start] == 1 ? bytes[form..<form + count].array : nil)
            start = form + count
        } else {
            place = .key
        }
        let id = bytes[start..<end]
        switch bytes[29] {
        case 1:
            guard id.count == 8 else { return nil }
            last = RecordKey(number: id.integer(at: 0), revision: bytes.integer(at: 25))
        case 2:
            guard RecordID.isName(id) else { return nil }
            last = RecordKey(.name(id.array), revision: bytes.integer(at: 25))
        default: return nil
        }
        let epoch = Epoch(rawValue: bytes.integer(at: 9))
        position = Position(epoch: epoch, seq: bytes.integer(at: 1))
        parameters = bytes.integer(at: 17)
    }

    /// Appends the text, which needs no escaping in JSON or in a URL.
    public func append(to buffer: inout ByteBuffer) {
        var bytes = ByteBuffer(capacity: 64)
        bytes.append(UInt8(place == .key ? 1 : 2))
        bytes.append(integer: position.seq)
        bytes.append(integer: position.epoch.rawValue)
        bytes.append(integer: parameters)
        bytes.append(integer: last.revision)
        bytes.append(UInt8(last.id.kind == .id ? 1 : 2))
        if case .value(let form) = place {
            bytes.append(UInt8(form == nil ? 0 : 1))
            bytes.append(integer: UInt16(form?.count ?? 0))
            bytes.append(form ?? [])
        }
        switch last.id {
        case .number(let number): bytes.append(integer: number)
        case .name(let name): bytes.append(name)
        }
        bytes.append(integer: CRC32C.extend(0, bytes.view))
        Base64URL.append(bytes.view, to: &buffer)
    }

    /// The text.
    public var text: String {
        var buffer = ByteBuffer(capacity: 64)
        append(to: &buffer)
        return buffer.view.text
    }

    private static func digest(_ parameters: [String]) -> UInt64 {
        var bytes = ByteBuffer()
        for parameter in parameters {
            bytes.append(integer: UInt32(parameter.utf8.count))
            bytes.append(text: parameter)
        }
        return SHA256.digest(bytes.view).truncated.high
    }
}
