// A strict, incremental parser of HTTP/1.1 requests over bytes somebody else reads.
//
// Invariants:
// - the head of a message is consumed together with the first bytes of its body, never before, so
//   that its offsets hold while the caller keeps what was not consumed; from then on `kept` holds
//   it;
// - the same bytes give the same result however they are cut; only `wantsContinue` depends on it;
// - after a refusal, and after a message that ends the connection, nothing more is parsed;
// - nothing is allocated per request once the buffers have grown to their use.
//
// Source: RFC 9112; where it lets a server choose, this one refuses.
public import HoldfastBasics

/// What the bytes have come to so far.
public enum RequestStep {
    /// Nothing more can be said before more bytes come.
    case needsMore
    /// The head is complete: choose with `accept` what becomes of the body, then step on.
    case head(RequestHead)
    /// The client waits for `100 Continue`, and the body is within its limit: send it, step on.
    case wantsContinue
    /// The next bytes of a streamed body, at least one; valid until the next step.
    case content(ByteView)
    /// The message is complete.
    case complete(Request)
    /// The request cannot be taken: reply with the error's status and close the connection.
    case refused(HTTPError)
}

/// Parses one connection's requests, one after the other.
///
/// Give `step` the bytes not consumed yet until it says `needsMore` or `refused`.
public struct RequestParser: ~Copyable {
    /// What becomes of a body.
    public enum Content: Sendable {
        /// It is gathered and handed over with `complete`; above the limit it is refused with 413.
        case whole(byteCountMax: Int)
        /// It is handed over with `content` as it comes, without limit.
        case stream
    }

    enum Phase {
        case head, headRead, content, complete, finished
    }

    let headByteCountMax: Int
    let targetByteCountMax: Int
    let headerCountMax: Int
    let bodyByteCountMax: Int

    var phase = Phase.head
    let head = RequestHead()
    /// A `FieldTable`.
    var fields = ByteBuffer()
    private var content: Content
    private var chunks = ChunkDecoder()
    private var sawEmptyLine = false
    private var askedContinue = false
    /// Bytes of a body of known length that have not come yet.
    private var missing = 0
    /// The head, once its bytes are consumed while the body is not complete.
    private var kept = ByteBuffer()
    private var isKept = false
    /// The body gathered so far, when it does not lie whole in the caller's bytes.
    private var gathered = ByteBuffer()
    private var refusal: HTTPError?

    /// Memory above this is given back between messages.
    private static let idleByteCountMax = 64 << 10

    /// A parser for one connection.
    ///
    /// - Parameters:
    ///   - headByteCountMax: Longest head, its empty line included.
    ///   - targetByteCountMax: Longest target.
    ///   - headerCountMax: Most header fields.
    ///   - bodyByteCountMax: Longest body of a request nobody called `accept` for.
    public init(
        headByteCountMax: Int = Limits.headByteCountMax,
        targetByteCountMax: Int = Limits.targetByteCountMax,
        headerCountMax: Int = Limits.headerCountMax,
        bodyByteCountMax: Int = Limits.bodyByteCountMax
    ) {
        precondition(headByteCountMax < Int(UInt32.max), "offsets have 32 bits")
        self.headByteCountMax = headByteCountMax
        self.targetByteCountMax = targetByteCountMax
        self.headerCountMax = headerCountMax
        self.bodyByteCountMax = bodyByteCountMax
        content = .whole(byteCountMax: bodyByteCountMax)
    }

    /// Whether no byte of a further message has come: the peer may end the connection here.
    public var isIdle: Bool {
        switch phase {
        case .head: head.facts.scanned == 0
        case .complete, .finished: true
        case .headRead, .content: false
        }
    }

    /// Whether a head is complete and its body is not.
    public var isReadingContent: Bool { phase == .headRead || phase == .content }

    /// Chooses what becomes of the body, after `head` and before the next step.
    public mutating func accept(_ content: Content) {
        precondition(phase == .headRead, "the body is chosen when the head has just been read")
        self.content = content
    }

    /// Goes on to the next thing to tell.
    ///
    /// - Parameters:
    ///   - bytes: What has been received; the bytes from `offset` on are those not consumed yet.
    ///   - offset: Is moved behind what is consumed.
    /// - Returns: What the bytes have come to.
    public mutating func step(_ bytes: ByteView, _ offset: inout Int) -> RequestStep {
        if let refusal {
            offset = bytes.count
            return .refused(refusal)
        }
        do throws(HTTPError) {
            return try advance(bytes, &offset)
        } catch {
            refusal = error
            offset = bytes.count
            return .refused(error)
        }
    }

