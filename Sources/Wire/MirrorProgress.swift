// What a server tells a mirror beside answers: commits, the heartbeat, and the end.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Messages of commits.
///
/// Shape: after the kind, for each commit its length as 32 bits, little-endian, and its content.
public enum MirrorCommits {
    /// Begins a message.
    public static func begin(in buffer: inout ByteBuffer) { buffer.append(MirrorKind.commits) }

    /// Appends a commit to the message begun.
    ///
    /// - Parameters:
    ///   - content: The commit's content, or its projection; at most `Limits.commitByteCountMax`.
    ///   - buffer: Has the message.
    public static func append(_ content: ByteView, to buffer: inout ByteBuffer) {
        buffer.append(integer: UInt32(content.count))
        buffer.append(content)
    }

    /// Appends a commit to the message begun, in place.
    ///
    /// - Parameters:
    ///   - buffer: Has the message; it is as it was when `body` throws.
    ///   - body: Appends the commit's projection.
    /// - Throws: What `body` throws.
    public static func append<T>(
        to buffer: inout ByteBuffer,
        _ body: (inout ByteBuffer) throws -> T
    ) rethrows {
        let start = buffer.count
        buffer.append(integer: UInt32(0))
        do {
            _ = try body(&buffer)
        } catch {
            buffer.truncate(to: start)
            throw error
        }
        buffer.replace(integer: UInt32(buffer.count - start - 4), at: start)
    }

    /// The contents of a message; they are not checked but for their lengths.
    static func contents(of body: ByteView) throws(ShapeRefusal) -> [[UInt8]] {
        var contents: [[UInt8]] = []
        var reader = ByteReader(body)
        do throws(ByteReaderError) {
            while reader.remaining > 0 {
                let length = Int(try reader.integer(UInt32.self))
                contents.append(try reader.take(length).array)
            }
        } catch {
            throw ShapeRefusal(.badBody, "The message ends inside a commit.")
        }
        guard !contents.isEmpty else {
            throw ShapeRefusal(.badBody, "A message of commits has at least one.")
        }
        return contents
    }
}

/// Heartbeat and progress.
public struct MirrorHead: Hashable, Sendable {
    /// The last commit that was sent.
    public var seq: UInt64
    /// The chain after it.
    public var chain: Hash128
    /// Hashes of the blocks the mirror has, at exactly `seq`; nil when they are not known there.
    ///
    /// A block that is not named has the hash of the empty set, zero.
    public var hashes: [BlockName: Hash128]?

    /// Says how far a server is.
    public init(seq: UInt64, chain: Hash128, hashes: [BlockName: Hash128]? = nil) {
        self.seq = seq
        self.chain = chain
        self.hashes = hashes
    }

    init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in try Self(&reader) }
    }

    private init(_ reader: inout FormReader) throws(FormError) {
        var seq: UInt64?
        var chain: Hash128?
        var hashes: [BlockName: Hash128]?
        let start = try reader.enterObject()
        while let name = try reader.nextMember() {
            switch name {
            case "seq": seq = try reader.integer(0...Limits.numberMax)
            case "chain": chain = try reader.hash()
            case "hashes":
                guard try !reader.null() else { continue }
                hashes = try reader.hashes()
            default: try reader.unknownMember()
            }
        }
        self.init(
            seq: try reader.required(seq, "seq", at: start),
            chain: try reader.required(chain, "chain", at: start),
            hashes: hashes
        )
    }

    /// Appends the message.
    ///
    /// Shape: `{"seq","chain","hashes"?:{block:hash}}`, blocks in the order of their names.
    func append(to buffer: inout ByteBuffer) {
        buffer.append(MirrorKind.head)
        buffer.append("{\"seq\":")
        buffer.append(decimal: seq)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(chain)
        if let hashes {
            buffer.append(",\"hashes\":")
            buffer.append(hashes: hashes)
        }
        buffer.append("}")
    }
}

/// The last message; the close frame has the same code.
public struct MirrorBye: Hashable, Sendable {
    /// Why, as a WebSocket close code.
    public var code: UInt16
    /// Why, for people.
    public var detail: String

    /// Ends a connection.
    public init(code: UInt16, detail: String) {
        self.code = code
        self.detail = detail
    }

    init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in
            var code: UInt16?
            var detail: String?
            let start = try reader.enterObject()
            while let name = try reader.nextMember() {
                switch name {
                case "code": code = try reader.integer(1000...4999)
                case "detail": detail = try reader.text()
                default: try reader.unknownMember()
                }
            }
            return Self(
                code: try reader.required(code, "code", at: start),
                detail: try reader.required(detail, "detail", at: start)
            )
        }
    }

    /// Appends the message.
    ///
    /// Shape: `{"code","detail"}`.
    func append(to buffer: inout ByteBuffer) {
        buffer.append(MirrorKind.bye)
        buffer.append("{\"code\":")
        buffer.append(decimal: code)
        buffer.appendText(",\"detail\":", detail)
        buffer.append("}")
    }
}
