// The client side of the commands that speak to a server: one request, one reply, over a
// connection of its own.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastJSONCoding
internal import HoldfastNetworking

/// A server as the client commands see it.
struct Client {
    private let address: ServerURL
    private let security: TLSContext?
    private let identity: [(name: String, value: String)]

    static let flags = [
        Flag(
            "url",
            .text,
            "URL",
            environment: true,
            "the server (http://127.0.0.1:7070), or unix:/PATH of its socket"
        ),
        Flag(
            "ca",
            .text,
            "FILE",
            environment: true,
            "certificates of those who may vouch for the server of an\nhttps URL (PEM); whom the system trusts without it"
        ),
        Flag(
            "client-certificate",
            .text,
            "FILE",
            environment: true,
            "certificate to show to a server that asks for one (PEM)"
        ),
        Flag("client-key", .text, "FILE", environment: true, "its private key (PEM)"),
        Flag(
            toggle: "without-tls",
            "shows the token to another machine over http, where whoever\nis on the way can read it"
        ),
        Flag("user", .text, "NAME", environment: true, "who asks (local)"),
        Flag("device", .text, "NAME", environment: true, "from which device (rest)"),
        Flag("token-file", .text, "FILE", environment: true, "file of the token to show"),
    ]

    static let notes = """
        HOLDFAST_URL, HOLDFAST_CA, HOLDFAST_CLIENT_CERTIFICATE, HOLDFAST_CLIENT_KEY, HOLDFAST_USER,
        HOLDFAST_DEVICE and HOLDFAST_TOKEN_FILE stand for their flags.
        HOLDFAST_TOKEN is the token itself. Who shows one is whom it says: --user and --device are left out.
        """

    /// Reads who asks whom.
    init(_ arguments: Arguments) throws(CommandFailure) {
        let setting =
            arguments.setting("url")
            ?? Setting("http://127.0.0.1:7070", .default, origin: "--url")
        guard let address = ServerURL(setting.text) else {
            throw setting.failure(
                "give http://HOST:PORT or https://HOST:PORT, an IPv6 address in brackets, or "
                    + "unix:/PATH"
            )
        }
        self.address = address
        security = address.isSecure ? try Self.security(arguments) : nil
        var identity = [("holdfast-app", "holdfast")]
        if let token = try Self.token(arguments) {
            guard
                address.isSecure || address.isLoopback || arguments.has("without-tls")
            else {
                throw setting.failure(
                    "whoever is on the way there could read the token; give an https URL, or "
                        + "--without-tls to show it all the same"
                )
            }
            identity.append(("authorization", "Bearer " + token))
        }
        for (flag, name) in [("user", "holdfast-user"), ("device", "holdfast-device")] {
            if let text = arguments.text(flag) { identity.append((name, Self.encoded(text))) }
        }
        self.identity = identity
    }

    /// The token to show: of a file, or of the environment, where no list of processes shows it.
    private static func token(_ arguments: Arguments) throws(CommandFailure) -> String? {
        guard let path = arguments.text("token-file") else {
            guard let value = getenv("HOLDFAST_TOKEN") else { return nil }
            let text = String(cString: value)
            return text.isEmpty ? nil : try checked(text, "HOLDFAST_TOKEN")
        }
        let bytes = try InputFile.contents(path, byteCountMax: 4096)
        let text = String(decoding: bytes, as: UTF8.self)
        return try checked(String(text.prefix { $0 != "\n" && $0 != "\r\n" }), path)
    }

