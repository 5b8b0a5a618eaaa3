// From a complete request to the route that answers it.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// Answers a request, or parks it; one that was parked counts no second time.
    func handle(_ request: Request, for connection: Connection, isRetry: Bool = false) {
        let head = request.head
        reply.reset()
        access = nil
        caller = nil
        var route: Route?
        do throws(RequestRefusal) {
            try checkIsMethod(head)
            route = try findRoute(head)
            if !isRetry { try limit(connection, route ?? .about) }
            guard let route else { throw noRoute(head) }
            try checkMethod(head, route)
            try checkHost(head)
            try checkDatabase(head)
            access = try authenticate(head, route)
            if !isRetry { try limit(access) }
            try Later.check(head, route)
            if route == .feed || route == .mirror {
                try upgrade(head, connection, route)
                return
            }
            let call = try Call(head, body: request.body, route: route, access: access)
            caller = call.caller
            if call.isRead, route.hasPosition { try requireNoBody(call) }
            if call.isRead, try awaitsPosition(head, connection) { return }
            if !isRetry { tellActivity(call) }
            if let producer = try answer(call, connection) {
                connection.send(route, producing: producer)
                return
            }
            // It is answered from another thread.
            if connection.isWaiting { return }
        } catch {
            let allow = error.refusal.code == .methodNotAllowed ? allowed(route, head) : nil
            render(error.refusal)
            if let allow { reply.fields.appendField("allow", text: allow) }
            if error.refusal.code == .unsupportedMediaType, head.method == .patch {
                reply.fields.appendField("accept-patch", "application/merge-patch+json")
            }
            if error.refusal.code == .upgradeRequired {
                reply.fields.appendField("upgrade", "websocket")
                reply.fields.appendField("connection", "upgrade")
                reply.fields.appendField("sec-websocket-version", "13")
            }
        }
        let isRead = head.method == .get || head.method == .head
        let retry = isRead && reply.retriesAfter != nil ? head.bytes.array : nil
        connection.send(route ?? .about, retry: retry)
    }

    /// Whether a request's body is taken as it comes; nil takes it whole.
    func consumer(for head: RequestHead, connection: Connection) -> (any BodyConsumer)? {
        if let upload = fileConsumer(for: head, connection) { return upload }
        guard head.method == .post,
            let type = head.first("content-type").flatMap({ MediaType($0) }),
            (try? target.parse(head.target)) != nil, Route(target) == .changes, !target.endsInSlash
        else { return nil }
        let isTable = type.isType("text", "csv")
        guard isTable || type.isType("application", "x-ndjson") else { return nil }
        reply.reset()
        access = nil
        caller = nil
        do throws(RequestRefusal) {
            try limit(connection, .changes)
            try checkAtomic(isJob: true, isTable: isTable)
            try checkHost(head)
            try checkDatabase(head)
            access = try authenticate(head, .changes)
            try limit(access)
            try Later.check(head, .changes)
            let call = try Call(head, body: .empty, route: .changes, access: access)
            caller = call.caller
            let isRehearsal = try Parameters.flag(target, "dryRun")
            if isTable { return try tableJob(call, connection, isRehearsal: isRehearsal) }
            return ChangeJob(call, connection, isRehearsal: isRehearsal)
        } catch {
            return AnsweredBody(connection, .changes, takesBody: true) {
                $0.render(error.refusal)
            }
        }
    }

    /// How long a body may be: commits that are handed back come whole, as to a mirror.
    func bodyByteCountMax(for head: RequestHead) -> Int {
        let usual = configuration.bodyByteCountMax
        guard head.method == .post, (try? target.parse(head.target)) != nil,
            Route(target) == .heal
        else { return usual }
        return max(usual, Limits.mirrorMessageByteCountMax)
    }

    /// Makes a connection a live feed, or a mirror's.
    private func upgrade(
        _ head: RequestHead,
        _ connection: Connection,
        _ route: Route
    ) throws(RequestRefusal) {
        try Parameters.check(target, route == .feed ? ["ticket"] : [])
        let name = route == .feed ? "holdfast.feed.v1" : MirrorProtocol.subprotocol
        guard head.wantsWebSocket, head.method == .get else {
            throw RequestRefusal(
                .upgradeRequired,
                "\(route.rawValue) is a WebSocket: subprotocol \(name)."
            )
        }
        let handshake: WebSocketHandshake
        do throws(HTTPError) {
            handshake = try WebSocketHandshake(head, subprotocols: [name])
        } catch {
            throw RequestRefusal(
                error == .webSocketVersion ? .upgradeRequired : .badHeader,
                error.reason
            )
        }
        guard handshake.subprotocol != nil else {
            throw RequestRefusal(
                .badHeader,
                "Name the subprotocol: Sec-WebSocket-Protocol: \(name)."
            )
        }
        let call = try Call(head, body: .empty, route: route, access: access)
        caller = call.caller
        guard route == .mirror else {
            let session = FeedSession(server: self, connection: connection, call.caller, access)
            connection.upgrade(to: session, handshake)
            return
        }
        let isNamed = head.first("holdfast-user") != nil || head.first("holdfast-device") != nil
        connection.upgrade(
            to: MirrorSession(
                server: self,
                connection: connection,
                caller: isNamed ? call.caller : nil,
                access: access
            ),
            handshake
        )
    }

    private func findRoute(_ head: RequestHead) throws(RequestRefusal) -> Route? {
        if head.method == .options, head.target.equals("*") { return .about }
        do throws(HTTPError) {
            try target.parse(head.target)
        } catch {
            throw RequestRefusal(.badRequest, error.reason)
        }
        guard !target.endsInSlash || target.segmentCount == 0 || Route(target) == .viewer else {
            throw RequestRefusal(.noRoute, "Paths of the API do not end in a slash.")
        }
        return Route(target)
    }

    private func checkMethod(_ head: RequestHead, _ route: Route) throws(RequestRefusal) {
        guard !route.methods.contains(head.method) else { return }
        throw RequestRefusal(.methodNotAllowed, "\(route.rawValue) takes \(route.allow).")
    }

    private func checkIsMethod(_ head: RequestHead) throws(RequestRefusal) {
        guard head.method == .other else { return }
        guard ["CONNECT", "TRACE", "QUERY"].contains(head.methodText.text) else {
            throw RequestRefusal(.unknownMethod, "Nobody here knows \(head.methodText.text).")
        }
    }

    private func noRoute(_ head: RequestHead) -> RequestRefusal {
        if Later.hasPath(target) {
            return RequestRefusal(
                .unsupported,
                "\(head.target.text) comes with a later version of this server."
            )
        }
        return RequestRefusal(.noRoute, "There is nothing at \(head.target.text).")
    }

    private func allowed(_ route: Route?, _ head: RequestHead) -> String? {
        guard let route else { return nil }
        // Records of a name tree are made by PUT, not by POST.
        guard route == .records, head.method == .post else { return route.allow }
        return "GET, HEAD, DELETE"
    }

    // MARK: Whose request it is

    /// The names by which this server is called, and the pages that may call it.
    ///
    /// Without this a page anywhere could make a browser on this machine write to the server (DNS
    /// rebinding, cross-site requests).
    func checkHost(_ head: RequestHead) throws(RequestRefusal) {
        let isKnown = acceptedHost.withView { $0 == head.host }
        if !isKnown, !head.host.isEmpty, !hostNames.contains(Self.name(head.host.text)),
            !Self.isLoopback(Self.name(head.host.text))
        {
            throw RequestRefusal(
                .forbiddenOrigin,
                "This server is not called \(head.host.text). Name it with --host-name to allow it."
            )
        }
        if !isKnown { acceptedHost = head.host.array }
        guard let origin = try Call.single(head, "origin")?.text else { return }
        // Without TLS of its own, a proxy may speak it for this server.
        let isOwn =
            origin == "https://" + head.host.text
            || configuration.tls == nil && origin == "http://" + head.host.text
        guard isOwn || configuration.origins.contains(origin) else {
            throw RequestRefusal(
                .forbiddenOrigin,
                "Pages of \(origin) may not use this server. Allow them with --origin."
            )
        }
    }

    /// The host without its port.
    private static func name(_ host: String) -> String {
        if host.hasPrefix("[") { return String(host.prefix { $0 != "]" }.dropFirst()) }
        return String(host.prefix { $0 != ":" }).lowercased()
    }

    private static func isLoopback(_ name: String) -> Bool {
        name == "::1" || name.hasPrefix("127.") && name.allSatisfy { $0.isNumber || $0 == "." }
    }

    func checkDatabase(_ head: RequestHead) throws(RequestRefusal) {
        guard let value = try Call.single(head, "holdfast-database") else { return }
        guard let id = UniqueID(value), id == store.identity.databaseID else {
            throw RequestRefusal(
                .wrongDatabase,
                "This server holds database \(store.identity.databaseID)."
            )
        }
    }

    // MARK: Waiting for a position

    /// Whether the request waits for the position it names; it is then answered anew.
    private func awaitsPosition(
        _ head: RequestHead,
        _ connection: Connection
    ) throws(RequestRefusal) -> Bool {
        guard let value = try Call.single(head, "holdfast-min-position") else { return false }
        guard let wanted = Position(value) else {
            throw RequestRefusal(.badHeader, "Holdfast-Min-Position is epoch:seq.")
        }
        let (durable, epoch) = store.read {
            ($0.durable, $0.state.position(of: wanted.seq))
        }
        guard epoch.epoch == wanted.epoch || wanted.seq > durable else {
            throw RequestRefusal(.diverged, "Position \(wanted) is of another history.")
        }
        guard wanted.seq > durable else { return false }
        let wait: Int
        do throws(HTTPError) {
            wait = try Preferences(head).waitSeconds ?? 0
        } catch {
            throw RequestRefusal(.badHeader, error.reason)
        }
        guard wait > 0, epoch.epoch == wanted.epoch, !hasWaited(connection) else {
            throw RequestRefusal(
                .notYet,
                "Position \(wanted) is not reached; the server is at \(durable). Ask again, or "
                    + "send Prefer: wait=N."
            )
        }
        awaitPosition(wanted.seq, seconds: min(wait, 60), head.bytes.array, connection)
        return true
    }
}
