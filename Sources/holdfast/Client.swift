// The client side of the commands that speak to a server: one request, one reply, over a
// connection of its own.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastJSONCoding

/// A server as the client commands see it.
struct Client {
    private let host: String
    private let port: String
    private let authority: String
    private let identity: [(name: String, value: String)]

    static let flags = [
        Flag(
            "url",
            .text,
            "URL",
            environment: true,
            "the server (http://127.0.0.1:7070)"
        ),
        Flag("user", .text, "NAME", environment: true, "who asks (local)"),
        Flag("device", .text, "NAME", environment: true, "from which device (rest)"),
        Flag("token-file", .text, "FILE", environment: true, "file of the token to show"),
    ]

    static let notes = """
        HOLDFAST_URL, HOLDFAST_USER, HOLDFAST_DEVICE and HOLDFAST_TOKEN_FILE stand for their flags.
        HOLDFAST_TOKEN is the token itself. Who shows one is whom it says: --user and --device are left out.
        """

    /// Reads who asks whom.
    init(_ arguments: Arguments) throws(CommandFailure) {
        let setting =
            arguments.setting("url")
            ?? Setting(text: "http://127.0.0.1:7070", origin: "--url", isFromFile: false)
        guard !setting.text.hasPrefix("https://") else {
            throw setting.failure("this version speaks http only")
        }
        guard let (host, port, authority) = Self.parse(setting.text) else {
            throw setting.failure("give http://HOST:PORT, an IPv6 address in brackets")
        }
        self.host = host
        self.port = port
        self.authority = authority
        var identity = [("holdfast-app", "holdfast")]
        if let token = try Self.token(arguments) {
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

    private static func parse(_ url: String) -> (host: String, port: String, authority: String)? {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { return nil }
        var authority = url.dropFirst(scheme.count)
        if authority.hasSuffix("/") { authority.removeLast() }
        let visible = authority.utf8.allSatisfy { $0 > 32 && $0 < 127 }
        guard visible, !authority.contains(where: { "/?#@".contains($0) }) else { return nil }
        var host = authority
        var port: Substring = "80"
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard let number = UInt16(port), number > 0 else { return nil }
        // An IPv6 address stands in brackets, or its last group would be taken for a port.
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains(where: { "[]".contains($0) }) else { return nil }
        return (String(host), String(number), String(authority))
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
        let socket = try ClientSocket(host: host, port: port)
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
        let socket = try ClientSocket(host: host, port: port)
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
        request.append(text: "\(method) \(target) HTTP/1.1\r\nhost: \(authority)\r\n")
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
