// Tokens: who may do what, given out and taken back.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of all tokens; of their secrets nothing is known here.
    func listTokens(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["limit", "cursor"])
        let (limit, after, parameters) = try page(["tokens"])
        try store.read { reader throws(RequestRefusal) in
            guard let tree = reader.state.tree(.tokens) else { return }
            if let seq = reader.wait(for: tree) {
                reply.retriesAfter = seq
                return
            }
            let all = try readable(reader).filter { token in after.map { token.id > $0 } ?? true }
            reply.json()
            var page = ListPage(.tokens, in: &reply.body)
            for token in all.prefix(limit) {
                guard let location = reader.state.location(tree, RecordKey(token.id)) else {
                    continue
                }
                page.beginElement(in: &reply.body)
                reader.withEffect(at: location) { effect, _ in
                    TokenDocument.append(token, created: effect.created, to: &reply.body)
                }
            }
            let last = all.count > limit ? all[limit - 1].id : nil
            let next = cursor(after: last, reader, parameters)
            appendLink("/v1/tokens", limit, [], next)
            page.end(next: next, in: &reply.body)
        }
    }

    /// GET of the caller's own token: who it stands for, and what it opens.
    func readOwnToken(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        guard let token = access?.token else {
            throw RequestRefusal(
                .notFound,
                "No token was shown: this server takes callers at their word."
            )
        }
        try store.read { reader throws(RequestRefusal) in
            guard let tree = reader.state.tree(.tokens),
                let location = reader.state.location(tree, RecordKey(token.id))
            else { throw RequestRefusal(.notFound, "The token was revoked this moment.") }
            if let seq = reader.wait(for: tree) {
                reply.retriesAfter = seq
                return
            }
            reply.json()
            reader.withEffect(at: location) { effect, _ in
                TokenDocument.append(token, created: effect.created, to: &reply.body)
            }
        }
    }

    private func readable(_ reader: StoreReader) throws(RequestRefusal) -> [TokenRecord] {
        do throws(ApplyError) {
            return try reader.state.tokens()
        } catch {
            shared.logger.log(.error, "tokens.unreadable", ["error": "\(error)"])
            throw RequestRefusal(.internalError, "A token cannot be read by this version.")
        }
    }

    /// POST of a token: its secret is in the reply, and nowhere else.
    func createToken(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        try requireType(call, "application", "json")
        let request = try shaped { () throws(ShapeRefusal) in try TokenRequest(call.body) }
        let change = try change(call, [])
        let secret = TokenSecret(random: shared.random)
        // The token is named after its change, so that a resend finds it.
        let token = request.token(id: change.id, hash: secret.hash)
        let submission = store.submit(
            .create(token),
            change,
            by: call.caller,
            rights: access?.rights
        )
        guard let position = told(submission) else { return }
        reply.status = .created
        reply.fields.appendField("location", text: "/v1/tokens/\(token.id)")
        reply.fields.appendField("cache-control", "no-store")
        reply.json()
        var isNew = false
        if case .accepted = submission { isNew = true }
        store.read { reader in
            guard let tree = reader.state.tree(.tokens),
                let location = reader.state.location(tree, RecordKey(token.id)),
                let stands = reader.withEffect(
                    at: location,
                    { effect, _ in effect.isSet ? effect.created : nil }
                )
            else { return }
            TokenDocument.append(
                token,
                created: stands,
                secret: isNew ? secret : nil,
                to: &reply.body
            )
        }
        if reply.body.isEmpty {
            render(Refusal(.unknownToken, "Token \(token.id) was revoked since."))
            (reply.position, reply.waitsFor) = (position, position.seq)
        }
    }

    /// PATCH of a token: it opens something else from now on.
    func patchToken(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        let id = try Parameters.id(target.segment(2))
        try requireType(call, "application", "merge-patch+json")
        let patch = try shaped { () throws(ShapeRefusal) in try TokenPatch(call.body) }
        let submission = store.submit(
            .change(id, patch.rights),
            try change(call, []),
            by: call.caller,
            rights: access?.rights
        )
        guard let position = told(submission) else { return }
        reply.json()
        store.read { reader in
            guard let tree = reader.state.tree(.tokens),
                let location = reader.state.location(tree, RecordKey(id))
            else { return }
            reader.withEffect(at: location) { effect, _ in
                guard effect.isSet else { return }
                do throws(FormError) {
                    let token = try TokenRecord(key: RecordKey(id), json: effect.value)
                    TokenDocument.append(token, created: effect.created, to: &reply.body)
                } catch {
                    shared.logger.log(.error, "tokens.unreadable", ["error": "\(error)"])
                }
            }
        }
        if reply.body.isEmpty {
            render(Refusal(.unknownToken, "Token \(id) was revoked since."))
            (reply.position, reply.waitsFor) = (position, position.seq)
        }
    }

    /// DELETE of a token.
    func revokeToken(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        try requireNoBody(call)
        let id = try Parameters.id(target.segment(2))
        let submission = store.submit(
            .revoke(id),
            try change(call, []),
            by: call.caller,
            rights: access?.rights
        )
        guard told(submission) != nil else { return }
        reply.status = .noContent
    }

    /// Lets tokens count as they are now, and begins the reply; nil when it is a refusal.
    private func told(_ submission: Submission) -> Position? {
        shared.tokens.refresh(from: store)
        reply.position = submission.position
        reply.waitsFor = submission.position.seq
        if case .refused(let position, let refusal) = submission {
            refuse(single: refusal, position)
            return nil
        }
        if case .replayed = submission {
            reply.fields.appendField("idempotency-replayed", "true")
        }
        return submission.position
    }
}
