// The rules of `_tokens`: who gives out tokens and takes them back. No operation of a change asks
// for it, so that no mirror, job or outbox ever carries one; the commit is of `_tokens` alone, and
// is withheld as a whole wherever it goes.
public import HoldfastBasics
public import HoldfastRecords

/// What is done with a token.
public enum TokenAct: Sendable {
    /// A token is made; its secret is known to whoever proposes it.
    case create(TokenRecord)
    /// A token is taken back.
    case revoke(UniqueID)
    /// A token opens something else from now on; its secret stays.
    case change(UniqueID, Rights)
}

extension EngineState {
    /// All tokens, by id.
    ///
    /// - Throws: `badSystemRecord` for a record this version cannot read.
    public func tokens() throws(ApplyError) -> [TokenRecord] {
        try systemRecords(.tokens) { key, value throws(FormError) in
            try TokenRecord(key: key, json: value)
        }
    }

    /// Decides what becomes of an act on tokens.
    ///
    /// The state is not touched: the caller logs the commit and then applies it.
    ///
    /// - Parameters:
    ///   - act: What is to be done.
    ///   - change: Its id, digest and reason; it has no operations.
    ///   - context: Who asks, and when.
    /// - Returns: A commit, or why there is none.
    public func decideToken(
        _ act: TokenAct,
        _ change: Change,
        _ context: DecisionContext
    ) -> Decision {
        decideAlone(change, context) { draft throws(Refused) in
            guard context.rights?.hasEverywhere(.admin) ?? true else {
                throw Refused(.forbidden, "Tokens are given out by whoever has 'admin' on *.")
            }
            switch act {
            case .create(let token): try draft.create(token)
            case .revoke(let id): try draft.revoke(id)
            case .change(let id, let rights): try draft.change(id, to: rights)
            }
        }
    }

    fileprivate func knownTokens() throws(Refused) -> [TokenRecord] {
        do throws(ApplyError) {
            return try tokens()
        } catch {
            throw Refused(.internalError, "A token cannot be read; use the holdfast that made it.")
        }
    }
}

extension Draft {
    fileprivate mutating func create(_ token: TokenRecord) throws(Refused) {
        for (field, text) in [("user", token.user), ("device", token.bearer.name)] {
            guard (1...Limits.identityByteCountMax).contains(text.utf8.count),
                text.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 }),
                !text.hasPrefix("_")
            else {
                throw Refused(
                    .badBody,
                    "A token's user and bearer have 1 to \(Limits.identityByteCountMax) bytes, no "
                        + "control characters, and do not begin with _.",
                    field: field
                )
            }
        }
        try checkOpensSomething(token.rights)
        guard !token.hasEnded(at: at) else {
            throw Refused(.badBody, "The token would have ended already.", field: "ends")
        }
        let known = try state.knownTokens()
        guard known.count < Limits.tokenCountMax else {
            throw Refused(
                .tooLarge,
                "There are \(Limits.tokenCountMax) tokens. Revoke those that are not used."
            )
        }
        guard !known.contains(where: { $0.id == token.id || $0.hash == token.hash }) else {
            throw Refused(.idempotencyMismatch, "There is such a token already. Take a new id.")
        }
        // As soon as there is a token, everybody is asked for one.
        let isAdmin = token.rights.hasEverywhere(.admin) && token.ends == nil
        guard isAdmin || known.contains(where: { $0.rights.hasEverywhere(.admin) }) else {
            throw Refused(
                .lastAdmin,
                "The first token is one that may administer everything and has no end: give it "
                    + "'admin' on *.",
                field: "rights"
            )
        }
        let key = RecordKey(token.id)
        system(.tokens, about: nil, key, .createToken, token.json)
        results.append(.created(.tokens, key))
    }

    fileprivate mutating func revoke(_ id: UniqueID) throws(Refused) {
        let known = try state.knownTokens()
        guard known.contains(where: { $0.id == id }) else {
            throw Refused(.unknownToken, "There is no token \(id).")
        }
        try checkIsNotLast(id, known)
        let key = RecordKey(id)
        system(.tokens, about: nil, key, .revokeToken, nil)
        results.append(.deleted(.tokens, key))
    }

    fileprivate mutating func change(_ id: UniqueID, to rights: Rights) throws(Refused) {
        try checkOpensSomething(rights)
        let known = try state.knownTokens()
        guard var token = known.first(where: { $0.id == id }) else {
            throw Refused(.unknownToken, "There is no token \(id).")
        }
        if !rights.hasEverywhere(.admin) { try checkIsNotLast(id, known) }
        token.rights = rights
        let key = RecordKey(id)
        system(.tokens, about: nil, key, .changeToken, token.json)
        results.append(.changed(.tokens, key))
    }

    private func checkOpensSomething(_ rights: Rights) throws(Refused) {
        guard !rights.isEmpty else {
            throw Refused(.badBody, "A token without any right opens nothing.", field: "rights")
        }
        guard rights.trees.count <= Limits.tokenTreeCountMax else {
            throw Refused(
                .tooLarge,
                "A token may name \(Limits.tokenTreeCountMax) trees; * names all.",
                field: "rights"
            )
        }
    }

    /// Whoever has the directory can make another; over the network nobody could any more.
    private func checkIsNotLast(_ id: UniqueID, _ known: [TokenRecord]) throws(Refused) {
        let isLast = !known.contains { other in
            other.id != id && other.rights.hasEverywhere(.admin) && !other.hasEnded(at: at)
        }
        guard context.rights == nil || !isLast else {
            throw Refused(
                .lastAdmin,
                "Without token \(id) nobody could administer this server. Make another one with "
                    + "'admin' on * first, or use `holdfast token` in its directory."
            )
        }
    }
}
