// A strict, incremental parser of replies, for a client that sends one request and waits.
//
// Invariants:
// - nothing is consumed of a head that is not complete; the body is consumed as it comes;
// - the same bytes give the same result however they are cut;
// - after a refusal nothing more is parsed: the connection must end.
//
// Source: RFC 9112, sections 4, 6 and 7; a reply whose end only the end of the connection tells is
// refused, as nobody could tell it from one that was cut.
public import HoldfastBasics

/// A whole reply.
public struct Response: Sendable {
    /// The status.
    public let status: Int
    /// The body, chunks joined.
    public let body: [UInt8]
    private let fields: [(name: [UInt8], value: [UInt8])]

    init(status: Int, fields: [(name: [UInt8], value: [UInt8])], body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// The value of a field that may stand once.
    ///
    /// - Parameter lowerCase: The field's name in lower case.
    /// - Returns: The value; nil when it stands not.
    /// - Throws: `fieldRepeated`.
    public func single(_ lowerCase: StaticString) throws(HTTPError) -> String? {
        var found: String?
        for field in fields where field.name.withView({ $0.equalsIgnoringCase(lowerCase) }) {
            guard found == nil else { throw .fieldRepeated(name: "\(lowerCase)") }
            found = String(decoding: field.value, as: UTF8.self)
        }
        return found
    }

    /// Whether a field that is a list of tokens names one of them.
    public func names(_ lowerCase: StaticString, _ token: StaticString) -> Bool {
        fields.contains { field in
            field.name.withView { $0.equalsIgnoringCase(lowerCase) }
                && field.value.withView { FieldList.contains($0, token) }
        }
    }
}

/// What the bytes have come to so far.
public enum ResponseStep: Sendable {
    /// Nothing more can be said before more bytes come.
    case needsMore
    /// A whole reply; what follows it is not HTTP when its status is 101.
    case complete(Response)
    /// The reply cannot be taken: the connection must end.
    case refused(HTTPError)
}

/// Parses the replies of one connection, one after the other.
public struct ResponseParser: ~Copyable {
    private let headByteCountMax: Int
    private let bodyByteCountMax: Int
    private var status = 0
    private var fields: [(name: [UInt8], value: [UInt8])] = []
    private var isReadingBody = false
    private var chunks: ChunkDecoder?
    private var missing = 0
    private var body = ByteBuffer()
    private var refusal: HTTPError?

    /// A parser for one connection.
    ///
    /// - Parameters:
    ///   - headByteCountMax: Longest head, its empty line included.
    ///   - bodyByteCountMax: Longest body.
    public init(
        headByteCountMax: Int = Limits.headByteCountMax,
        bodyByteCountMax: Int = Limits.bodyByteCountMax
    ) {
        self.headByteCountMax = headByteCountMax
        self.bodyByteCountMax = bodyByteCountMax
    }

    /// Goes on to the next thing to tell.
    ///
    /// - Parameters:
    ///   - bytes: What has been received; the bytes from `offset` on are those not consumed yet.
    ///   - offset: Is moved behind what is consumed.
    /// - Returns: What the bytes have come to.
    public mutating func step(_ bytes: ByteView, _ offset: inout Int) -> ResponseStep {
        if let refusal { return .refused(refusal) }
        do throws(HTTPError) {
            while true {
                if !isReadingBody {
                    guard try readHead(bytes, &offset) else { return .needsMore }
                    // 100 and 103 come ahead of the reply that counts.
                    if status < 200, status != 101 { continue }
                    isReadingBody = true
                }
                guard try readBody(bytes, &offset) else { return .needsMore }
                isReadingBody = false
                let response = Response(status: status, fields: fields, body: body.array)
                body.removeAll()
                return .complete(response)
            }
        } catch {
            refusal = error
            return .refused(error)
        }
    }

    // MARK: Head

    private mutating func readHead(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(HTTPError) -> Bool {
        let head = bytes.suffix(from: offset)
        var line = 0
        status = 0
        fields.removeAll()
        while let end = head.firstIndex(of: ASCII.lineFeed, from: line) {
            guard end < headByteCountMax else { break }
            guard end > line, head[end - 1] == ASCII.carriageReturn else { throw .bareLineFeed }
            if status == 0 {
                status = try Self.status(head[line..<end - 1])
            } else if end - 1 == line {
                offset += end + 1
                try judgeHead()
                return true
            } else {
                guard fields.count < Limits.headerCountMax else {
                    throw .tooManyFields(limit: Limits.headerCountMax)
                }
                let (nameEnd, value) = try FieldLine.split(head, line, end - 1)
                fields.append((head[line..<nameEnd].array, head[value].array))
            }
            line = end + 1
        }
        guard head.count < headByteCountMax else { throw .headTooLarge(limit: headByteCountMax) }
        return false
    }

    /// Reads `HTTP/1.x SP 3 digits SP reason`.
    private static func status(_ line: ByteView) throws(HTTPError) -> Int {
        guard line.count >= 12, line[0..<7].equals("HTTP/1."),
            line[7] == UInt8(ascii: "1") || line[7] == UInt8(ascii: "0"),
            line[8] == ASCII.space, let status = line[9..<12].decimal,
            (100...599).contains(status), line.count == 12 || line[12] == ASCII.space
        else { throw .malformedStatusLine }
        for index in 12..<line.count where !ASCII.isFieldContent(line[index]) {
            throw .controlCharacter
        }
        return status
    }

    /// How the body ends.
    private mutating func judgeHead() throws(HTTPError) {
        var (length, isChunked): (Int?, Bool) = (nil, false)
        for field in fields {
            if field.name.withView({ $0.equalsIgnoringCase("content-length") }) {
                guard length == nil else { throw .contentLengthRepeated }
                guard let count = field.value.withView(\.decimal) else { throw .badContentLength }
                length = count
            } else if field.name.withView({ $0.equalsIgnoringCase("transfer-encoding") }) {
                guard !isChunked else { throw .transferCodingRepeated }
                guard field.value.withView({ $0.equalsIgnoringCase("chunked") }) else {
                    throw .unknownTransferCoding
                }
                isChunked = true
            }
        }
        guard length == nil || !isChunked else { throw .contentLengthWithChunks }
        chunks = nil
        missing = 0
        if status < 200 || status == 204 || status == 304 { return }
        if isChunked {
            chunks = ChunkDecoder(byteCountMax: bodyByteCountMax)
        } else {
            guard let length else { throw .lengthMissing }
            guard length <= bodyByteCountMax else {
                throw .contentTooLarge(limit: bodyByteCountMax)
            }
            missing = length
        }
    }

    // MARK: Body

    private mutating func readBody(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(HTTPError) -> Bool {
        guard chunks != nil else {
            let part = bytes[offset..<offset + min(missing, bytes.count - offset)]
            body.append(part)
            offset += part.count
            missing -= part.count
            return missing == 0
        }
        while true {
            switch try chunks?.step(bytes, &offset) ?? .end {
            case .needsMore: return false
            case .data(let data): body.append(data)
            case .end: return true
            }
        }
    }
}
