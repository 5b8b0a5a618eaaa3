// Why a mirror's connection ended, and whether another attempt makes sense.
internal import HoldfastBasics
internal import HoldfastWire

/// Why a connection to a server ended.
enum LinkEnd: Error, Hashable, Sendable {
    /// There was no connection.
    case unreachable(String)
    /// The connection is not secure: the server did not show that it is who it is to be, or does
    /// not take this client; nothing that says who asks was sent.
    case untrusted(String)
    /// The connection was made, but not all of the handshake came in time.
    case timedOut
    /// The server holds another database, or another application's; nothing was sent to it.
    case otherDatabase(found: UniqueID, application: String)
    /// The server answered with an HTTP status that ends the handshake.
    case refused(status: Int, detail: String)
    /// The server said why it ends.
    case bye(code: UInt16, detail: String)
    /// The connection broke.
    case lost
    /// Nothing was heard for two heartbeats.
    case silent
    /// What came is none of the protocol's.
    case garbled(String)
    /// The server's snapshot cannot be taken: it gives none, or it cannot be kept here.
    case notTaken(String)
    /// The token opens none of the trees that are to be copied.
    case nothingOpen
    /// What the token opens has changed: the next connection asks for it.
    case otherRights
    /// It was closed here.
    case closed

    /// Whether the same attempt may succeed later; if not, somebody has to do something first.
    var mayRetry: Bool {
        switch self {
        case .unreachable, .untrusted, .timedOut, .lost, .silent, .garbled, .notTaken,
            .otherRights:
            true
        case .refused(let status, _): status == 408 || status == 429 || status >= 500
        case .bye(let code, _):
            code < 4000 || code == MirrorEnd.stalled || code == MirrorEnd.compacted
        case .otherDatabase, .nothingOpen, .closed: false
        }
    }

    /// What an application is shown until a connection stands; nil for what passes by itself.
    var refusal: String? {
        switch self {
        case .untrusted: detail
        case .closed: nil
        default: mayRetry ? nil : detail
        }
    }

    /// Whether the server cannot go on from what the copy holds.
    var needsNewCopy: Bool {
        if case .bye(let code, _) = self { return code == MirrorEnd.diverged }
        return false
    }

    /// Whether the server was reached and asks to be connected to again: whoever waits for it goes
    /// on waiting.
    var asksForAnother: Bool {
        if case .otherRights = self { return true }
        guard case .bye(let code, _) = self else { return false }
        switch code {
        case MirrorEnd.restart, MirrorEnd.healing, MirrorEnd.compacted, MirrorEnd.stalled:
            return true
        default: return false
        }
    }

    /// What happened and what to do, for people.
    var detail: String {
        switch self {
        case .unreachable(let why): "The server cannot be reached: \(why)."
        case .untrusted(let why): "There is no secure connection: \(why)."
        case .timedOut: "The server did not answer in time."
        case .otherDatabase(let found, let application):
            "The server holds database \(found) of application \(application), not the one this "
                + "mirror belongs to. Give the address of its own server. Nothing was sent."
        case .refused(let status, let detail): "The server refused with status \(status): \(detail)"
        case .bye(_, let detail): detail
        case .lost: "The connection broke."
        case .silent: "The server was silent for two heartbeats."
        case .garbled(let why): "What the server sent cannot be read: \(why)"
        case .notTaken(let why): "The server's snapshot cannot be taken: \(why)"
        case .nothingOpen:
            "The token opens none of the trees this mirror is to copy: what it had of them is gone "
                + "from here, what waits to be sent stays. Connect with a token that opens some."
        case .otherRights: "What the token opens has changed."
        case .closed: "The connection was closed."
        }
    }
}
