// The status codes Holdfast speaks. Source: RFC 9110, section 15; RFC 6585; RFC 7725.

/// A status code of HTTP.
public enum HTTPStatus: Int, Sendable, CaseIterable {
    /// The peer may send the body it announced.
    case `continue` = 100
    /// The connection speaks WebSocket from here on.
    case switchingProtocols = 101
    /// It worked.
    case ok = 200
    /// Something new exists.
    case created = 201
    /// Taken down for later, such as a place in a line.
    case accepted = 202
    /// It worked and there is nothing to say.
    case noContent = 204
    /// A part of the resource.
    case partialContent = 206
    /// The resource lies elsewhere, for good.
    case movedPermanently = 301
    /// The answer lies elsewhere.
    case seeOther = 303
    /// The caller's copy is still good.
    case notModified = 304
    /// The request breaks a rule of HTTP or of the API.
    case badRequest = 400
    /// The caller did not say who it is.
    case unauthorized = 401
    /// The caller may not do this.
    case forbidden = 403
    /// There is no such thing.
    case notFound = 404
    /// The resource does not know this method.
    case methodNotAllowed = 405
    /// No form of the answer that the caller takes.
    case notAcceptable = 406
    /// The request did not arrive in time.
    case requestTimeout = 408
    /// It contradicts the present state.
    case conflict = 409
    /// There was such a thing, it is gone.
    case gone = 410
    /// The length of the body is missing.
    case lengthRequired = 411
    /// A precondition does not hold.
    case preconditionFailed = 412
    /// The body is above its limit.
    case contentTooLarge = 413
    /// The target is above its limit.
    case uriTooLong = 414
    /// The body is of a type the resource does not take.
    case unsupportedMediaType = 415
    /// The asked part lies outside.
    case rangeNotSatisfiable = 416
    /// An expectation other than `100-continue`.
    case expectationFailed = 417
    /// The request was meant for another server.
    case misdirectedRequest = 421
    /// Well-formed, but against the rules of the data.
    case unprocessableContent = 422
    /// Somebody else has borrowed it.
    case locked = 423
    /// The protocol must be changed first.
    case upgradeRequired = 426
    /// A write must name the version it expects.
    case preconditionRequired = 428
    /// The caller asks too often.
    case tooManyRequests = 429
    /// The head is above its limit.
    case fieldsTooLarge = 431
    /// A fault of the server.
    case internalServerError = 500
    /// The server does not know this at all.
    case notImplemented = 501
    /// The server behind this one failed.
    case badGateway = 502
    /// Not now.
    case serviceUnavailable = 503
    /// The outcome is not known in time.
    case gatewayTimeout = 504
    /// Another version of HTTP than 1.0 and 1.1.
    case versionNotSupported = 505
    /// No room.
    case insufficientStorage = 507

    /// The words beside the number in a status line.
    public var phrase: StaticString {
        switch self {
        case .continue: "Continue"
        case .switchingProtocols: "Switching Protocols"
        case .ok: "OK"
        case .created: "Created"
        case .accepted: "Accepted"
        case .noContent: "No Content"
        case .partialContent: "Partial Content"
        case .movedPermanently: "Moved Permanently"
        case .seeOther: "See Other"
        case .notModified: "Not Modified"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .notAcceptable: "Not Acceptable"
        case .requestTimeout: "Request Timeout"
        case .conflict: "Conflict"
        case .gone: "Gone"
        case .lengthRequired: "Length Required"
        case .preconditionFailed: "Precondition Failed"
        case .contentTooLarge: "Content Too Large"
        case .uriTooLong: "URI Too Long"
        case .unsupportedMediaType: "Unsupported Media Type"
        case .rangeNotSatisfiable: "Range Not Satisfiable"
        case .expectationFailed: "Expectation Failed"
        case .misdirectedRequest: "Misdirected Request"
        case .unprocessableContent: "Unprocessable Content"
        case .locked: "Locked"
        case .upgradeRequired: "Upgrade Required"
        case .preconditionRequired: "Precondition Required"
        case .tooManyRequests: "Too Many Requests"
        case .fieldsTooLarge: "Request Header Fields Too Large"
        case .internalServerError: "Internal Server Error"
        case .notImplemented: "Not Implemented"
        case .badGateway: "Bad Gateway"
        case .serviceUnavailable: "Service Unavailable"
        case .gatewayTimeout: "Gateway Timeout"
        case .versionNotSupported: "HTTP Version Not Supported"
        case .insufficientStorage: "Insufficient Storage"
        }
    }

    /// Whether a reply of this status has neither a body nor a length.
    ///
    /// Source: RFC 9110, section 6.4.1.
    public var isBodiless: Bool { rawValue < 200 || self == .noContent || self == .notModified }
}
