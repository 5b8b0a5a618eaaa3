// What a mirror and its server say to each other: `holdfast.mirror.v1`. A message is one binary
// WebSocket message; its first byte is the kind, the rest JSON or, for commits, bytes. The contract
// is openapi/mirror.md.
//
// What goes up is read strictly; what comes down may have members this version does not know, and
// kinds it does not know are passed over.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// The protocol's own numbers.
public enum MirrorProtocol {
    /// The version both sides must speak.
    public static let version: UInt64 = 1
    /// The WebSocket subprotocol.
    public static let subprotocol = "holdfast.mirror.v1"
}

/// The first byte of a message.
enum MirrorKind {
    static let hello: UInt8 = 0x01
    static let change: UInt8 = 0x02
    static let settled: UInt8 = 0x03
    static let welcome: UInt8 = 0x81
    static let commits: UInt8 = 0x82
    static let head: UInt8 = 0x83
    static let accepted: UInt8 = 0x84
    static let refused: UInt8 = 0x85
    static let bye: UInt8 = 0x86
}

/// A message of a mirror to its server.
public enum MirrorUp: Hashable, Sendable {
    /// Who it is and what it has; the first message.
    case hello(MirrorHello)
    /// What it proposes.
    case change(MirrorChange)
    /// The outcomes of its changes up to this `deviceSeq` are known there for ever.
    case settled(through: UInt64)

    /// Reads a message.
    ///
    /// - Parameter message: A whole binary message.
    /// - Throws: What is wrong, and of which change when that can be told.
    public init(_ message: ByteView) throws(MirrorFault) {
        guard !message.isEmpty else { throw MirrorFault(.kind(nil)) }
        let body = message.suffix(from: 1)
        switch message[0] {
        case MirrorKind.hello:
            do throws(ShapeRefusal) {
                self = .hello(try MirrorHello(body))
            } catch {
                throw MirrorFault(error)
            }
        case MirrorKind.change:
            do throws(ShapeRefusal) {
                self = .change(try MirrorChange(body))
            } catch {
                throw MirrorFault(error, change: MirrorChange.identify(body))
            }
        case MirrorKind.settled:
            do throws(ShapeRefusal) {
                self = .settled(through: try Body.read(body, MirrorUp.through))
            } catch {
                throw MirrorFault(error)
            }
        default: throw MirrorFault(.kind(message[0]))
        }
    }

    /// Appends the message.
    public func append(to buffer: inout ByteBuffer) {
        switch self {
        case .hello(let hello):
            buffer.append(MirrorKind.hello)
            hello.append(to: &buffer)
        case .change(let change):
            buffer.append(MirrorKind.change)
            change.change.append(to: &buffer)
        case .settled(let through):
            buffer.append(MirrorKind.settled)
            buffer.append("{\"through\":")
            buffer.append(decimal: through)
            buffer.append("}")
        }
    }

    private static func through(_ reader: inout FormReader) throws(FormError) -> UInt64 {
        let start = try reader.enterObject("an object with through")
        var through: UInt64?
        while let name = try reader.nextMember() {
            switch name {
            case "through": through = try reader.integer(0...Limits.numberMax)
            default: try reader.unknownMember()
            }
        }
        return try reader.required(through, "through", at: start)
    }
}

/// A message of a server to a mirror.
public enum MirrorDown: Hashable, Sendable {
    /// Which database it is and where it stands; the first message.
    case welcome(MirrorWelcome)
    /// Whole commits in order, or projections for a mirror of chosen trees, each its content.
    case commits([[UInt8]])
    /// Heartbeat and progress.
    case head(MirrorHead)
    /// A change became a commit.
    case accepted(MirrorAccepted)
    /// A change is refused as a whole.
    case refused(MirrorRefused)
    /// The last message.
    case bye(MirrorBye)
    /// A kind this version does not know: to be passed over.
    case unknown(UInt8)

    /// Reads a message.
    ///
    /// - Parameter message: A whole binary message.
    /// - Throws: What is wrong.
    public init(_ message: ByteView) throws(MirrorFault) {
        guard !message.isEmpty else { throw MirrorFault(.kind(nil)) }
        let body = message.suffix(from: 1)
        do throws(ShapeRefusal) {
            // Every kind but commits is JSON.
            switch message[0] {
            case MirrorKind.welcome: self = .welcome(try MirrorWelcome(body))
            case MirrorKind.commits: self = .commits(try MirrorCommits.contents(of: body))
            case MirrorKind.head: self = .head(try MirrorHead(body))
            case MirrorKind.accepted: self = .accepted(try MirrorAccepted(body))
            case MirrorKind.refused: self = .refused(try MirrorRefused(body))
            case MirrorKind.bye: self = .bye(try MirrorBye(body))
            default: self = .unknown(message[0])
            }
        } catch {
            throw MirrorFault(error)
        }
    }

    /// Appends the message; nothing for an unknown one.
    public func append(to buffer: inout ByteBuffer) {
        switch self {
        case .welcome(let welcome): welcome.append(to: &buffer)
        case .commits(let contents):
            MirrorCommits.begin(in: &buffer)
            for content in contents { content.withView { MirrorCommits.append($0, to: &buffer) } }
        case .head(let head): head.append(to: &buffer)
        case .accepted(let accepted): accepted.append(to: &buffer)
        case .refused(let refused): refused.append(to: &buffer)
        case .bye(let bye): bye.append(to: &buffer)
        case .unknown: return
        }
    }
}

/// Why a message is none of the protocol's.
public struct MirrorFault: Error, Hashable, Sendable {
    /// The code, a sentence that says what to do, and the member.
    public let refusal: Refusal
    /// The change whose message it was: it is answered, and the connection goes on.
    public let change: MirrorChange.Name?

    init(_ shape: ShapeRefusal, change: MirrorChange.Name? = nil) {
        refusal = shape.refusal
        self.change = change
    }
}

extension ShapeRefusal {
    /// A first byte that is no kind of this direction.
    fileprivate static func kind(_ byte: UInt8?) -> ShapeRefusal {
        guard let byte else {
            return ShapeRefusal(.badBody, "A message has at least its kind, one byte.")
        }
        return ShapeRefusal(
            .badBody,
            "Kind \(byte) is none of this protocol's messages in this direction."
        )
    }
}
