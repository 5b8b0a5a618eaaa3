// Where `holdfast token` finds tokens: behind a server, or in a directory nobody serves.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// What keeps tokens.
protocol TokenKeeper {
    /// Makes one.
    func create(_ request: TokenRequest) throws(CommandFailure) -> (id: String, secret: String)
    /// All of them, as JSON.
    func list() throws(CommandFailure) -> [String]
    /// Gives one other rights.
    func change(_ id: UniqueID, to rights: Rights) throws(CommandFailure)
    /// Takes one back.
    func revoke(_ id: UniqueID) throws(CommandFailure)
}

/// A server's tokens.
struct ServerTokens: TokenKeeper {
    private let client: Client

    init(_ client: Client) { self.client = client }

    func create(_ request: TokenRequest) throws(CommandFailure) -> (id: String, secret: String) {
        var body = ByteBuffer()
        request.append(to: &body)
        let answer = try ask("POST", "/v1/tokens", body.array)
        return answer.withView { answer in
            (Self.text("id", of: answer), Self.text("token", of: answer))
        }
    }

    func list() throws(CommandFailure) -> [String] {
        var lines: [String] = []
        var cursor = ""
        repeat {
            let page = try ask("GET", "/v1/tokens?limit=1000" + cursor, nil)
            let next = page.withView { page in
                lines += Self.elements(page)
                return Self.text("next", of: page)
            }
            cursor = next.isEmpty ? "" : "&cursor=" + next
        } while !cursor.isEmpty
        return lines
    }

    func change(_ id: UniqueID, to rights: Rights) throws(CommandFailure) {
        var body = ByteBuffer()
        TokenPatch(rights).append(to: &body)
        _ = try ask("PATCH", "/v1/tokens/\(id)", body.array)
    }

    func revoke(_ id: UniqueID) throws(CommandFailure) {
        _ = try ask("DELETE", "/v1/tokens/\(id)", nil)
    }

    private static let json = "application/json"
    private static let patch = "application/merge-patch+json"

    private func ask(
        _ method: String,
        _ target: String,
        _ body: [UInt8]?
    ) throws(CommandFailure) -> [UInt8] {
        var answer = ByteBuffer()
        _ = try client.send(
            method,
            target,
            fields: body == nil
                ? [] : [("content-type", method == "PATCH" ? Self.patch : Self.json)],
            body: body
        ) { (bytes: ByteView) throws(CommandFailure) in answer.append(bytes) }
        return answer.array
    }

    /// A member that is a text; empty where there is none.
    private static func text(_ name: StaticString, of document: ByteView) -> String {
        do throws(JSONError) {
            guard let found = try JSONScanner.member(named: ByteView(name), in: document) else {
                return ""
            }
            var scanner = JSONScanner(found)
            return try scanner.readString().text ?? ""
        } catch {
            return ""
        }
    }

    private static func elements(_ page: ByteView) -> [String] {
        var lines: [String] = []
        do throws(JSONError) {
            guard let list = try JSONScanner.member(named: ByteView("tokens"), in: page) else {
                return []
            }
            var scanner = JSONScanner(list)
            try scanner.enterArray()
            while try scanner.nextElement() {
                lines.append(printable(try scanner.skipValue().text))
            }
        } catch {
            // What is no list of tokens ends here.
        }
        return lines
    }
}

/// The tokens of a database in a directory nobody serves.
struct FolderTokens: TokenKeeper {
    private let folder: DatabaseFolder
    private let store: Store
    private let runner: StoreRunner
    private let random = SystemRandom()

    /// Opens it for writing.
    init(_ folder: DatabaseFolder) throws(CommandFailure) {
        self.folder = folder
        _ = try folder.existingDisk()
        store = try folder.open(application: nil, logger: Logger(level: .warning))
        runner = StoreRunner(store)
    }

    /// Closes it: what was done is durable then.
    func close() throws(CommandFailure) {
        do throws(StoreError) {
            try runner.close()
        } catch {
            throw CommandFailure(error, directory: folder.path)
        }
    }

    func create(_ request: TokenRequest) throws(CommandFailure) -> (id: String, secret: String) {
        let change = newChange()
        let secret = TokenSecret(random: random)
        try submit(.create(request.token(id: change.id, hash: secret.hash)), change)
        return ("\(change.id)", secret.text)
    }

    func list() throws(CommandFailure) -> [String] {
        let lines = store.read { reader -> [String]? in
            guard let tree = reader.state.tree(.tokens) else { return [] }
            do throws(ApplyError) {
                return try reader.state.tokens().compactMap { token in
                    guard let location = reader.state.location(tree, RecordKey(token.id)) else {
                        return nil
                    }
                    var line = ByteBuffer()
                    reader.withEffect(at: location) { effect, _ in
                        TokenDocument.append(token, created: effect.created, to: &line)
                    }
                    return printable(line.view.text)
                }
            } catch {
                return nil
            }
        }
        guard let lines else {
            throw CommandFailure(.damaged, "\(folder.path): a token is of a newer version")
        }
        return lines
    }

    func change(_ id: UniqueID, to rights: Rights) throws(CommandFailure) {
        try submit(.change(id, rights), newChange())
    }

    func revoke(_ id: UniqueID) throws(CommandFailure) { try submit(.revoke(id), newChange()) }

    private func newChange() -> Change {
        let now = SystemTime().wallMilliseconds()
        return Change(id: .version7(milliseconds: now, random: random), operations: [])
    }

    private func submit(_ act: TokenAct, _ change: Change) throws(CommandFailure) {
        let caller = Caller(
            user: Caller.unnamed.user,
            device: Caller.unnamed.device,
            app: "holdfast"
        )
        let submission = store.submit(act, change, by: caller, rights: nil)
        guard case .refused(_, let refusal) = submission else { return }
        throw CommandFailure(
            refusal.code == .unknownToken ? .notFound : .refused,
            "\(refusal.code.rawValue): \(refusal.detail)"
        )
    }
}
