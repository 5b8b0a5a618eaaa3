// Who asks, and what the routes ask of them. Trees and records are not judged here: `decide` knows
// who may change them, and reads are cut to what the caller may see.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore

/// What a route asks of its callers, where tokens are asked for.
enum Demand {
    /// Nothing: a client compares the database before it shows a secret.
    case nothing
    /// A token; what it sees and does follows from its rights on trees.
    case token
    /// A token with a right on every tree.
    case everywhere(Right)
}

extension Route {
    /// The whole table: what each route asks of its callers.
    func demand(isRead: Bool) -> Demand {
        switch self {
        case .about, .live, .ready, .viewer: .nothing
        case .contract, .trees, .tree, .records, .record, .release, .revise, .state: .token
        case .history, .change, .undo: .token
        case .changes, .borrows, .borrow, .borrowReturn, .borrowCancel, .ranges: .token
        case .borrowRecall, .borrowSeize, .borrowSetHolder: .token
        case .part, .feed, .tickets, .mirror, .ownDevice, .ownToken, .files, .file: .token
        case .snapshot: isRead ? .token : .everywhere(.admin)
        case .metrics, .devices: .everywhere(.read)
        case .heal, .tokens, .token, .device: .everywhere(.admin)
        }
    }
}

extension LoopServer {
    /// The tokens as they are now.
    var tokens: TokenTable {
        let version = shared.tokens.version
        if version != tokensSeen.version { tokensSeen = shared.tokens.table() }
        return tokensSeen.table
    }

    /// Finds out who asks.
    ///
    /// - Returns: What its token opens; nil where callers are taken at their word, and for a route
    ///   that asks for nothing.
    /// - Throws: `tokenMissing`, `tokenUnknown`, `tokenEnded`, `forbidden`.
    func authenticate(_ head: RequestHead, _ route: Route) throws(RequestRefusal) -> Access? {
        let demand = route.demand(isRead: head.method == .get || head.method == .head)
        if case .nothing = demand, route != .about { return nil }
        let table = tokens
        guard let secret = try Self.secret(head) else {
            if case .nothing = demand { return nil }
            if route == .feed, let access = try redeem() { return access }
            guard table.isOpen else {
                throw RequestRefusal(
                    .tokenMissing,
                    "Show your token: Authorization: Bearer hf_..."
                )
            }
            guard configuration.allowsAnonymous else {
                throw RequestRefusal(
                    .tokenMissing,
                    "This server has no tokens yet. Make one by `holdfast token create --data DIR` "
                        + "where it runs."
                )
            }
            return nil
        }
        hasher.update(secret)
        guard let access = table.access(of: hasher.finishTruncated()) else {
            throw RequestRefusal(
                .tokenUnknown,
                "This token was never given out here, or was revoked."
            )
        }
        guard !access.token.hasEnded(at: time.wallMilliseconds()) else {
            throw RequestRefusal(.tokenEnded, "The time of this token is over. Ask for another.")
        }
        if case .everywhere(let right) = demand, !access.rights.hasEverywhere(right) {
            throw RequestRefusal(
                .forbidden,
                "This needs a token with the right '\(right.rawValue)' on *."
            )
        }
        return access
    }

    /// The secret a request shows; nil when it shows none.
    private static func secret(_ head: RequestHead) throws(RequestRefusal) -> ByteView? {
        guard let value = try Call.single(head, "authorization") else { return nil }
        let scheme: StaticString = "bearer "
        guard value.count > scheme.utf8CodeUnitCount,
            value[0..<scheme.utf8CodeUnitCount].equalsIgnoringCase(scheme)
        else { return nil }
        var start = scheme.utf8CodeUnitCount
        while start < value.count, value[start] == UInt8(ascii: " ") { start += 1 }
        return start < value.count ? value.suffix(from: start) : nil
    }

    /// What a refusal of 401 says besides: RFC 9110, section 11.6.1, and RFC 6750, section 3.
    func appendChallenge(_ code: RefusalCode) {
        let isBad = code == .tokenUnknown || code == .tokenEnded
        reply.fields.appendField(
            "www-authenticate",
            text: "Bearer realm=\"holdfast\"" + (isBad ? ", error=\"invalid_token\"" : "")
        )
    }

    /// Whether what was begun by a token may go on.
    func mayGoOn(_ access: Access?) -> Bool {
        tokens.end(of: access, at: time.wallMilliseconds()) == nil
    }

    /// Whether the caller may know of a tree.
    func mayRead(_ tree: TreeName) -> Bool { access?.rights.reads(tree) ?? true }

    /// Whether the caller may know of every tree.
    var mayReadAll: Bool { access.map { $0.rights.readable == nil } ?? true }

    /// Whether records of a tree have revisions, as far as the caller may know.
    func isVersioned(_ tree: TreeName, for access: Access?) -> Bool {
        guard access?.rights.reads(tree) ?? true else { return false }
        return store.read { $0.state.tree(tree)?.declaration.isVersioned ?? false }
    }
}