    private static func checked(_ text: String, _ origin: String) throws(CommandFailure) -> String {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw CommandFailure(.usage, "\(origin) holds no token: one is hf_ and 64 digits")
        }
        return text
    }

    /// Whom to trust, and what to show.
    private static func security(_ arguments: Arguments) throws(CommandFailure) -> TLSContext {
        var files: TLSFiles?
        switch (arguments.text("client-certificate"), arguments.text("client-key")) {
        case (let certificate?, let key?): files = TLSFiles(certificate: certificate, key: key)
        case (nil, nil): break
        default: throw arguments.usage("give both --client-certificate and --client-key")
        }
        do throws(TLSError) {
            return try TLSContext.client(authorities: arguments.text("ca"), files)
        } catch {
            throw CommandFailure(.configuration, error.description)
        }
    }

    /// Percent-encodes a text for a path, a query or a field.
    static func encoded(_ text: String) -> String {
        var buffer = ByteBuffer()
        Array(text.utf8).withView { PercentEncoding.append($0, to: &buffer) }
        return buffer.view.text
    }

    /// Sends a request and reads its reply.
    ///
    /// Gives the head of a reply that is a success, once its body has gone to `sink`; everything
    /// else is thrown, a refusal as `code: detail`. A long one may take any time to begin.
    @discardableResult
    func send(
        _ method: String,
        _ target: String,
        fields: [(name: String, value: String)] = [],
        body: [UInt8]? = nil,
        isLong: Bool = false,
        sink: ReplyReader.Sink
    ) throws(CommandFailure) -> ReplyHead {
        let socket = try ClientSocket(to: address, security)
        if isLong { socket.waitForEver() }
        var request = requestHead(method, target, fields)
        if let body { request.append(text: "content-length: \(body.count)\r\n") }
        request.append("connection: close\r\n\r\n")
        if let body { request.append(body) }
        // A server that refuses early may stop reading; its answer says why.
        _ = socket.write(request.view)
        var reader = ReplyReader(socket)
        let head = try reader.head()
        guard (200..<300).contains(head.status) else { throw try Self.refusal(head, &reader) }
        try reader.body(of: head, sink)
        return head
    }

    /// Sends a request whose body goes out while its reply comes in.
    ///
    /// - Parameters:
    ///   - target: Where.
    ///   - fields: What the request says of itself.
    ///   - next: Puts more of the body into a buffer, or nothing as long as an answer must come
    ///     first; false at its end.
    ///   - sink: Gets the body of a reply that is a success.
    /// - Throws: A refusal as `code: detail`, or that nobody answers.
    func stream(
        _ target: String,
        fields: [(name: String, value: String)],
        next: @escaping (inout ByteBuffer) throws(CommandFailure) -> Bool,
        sink: ReplyReader.Sink
    ) throws(CommandFailure) {
        let socket = try ClientSocket(to: address, security)
        var request = requestHead("POST", target, fields)
        request.append("transfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        // A server that refuses early may stop reading; its answer says why.
        var takesMore = socket.write(request.view)
        var piece = ByteBuffer()
        var chunk = ByteBuffer()
        var reader = ReplyReader(socket) { () throws(CommandFailure) in
            while takesMore {
                piece.removeAll()
                chunk.removeAll()
                let isMore = try next(&piece)
                if isMore, piece.isEmpty { return }
                if !piece.isEmpty {
                    chunk.append(text: String(piece.count, radix: 16) + "\r\n")
                    chunk.append(piece.view)
                    chunk.append("\r\n")
                }
                if !isMore { chunk.append("0\r\n\r\n") }
                takesMore = socket.write(chunk.view) && isMore
            }
        }
        let head = try reader.head()
        guard (200..<300).contains(head.status) else { throw try Self.refusal(head, &reader) }
        try reader.body(of: head, sink)
    }

    /// Asks for another protocol on a connection of its own.
    ///
    /// - Parameters:
    ///   - target: Where.
    ///   - fields: What the handshake says.
    ///   - rest: Gets what the server has sent behind its head.
    /// - Returns: The connection, which speaks the new protocol now, and the server's head.
    /// - Throws: The refusal, or that nobody answers.
    func upgrade(
        _ target: String,
        fields: [(name: String, value: String)],
        rest: inout ByteBuffer
    ) throws(CommandFailure) -> (ClientSocket, ReplyHead) {
        let socket = try ClientSocket(to: address, security)
        var request = requestHead("GET", target, fields)
        request.append("\r\n")
        _ = socket.write(request.view)
        var reader = ReplyReader(socket)
        let head = try reader.head()
        guard head.status == 101 else { throw try Self.refusal(head, &reader) }
        reader.takeRest(&rest)
        return (socket, head)
    }

    private func requestHead(
        _ method: String,
        _ target: String,
        _ fields: [(name: String, value: String)]
    ) -> ByteBuffer {
        var request = ByteBuffer()
        request.append(text: "\(method) \(target) HTTP/1.1\r\nhost: \(address.authority)\r\n")
        for (name, value) in identity + fields { request.append(text: "\(name): \(value)\r\n") }
        return request
    }

    /// Reads why a request was refused.
    private static func refusal(
        _ head: ReplyHead,
        _ reader: inout ReplyReader
    ) throws(CommandFailure) -> CommandFailure {
        var problem = ByteBuffer()
        try reader.body(of: head) { (bytes: ByteView) throws(CommandFailure) in
            guard problem.count < Limits.bodyByteCountMax else { return }
            problem.append(bytes)
        }
        return refusal(head, problem.view)
    }

    /// What a problem document says, in one line.
    private static func refusal(_ head: ReplyHead, _ body: ByteView) -> CommandFailure {
        let exit: ExitCode = head.status == 404 || head.status == 410 ? .notFound : .refused
        guard head["content-type"]?.hasPrefix("application/problem+json") == true,
            let code = member("code", of: body)
        else {
            return CommandFailure(exit, "status-\(head.status): the answer does not say why")
        }
        let reason = member("detail", of: body) ?? member("title", of: body) ?? ""
        return CommandFailure(exit, printable("\(code): \(reason)"))
    }

    private static func member(_ name: StaticString, of document: ByteView) -> String? {
        do throws(JSONError) {
            let found = try JSONScanner.member(named: ByteView(name), in: document)
            guard let found else { return nil }
            var scanner = JSONScanner(found)
            return try scanner.readString().text
        } catch {
            return nil
        }
    }
}
