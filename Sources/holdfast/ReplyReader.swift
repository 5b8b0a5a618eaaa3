// Reads one HTTP/1.1 reply from a connection. Source: RFC 9112, sections 4 to 7.
internal import HoldfastBasics

/// Status and fields of a reply.
struct ReplyHead {
    let status: Int
    private let fields: [(name: String, value: String)]

    /// Reads the lines of a head, the first being the status line; nil when they are none.
    init?(_ lines: [String]) {
        guard let first = lines.first else { return nil }
        let words = first.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]),
            (100...599).contains(status)
        else { return nil }
        var fields: [(String, String)] = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields.append((line[..<colon].lowercased(), String(value)))
        }
        self.status = status
        self.fields = fields
    }

    /// The value of a field, named in lower case.
    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// Takes a reply apart as it comes.
struct ReplyReader: ~Copyable {
    /// Gets the body, piece by piece.
    typealias Sink = (ByteView) throws(CommandFailure) -> Void

    private let socket: ClientSocket
    /// Sends more of the request before the reader waits for the reply.
    private let pump: (() throws(CommandFailure) -> Void)?
    private var input = ByteBuffer()

    private static let lineByteCountMax = 64 << 10
    private static let lineCountMax = 200

    init(_ socket: ClientSocket, pump: (() throws(CommandFailure) -> Void)? = nil) {
        self.socket = socket
        self.pump = pump
    }

    /// Reads the head; interim replies are passed over.
    mutating func head() throws(CommandFailure) -> ReplyHead {
        while true {
            var lines: [String] = []
            while let line = Optional(try line()), !line.isEmpty {
                lines.append(line)
                guard lines.count <= Self.lineCountMax else { throw Self.foreign }
            }
            guard let head = ReplyHead(lines) else { throw Self.foreign }
            if head.status >= 200 || head.status == 101 { return head }
        }
    }

    /// What came behind the head, once the connection speaks another protocol.
    mutating func takeRest(_ rest: inout ByteBuffer) { swap(&rest, &input) }

    /// Reads the body to its end.
    mutating func body(of head: ReplyHead, _ sink: Sink) throws(CommandFailure) {
        if head.status == 204 || head.status == 304 { return }
        if head["transfer-encoding"]?.lowercased() == "chunked" { return try chunks(sink) }
        if let text = head["content-length"] {
            guard let count = Int(text), count >= 0 else { throw Self.foreign }
            return try pass(count, sink)
        }
        repeat {
            try sink(input.view)
            input.removeAll()
        } while try read()
    }

    private mutating func chunks(_ sink: Sink) throws(CommandFailure) {
        while true {
            let line = try line().prefix { $0 != ";" }
            guard let count = Int(line, radix: 16), count >= 0 else { throw Self.foreign }
            if count == 0 { break }
            try pass(count, sink)
            guard try self.line().isEmpty else { throw Self.foreign }
        }
        while try !line().isEmpty {}
    }

    /// Hands `count` bytes on.
    private mutating func pass(_ count: Int, _ sink: Sink) throws(CommandFailure) {
        var missing = count
        while missing > 0 {
            if input.isEmpty { try fill() }
            let part = min(missing, input.count)
            try sink(input.view[0..<part])
            input.consume(part)
            missing -= part
        }
    }

    /// The next line without its end.
    private mutating func line() throws(CommandFailure) -> String {
        while true {
            if let end = input.view.firstIndex(of: UInt8(ascii: "\n")) {
                let isPaired = end > 0 && input.view[end - 1] == UInt8(ascii: "\r")
                let line = input.view[0..<(isPaired ? end - 1 : end)].text
                input.consume(end + 1)
                return line
            }
            guard input.count < Self.lineByteCountMax else { throw Self.foreign }
            try fill()
        }
    }

    private mutating func read() throws(CommandFailure) -> Bool {
        try pump?()
        return try socket.read(into: &input)
    }

    private mutating func fill() throws(CommandFailure) {
        guard try read() else {
            throw CommandFailure(.unreachable, "the server went away before it had answered")
        }
    }

    private static var foreign: CommandFailure {
        CommandFailure(.unreachable, "what answered is no Holdfast server; check --url")
    }
}
