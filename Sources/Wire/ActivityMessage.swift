// What a feed that asked for activity is told besides commits.
public import HoldfastBasics
internal import HoldfastJSONCoding

/// Somebody read, came, went, or is still there; it has no place among the commits.
///
/// Shape: `{"activity":{"kind","at","by","device","path","seq"?}}`.
public struct ActivityMessage: Sendable {
    /// What somebody did.
    public enum Kind: String, Sendable {
        /// Asked for one thing.
        case read
        /// Asked for many.
        case list
        /// Opened a feed, a stream of events, or a mirror.
        case connect
        /// Is gone.
        case disconnect
        /// Was sent a heartbeat, or one was due.
        case heartbeat
    }

    private let kind: Kind
    private let at: Int64
    private let user: String
    private let device: String
    private let path: String
    private let seq: UInt64?

    /// Tells of something.
    ///
    /// - Parameters:
    ///   - kind: What.
    ///   - at: When, in milliseconds since 1970.
    ///   - user: Who.
    ///   - device: Where.
    ///   - path: What was asked for, as it was asked, without the query.
    ///   - seq: The last commit that was sent there; nil where none is.
    public init(
        _ kind: Kind,
        at: Int64,
        user: String,
        device: String,
        path: String,
        seq: UInt64? = nil
    ) {
        self.kind = kind
        self.at = at
        self.user = user
        self.device = device
        self.path = path
        self.seq = seq
    }

    /// Appends the message.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append(text: "{\"activity\":{\"kind\":\"\(kind.rawValue)\",\"at\":")
        buffer.appendTime(at)
        buffer.append(",\"by\":")
        buffer.appendJSONString(user)
        buffer.append(",\"device\":")
        buffer.appendJSONString(device)
        buffer.append(",\"path\":")
        buffer.appendJSONString(path)
        if let seq {
            buffer.append(",\"seq\":")
            buffer.append(decimal: seq)
        }
        buffer.append("}}")
    }

    /// Appends `{"activity":{"missed"}}`: so many were not told, as the client read too slowly.
    public static func appendMissed(_ count: Int, to buffer: inout ByteBuffer) {
        buffer.append("{\"activity\":{\"missed\":")
        buffer.append(decimal: count)
        buffer.append("}}")
    }
}
