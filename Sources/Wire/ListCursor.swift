// Where a list goes on: opaque text that a page gives and the next request returns.
//
// Shape, before base64url, all little-endian: format (1 byte), seq (8), epoch (8), digest of the
// list's parameters (8), revision (4), kind of the id (1), the id's number (8) or the name's bytes;
// then a CRC-32C over all of it. The checksum tells damage from another place; it is no secret.
public import HoldfastBasics
public import HoldfastRecords

/// Where a list goes on.
public struct ListCursor: Hashable, Sendable {
    /// The last key of the page before.
    public let last: RecordKey
    /// What the page before was exact at.
    public let position: Position
    private let parameters: UInt64

    private static let format: UInt8 = 1
    private static let fixedByteCount = 30
    private static let checksumByteCount = 4

    /// Goes on after a key.
    ///
    /// - Parameters:
    ///   - last: The last key of the page.
    ///   - position: What the page is exact at.
    ///   - parameters: The list's other parameters that choose its entries, each as one text, in an
    ///     order of their own.
    public init(after last: RecordKey, at position: Position, parameters: [String]) {
        self.last = last
        self.position = position
        self.parameters = Self.digest(parameters)
    }

    /// Reads a cursor.
    ///
    /// - Parameters:
    ///   - text: The value of the parameter.
    ///   - parameters: As the page before was asked for.
    /// - Throws: `badParameter` when it is no cursor, or one of another list.
    public init(_ text: ByteView, parameters: [String]) throws(ShapeRefusal) {
        guard let bytes = Base64URL.decode(text), let cursor = bytes.withView({ Self(bytes: $0) })
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
        guard end > Self.fixedByteCount, bytes[0] == Self.format,
            bytes.integer(UInt32.self, at: end) == CRC32C.extend(0, bytes[0..<end])
        else { return nil }
        let id = bytes[Self.fixedByteCount..<end]
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
        bytes.append(Self.format)
        bytes.append(integer: position.seq)
        bytes.append(integer: position.epoch.rawValue)
        bytes.append(integer: parameters)
        bytes.append(integer: last.revision)
        switch last.id {
        case .number(let number):
            bytes.append(UInt8(1))
            bytes.append(integer: number)
        case .name(let name):
            bytes.append(UInt8(2))
            bytes.append(name)
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
