// Everything a request can be refused for before a route has seen it, grouped by when it is
// noticed.

/// Why a request, or a part of it, cannot be taken as it stands.
///
/// `status` and `reason` are what the caller is told. After an error of the parser the connection
/// must end, as nobody can say where the next message would begin.
public enum HTTPError: Error, Equatable, Sendable {
    // MARK: The request line

    /// The request line is not `method SP target SP version`.
    case malformedRequestLine
    /// More than one empty line stands ahead of the request.
    case strayEmptyLine
    /// A version other than 1.0 and 1.1.
    case unsupportedVersion
    /// The method CONNECT, which makes a tunnel.
    case tunnelRefused
    /// The target has a character, or is of a form, that does not belong there.
    case badTarget
    /// The target is longer than `limit` bytes.
    case targetTooLong(limit: Int)

    // MARK: The head

    /// A line ends in LF without CR.
    case bareLineFeed
    /// A field goes on in the next line.
    case foldedField
    /// A line is not `name: value`.
    case malformedField
    /// A control character stands in a value.
    case controlCharacter
    /// The head is longer than `limit` bytes.
    case headTooLarge(limit: Int)
    /// The head has more than `limit` fields.
    case tooManyFields(limit: Int)
    /// HTTP/1.1 without a Host field.
    case hostMissing
    /// More than one Host field.
    case hostRepeated
    /// The value of Host is not a host, or not the one the target names.
    case badHost
    /// The value of Connection is not a list of tokens.
    case badConnection
    /// An expectation other than `100-continue`.
    case unknownExpectation

    // MARK: The body

    /// Content-Length is not one decimal number.
    case badContentLength
    /// More than one Content-Length field, be they equal.
    case contentLengthRepeated
    /// Content-Length and Transfer-Encoding in one message.
    case contentLengthWithChunks
    /// A transfer coding other than exactly `chunked`.
    case unknownTransferCoding
    /// More than one Transfer-Encoding field.
    case transferCodingRepeated
    /// Transfer-Encoding in a message of HTTP/1.0.
    case transferCodingBefore11
    /// The chunks of a body do not follow the grammar.
    case malformedChunk
    /// The trailers are longer than `limit` bytes.
    case trailersTooLarge(limit: Int)
    /// The body is longer than `limit` bytes.
    case contentTooLarge(limit: Int)

    // MARK: Replies, when a client reads them

    /// The first line of a reply is not `version SP status SP reason`.
    case malformedStatusLine
    /// A reply does not say how long its body is.
    case lengthMissing
    /// The reply to a WebSocket handshake is not the one its key asks for.
    case badAcceptance

    // MARK: Targets and fields, when a route reads them

    /// `%` without two hexadecimal digits.
    case badEscape
    /// The decoded bytes are not UTF-8.
    case notUTF8
    /// A path segment is empty, `.` or `..`, or holds NUL.
    case badSegment
    /// A field that may stand once stands several times.
    case fieldRepeated(name: String)
    /// The value of a field does not follow its grammar.
    case badField(name: String)
    /// A query parameter that may stand once stands several times.
    case parameterRepeated(name: String)
    /// A WebSocket handshake of another version than 13.
    case webSocketVersion
    /// A WebSocket handshake that lacks something or is wrong.
    case badHandshake

    /// The status of the refusal.
    public var status: HTTPStatus {
        switch self {
        case .unsupportedVersion: .versionNotSupported
        case .tunnelRefused, .unknownTransferCoding: .notImplemented
        case .targetTooLong: .uriTooLong
        case .headTooLarge, .tooManyFields, .trailersTooLarge: .fieldsTooLarge
        case .unknownExpectation: .expectationFailed
        case .contentTooLarge: .contentTooLarge
        case .webSocketVersion: .upgradeRequired
        default: .badRequest
        }
    }

    /// The reason in plain words, for the caller.
    public var reason: String {
        switch self {
        case .malformedRequestLine: "The request line is not 'METHOD target HTTP/1.1'."
        case .strayEmptyLine: "More than one empty line stands ahead of the request."
        case .unsupportedVersion: "This server speaks HTTP/1.1 and HTTP/1.0."
        case .tunnelRefused: "This server makes no tunnels."
        case .badTarget: "The request target is malformed."
        case .targetTooLong(let limit): "The request target is longer than \(limit) bytes."
        case .bareLineFeed: "A line ends in LF without CR."
        case .foldedField: "A header field goes on in a second line."
        case .malformedField: "A header line is not 'name: value'."
        case .controlCharacter: "A header value holds a control character."
        case .headTooLarge(let limit): "The request head is longer than \(limit) bytes."
        case .tooManyFields(let limit): "The request has more than \(limit) header fields."
        case .hostMissing: "The Host field is missing."
        case .hostRepeated: "There are several Host fields."
        case .badHost: "The Host field is malformed, or not the host of the target."
        case .badConnection: "The Connection field is not a list of tokens."
        case .unknownExpectation: "The only known expectation is '100-continue'."
        case .badContentLength: "Content-Length is not one decimal number."
        case .contentLengthRepeated: "There are several Content-Length fields."
        case .contentLengthWithChunks: "Content-Length and Transfer-Encoding exclude each other."
        case .unknownTransferCoding: "The only known transfer coding is 'chunked'."
        case .transferCodingRepeated: "There are several Transfer-Encoding fields."
        case .transferCodingBefore11: "HTTP/1.0 has no Transfer-Encoding."
        case .malformedChunk: "The chunks of the body are malformed."
        case .trailersTooLarge(let limit): "The trailers are longer than \(limit) bytes."
        case .contentTooLarge(let limit): "The body is longer than \(limit) bytes."
        case .malformedStatusLine: "The first line is not 'HTTP/1.1 status reason'."
        case .lengthMissing: "The reply does not say how long its body is."
        case .badAcceptance: "The reply is not the answer to this WebSocket handshake."
        case .badEscape: "A '%' is not followed by two hexadecimal digits."
        case .notUTF8: "The decoded text is not UTF-8."
        case .badSegment: "A path segment is empty, '.' or '..', or holds NUL."
        case .fieldRepeated(let name): "The field \(name) may stand only once."
        case .badField(let name): "The value of the field \(name) is malformed."
        case .parameterRepeated(let name): "The parameter \(name) may stand only once."
        case .webSocketVersion: "The only known WebSocket version is 13."
        case .badHandshake: "This is not a complete WebSocket handshake."
        }
    }
}
