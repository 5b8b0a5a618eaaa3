// `holdfast ls`: prints the keys of a tree, exact at one position.
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// The records of a tree on standard output.
enum ListCommand {
    static let command = Command(
        name: "ls",
        summary: "Prints the keys of a tree's records, one a line, in order.",
        positionals: ["TREE"],
        flags: [
            Flag("prefix", .text, "P", "names that begin so"),
            Flag(toggle: "meta", "the whole envelopes as NDJSON"),
        ] + Client.flags,
        notes: Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let client = try Client(arguments)
        var target = RecordTarget.path(arguments.positionals[0])
        if let prefix = arguments.text("prefix") { target += "?prefix=" + Client.encoded(prefix) }
        let isWhole = arguments.has("meta")
        let output = Output()
        var lines = LineSplitter()
        try client.send("GET", target, fields: [("accept", "application/x-ndjson")]) {
            (bytes: ByteView) throws(CommandFailure) in
            if isWhole { return try output.append(bytes) }
            try lines.feed(bytes) { (line: ByteView) throws(CommandFailure) in
                if !line.isEmpty { try output.append(try key(of: line) + "\n") }
            }
        }
        try output.flush()
    }

    /// The id or name of an envelope.
    private static func key(of envelope: ByteView) throws(CommandFailure) -> String {
        do throws(JSONError) {
            if let key = try JSONScanner.member(named: ByteView("key"), in: envelope) {
                if let id = try JSONScanner.member(named: ByteView("id"), in: key) {
                    return id.text
                }
                if let name = try JSONScanner.member(named: ByteView("name"), in: key) {
                    var scanner = JSONScanner(name)
                    if let text = try scanner.readString().text { return printable(text) }
                }
            }
            throw JSONError.empty
        } catch {
            throw CommandFailure(.unreachable, "a line of the answer is no record: \(error)")
        }
    }
}
