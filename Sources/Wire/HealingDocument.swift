// What a server says of itself while its restored database takes no writes yet.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// The member `healing` of `GET /v1`.
public struct HealingDocument: Hashable, Sendable {
    /// A mirror that has commits which the database lacks.
    public struct Mirror: Hashable, Sendable {
        /// Id of its device.
        public let device: String
        /// The last commit it has.
        public let position: Position
    }

    /// The commit whose state was restored.
    public let restored: Position
    /// Mirrors that have shown later ones since the server was started.
    public let ahead: [Mirror]

    /// Puts the document together.
    public init(restored: Position, ahead: [(device: String, position: Position)]) {
        self.restored = restored
        self.ahead = ahead.map { Mirror(device: $0.device, position: $0.position) }
    }

    /// Reads the member; members nobody here knows are passed over.
    init(_ reader: inout FormReader) throws(FormError) {
        let start = try reader.enterObject("what a server says of its healing")
        var restored: Position?
        var ahead: [Mirror] = []
        while let name = try reader.nextMember() {
            switch name {
            case "restored": restored = try reader.position()
            case "ahead":
                try reader.enterArray()
                while try reader.nextElement() { ahead.append(try Self.mirror(&reader)) }
            default: try reader.unknownMember()
            }
        }
        self.restored = try reader.required(restored, "restored", at: start)
        self.ahead = ahead
    }

    private static func mirror(_ reader: inout FormReader) throws(FormError) -> Mirror {
        let start = try reader.enterObject()
        var (device, position): (String?, Position?)
        while let name = try reader.nextMember() {
            switch name {
            case "device": device = try reader.text()
            case "position": position = try reader.position()
            default: try reader.unknownMember()
            }
        }
        return Mirror(
            device: try reader.required(device, "device", at: start),
            position: try reader.required(position, "position", at: start)
        )
    }

    /// Appends the member's value.
    ///
    /// Shape: `{"restored","ahead":[{"device","position"}]}`.
    func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"restored\":")
        buffer.appendQuoted(restored)
        buffer.append(",\"ahead\":[")
        for (index, mirror) in ahead.enumerated() {
            buffer.append(index > 0 ? ",{\"device\":" : "{\"device\":")
            buffer.appendJSONString(mirror.device)
            buffer.append(",\"position\":")
            buffer.appendQuoted(mirror.position)
            buffer.append("}")
        }
        buffer.append("]}")
    }
}

/// What `POST /v1/heal` answers.
public enum HealingReply {
    /// Appends the answer.
    ///
    /// Shape: `{"position"}`.
    ///
    /// - Parameters:
    ///   - position: Where writes go on from.
    ///   - buffer: Gets the object.
    public static func append(_ position: Position, to buffer: inout ByteBuffer) {
        buffer.append("{\"position\":")
        buffer.appendQuoted(position)
        buffer.append("}")
    }
}
