// What a mirror asks of its token: whom it stands for, and which trees it opens.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastWire

/// Asks what the token opens, where one is shown.
final class TokenQuestion: LinkErrand {
    /// What is known of the rights of whoever connects.
    enum Answer: Hashable {
        /// No token is shown: every tree is open.
        case unasked
        case grant(TokenGrant)
        /// An older server: the connection will say what is not open.
        case untold
    }

    private(set) var answer: Answer
    private var isAsked: Bool

    /// - Parameter showsToken: Whether there is a token to ask about.
    init(showsToken: Bool) {
        answer = showsToken ? .untold : .unasked
        isAsked = !showsToken
    }

    func next() -> LinkRequest? {
        guard !isAsked else { return nil }
        isAsked = true
        return LinkRequest(path: "/v1/tokens/me")
    }

    func take(_ response: Response) throws {
        switch response.status {
        case 200:
            do {
                answer = .grant(try response.body.withView { try TokenDocument.grant($0) })
            } catch {
                throw LinkEnd.garbled("what the server says of the token is none.")
            }
        case 404, 422: answer = .untold
        default:
            throw LinkEnd.refused(status: response.status, detail: "it does not take the token.")
        }
    }
}

extension TokenQuestion.Answer {
    /// Whom the token stands for; nil when that is not known.
    var user: String? {
        if case .grant(let grant) = self { grant.user } else { nil }
    }

    /// The trees that may be read of some; nil for all.
    ///
    /// - Parameter trees: The trees that are wanted; nil for all.
    /// - Returns: Those of them that are open, as far as is known.
    func readable(of trees: Set<TreeName>?) -> Set<TreeName>? {
        guard case .grant(let grant) = self, let readable = grant.readable else { return trees }
        return trees?.intersection(readable) ?? readable
    }
}
