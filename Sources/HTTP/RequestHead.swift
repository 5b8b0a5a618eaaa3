// The head of one request: offsets into its bytes, and the facts the parser has learned on the way.
//
// Invariants:
// - `fields` and the slices of `facts` lie inside `bytes`;
// - a head borrows its bytes, and where its fields stand: it may be used until the next step of
//   its parser, and no longer than the bytes handed to the step that gave it. A parser has one,
//   which it fills anew for each message, so that handing it on costs nothing.
public import HoldfastBasics

/// A method of HTTP that the router knows.
public enum HTTPMethod: Sendable, CaseIterable {
    /// Reads.
    case get
    /// Reads without the body.
    case head
    /// Proposes something.
    case post
    /// Replaces.
    case put
    /// Changes a part.
    case patch
    /// Removes.
    case delete
    /// Asks what is possible.
    case options
    /// Any other token: 501 is the router's answer.
    case other

    init(_ token: ByteView) {
        switch token.count {
        case 3: self = token.equals("GET") ? .get : token.equals("PUT") ? .put : .other
        case 4: self = token.equals("POST") ? .post : token.equals("HEAD") ? .head : .other
        case 5: self = token.equals("PATCH") ? .patch : .other
        case 6: self = token.equals("DELETE") ? .delete : .other
        case 7: self = token.equals("OPTIONS") ? .options : .other
        default: self = .other
        }
    }
}

/// Offset and length of something in a message.
struct Slice: Equatable {
    var start: UInt32 = 0
    var count: UInt32 = 0

    init() {}
    init(_ range: Range<Int>) {
        start = UInt32(range.lowerBound)
        count = UInt32(range.count)
    }
    var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// Where the names and the values of header fields stand, borrowed from the parser: offset and
/// length of a name, then of its value, 32 bits each.
struct FieldTable {
    static let entryByteCount = 16
    let bytes: ByteView

    var count: Int { bytes.count / Self.entryByteCount }

    func name(_ index: Int) -> Range<Int> { range(at: index * Self.entryByteCount) }

    func value(_ index: Int) -> Range<Int> { range(at: index * Self.entryByteCount + 8) }

    private func range(at offset: Int) -> Range<Int> {
        let start = Int(bytes.integer(UInt32.self, at: offset))
        return start..<start + Int(bytes.integer(UInt32.self, at: offset + 4))
    }
}

extension ByteBuffer {
    /// Appends an entry of a `FieldTable`.
    mutating func appendField(name: Range<Int>, value: Range<Int>) {
        append(integer: UInt64(UInt32(name.lowerBound)) | UInt64(UInt32(name.count)) << 32)
        append(integer: UInt64(UInt32(value.lowerBound)) | UInt64(UInt32(value.count)) << 32)
    }
}

/// Which lengths there are, those from 63 on as one: most fields that are looked for are not there,
/// and nothing of their length is.
@usableFromInline
struct LengthSet {
    @usableFromInline var bits: UInt64 = 0

    mutating func insert(_ length: Int) { bits |= 1 << UInt64(min(length, 63)) }

    @inlinable
    func contains(_ length: Int) -> Bool { bits & 1 << UInt64(min(length, 63)) != 0 }
}

/// What a reply must know of its request, when the bytes of the request are gone.
public struct Exchange: Sendable, Equatable {
    /// Whether the reply must not carry its body.
    public var isHead: Bool
    /// Whether the peer speaks HTTP/1.1, and thus chunks.
    public var isVersion11: Bool
    /// Whether the connection goes on after the reply; may be lowered, never raised.
    public var keepsAlive: Bool

    /// Puts the three facts together.
    public init(isHead: Bool, isVersion11: Bool, keepsAlive: Bool) {
        self.isHead = isHead
        self.isVersion11 = isVersion11
        self.keepsAlive = keepsAlive
    }

    /// For a reply to what could not be read: HTTP/1.1, then close.
    public static let refusal = Exchange(isHead: false, isVersion11: true, keepsAlive: false)
}

/// The head of one request, borrowed from its bytes.
///
/// Valid until the next step of the parser that gave it.
public final class RequestHead {
    /// All bytes of the head, the empty line included.
    public internal(set) var bytes = ByteView.empty
    var facts = HeadFacts()
    var fields = FieldTable(bytes: .empty)
    /// The lengths of the names of all fields.
    @usableFromInline var nameLengths = LengthSet()