    private mutating func advance(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(HTTPError) -> RequestStep {
        if phase == .complete { begin() }
        switch phase {
        case .head:
            guard try skipEmptyLine(bytes, &offset) else { return .needsMore }
            guard try readHead(bytes.suffix(from: offset)) else { return .needsMore }
            phase = .headRead
            return .head(lendHead(bytes, offset))
        case .headRead:
            try beginContent()
            return try readContent(bytes, &offset)
        case .content:
            return try readContent(bytes, &offset)
        case .complete, .finished:
            offset = bytes.count
            return .needsMore
        }
    }

    private mutating func begin() {
        phase = .head
        head.clear()
        fields.removeAll()
        content = .whole(byteCountMax: bodyByteCountMax)
        sawEmptyLine = false
        askedContinue = false
        isKept = false
        kept.removeAll()
        gathered.removeAll()
        gathered.shrinkIfEmpty(above: Self.idleByteCountMax)
    }

    /// Passes over one empty line ahead of a request line, and no second one.
    ///
    /// Source: RFC 9112, section 2.2.
    ///
    /// - Returns: False when the bytes do not say yet.
    private mutating func skipEmptyLine(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(HTTPError) -> Bool {
        while offset < bytes.count, head.facts.scanned == 0 {
            if bytes[offset] == ASCII.lineFeed { throw .bareLineFeed }
            guard bytes[offset] == ASCII.carriageReturn else { return true }
            guard offset + 1 < bytes.count else { return false }
            guard bytes[offset + 1] == ASCII.lineFeed else { throw .malformedRequestLine }
            if sawEmptyLine { throw .strayEmptyLine }
            sawEmptyLine = true
            offset += 2
        }
        return true
    }

    /// The head as it stands at `offset`, or as it was kept.
    private func lendHead(_ bytes: ByteView, _ offset: Int) -> RequestHead {
        head.bytes = isKept ? kept.view : bytes[offset..<offset + head.facts.byteCount]
        head.fields = FieldTable(bytes: fields.view)
        return head
    }

    // MARK: The body

    private mutating func beginContent() throws(HTTPError) {
        var limit = Int.max
        if case .whole(let byteCountMax) = content { limit = byteCountMax }
        if head.facts.contentLength > limit { throw .contentTooLarge(limit: limit) }
        missing = max(head.facts.contentLength, 0)
        if head.facts.isChunked { chunks = ChunkDecoder(byteCountMax: limit) }
        phase = .content
    }

    private mutating func readContent(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(HTTPError) -> RequestStep {
        let start = offset
        var position = isKept ? offset : offset + head.facts.byteCount
        let hasContent = head.facts.isChunked || head.facts.contentLength > 0
        if hasContent, head.facts.expectsContinue, !askedContinue, position == bytes.count {
            askedContinue = true
            return .wantsContinue
        }
        askedContinue = true
        if case .stream = content, hasContent, !isKept { keepHead(bytes, offset) }

        let piece = try nextPiece(bytes, &position)
        offset = position
        switch piece {
        case .complete(let body):
            let head = lendHead(bytes, start)
            phase = head.facts.keepsAlive ? .complete : .finished
            return .complete(Request(head: head, body: body))
        case .part(let part):
            return .content(part)
        case .needsMore:
            if !isKept { keepHead(bytes, start) }
            return .needsMore
        }
    }

    private enum Piece {
        case needsMore
        case part(ByteView)
        case complete(ByteView)
    }

    private mutating func nextPiece(
        _ bytes: ByteView,
        _ position: inout Int
    ) throws(HTTPError) -> Piece {
        if head.facts.isChunked { return try nextChunk(bytes, &position) }
        let available = bytes[position..<position + min(missing, bytes.count - position)]
        position += available.count
        missing -= available.count
        if case .stream = content {
            if available.isEmpty { return missing == 0 ? .complete(.empty) : .needsMore }
            return .part(available)
        }
        // The whole body in place is the common case, and costs no copy.
        if missing == 0, gathered.isEmpty { return .complete(available) }
        gathered.append(available)
        return missing == 0 ? .complete(gathered.view) : .needsMore
    }

    private mutating func nextChunk(
        _ bytes: ByteView,
        _ position: inout Int
    ) throws(HTTPError) -> Piece {
        while true {
            switch try chunks.step(bytes, &position) {
            case .needsMore: return .needsMore
            case .end: return .complete(gathered.view)
            case .data(let data):
                if case .stream = content { return .part(data) }
                gathered.append(data)
            }
        }
    }

    private mutating func keepHead(_ bytes: ByteView, _ offset: Int) {
        kept.append(bytes[offset..<offset + head.facts.byteCount])
        isKept = true
    }
}