    init() {}

    /// Forgets what was read, before the next message.
    func clear() {
        facts = HeadFacts()
        nameLengths = LengthSet()
    }

    /// Adds the length of a field's name.
    func noteName(byteCount: Int) { nameLengths.insert(byteCount) }

    /// The method as sent.
    public var methodText: ByteView { bytes[facts.method.range] }

    /// The method.
    public var method: HTTPMethod { facts.knownMethod }

    /// Path and query, in origin form: begins with `/`, or is `*` for OPTIONS.
    ///
    /// Of a target in absolute form this is what follows the host; `/` when nothing does.
    public var target: ByteView {
        facts.target.count == 0 ? ByteView("/") : bytes[facts.target.range]
    }

    /// The host with its port, as the client named it; empty in HTTP/1.0 without one.
    public var host: ByteView { bytes[facts.host.range] }

    /// Whether the message is of HTTP/1.1, not 1.0.
    public var isVersion11: Bool { facts.isVersion11 }

    /// Whether the connection may carry another request after this one.
    public var keepsAlive: Bool { facts.keepsAlive }

    /// Whether the client waits for `100 Continue`.
    public var expectsContinue: Bool { facts.expectsContinue && hasContent }

    /// The announced length of the body, nil for chunks.
    public var contentLength: Int? {
        facts.isChunked ? nil : max(facts.contentLength, 0)
    }

    /// Whether the body comes in chunks.
    public var isChunked: Bool { facts.isChunked }

    /// Whether a body follows, be it chunks of nothing.
    public var hasContent: Bool { facts.isChunked || facts.contentLength > 0 }

    /// Whether the client asks for WebSocket.
    public var wantsWebSocket: Bool {
        facts.isVersion11 && facts.namesUpgrade && facts.namesWebSocket
    }

    /// What the reply must know.
    public var exchange: Exchange {
        Exchange(
            isHead: method == .head,
            isVersion11: facts.isVersion11,
            keepsAlive: facts.keepsAlive
        )
    }

    // MARK: Fields

    /// How many header fields there are.
    public var fieldCount: Int { fields.count }

    /// One header field, in the order sent.
    public func field(at index: Int) -> (name: ByteView, value: ByteView) {
        (bytes[fields.name(index)], bytes[fields.value(index)])
    }

    /// The value of the first field of a name, given in lower case, without blanks around it.
    @inlinable
    public func first(_ name: StaticString) -> ByteView? { mayHave(name) ? find(name) : nil }

    @usableFromInline
    func find(_ name: StaticString) -> ByteView? {
        for index in 0..<fields.count where bytes[fields.name(index)].equalsIgnoringCase(name) {
            return bytes[fields.value(index)]
        }
        return nil
    }

    /// The value of a field that may stand once at most, its name given in lower case.
    ///
    /// - Throws: `fieldRepeated` when it stands several times.
    @inlinable
    public func single(_ name: StaticString) throws(HTTPError) -> ByteView? {
        mayHave(name) ? try findSingle(name) : nil
    }

    @usableFromInline
    func findSingle(_ name: StaticString) throws(HTTPError) -> ByteView? {
        var found: ByteView?
        for index in 0..<fields.count where bytes[fields.name(index)].equalsIgnoringCase(name) {
            if found != nil { throw .fieldRepeated(name: ByteView(name).text) }
            found = bytes[fields.value(index)]
        }
        return found
    }

    /// Lends the value of every field of a name, given in lower case, in the order sent.
    public func forEach(_ name: StaticString, _ body: (ByteView) throws -> Void) rethrows {
        guard mayHave(name) else { return }
        for index in 0..<fields.count where bytes[fields.name(index)].equalsIgnoringCase(name) {
            try body(bytes[fields.value(index)])
        }
    }

    @inlinable @inline(__always)
    func mayHave(_ name: StaticString) -> Bool { nameLengths.contains(name.utf8CodeUnitCount) }
}

/// A request that has arrived whole.
public struct Request {
    /// Its head.
    public let head: RequestHead
    /// Its body, decoded; empty when there is none or when it was streamed.
    public let body: ByteView
}
