// `holdfast put`: writes a record's value from a file.
internal import HoldfastBasics
internal import HoldfastRecords

/// A record's value from a file or standard input.
enum PutCommand {
    static let command = Command(
        name: "put",
        summary: "Writes the value of a record from a file, and prints the commit's position.",
        positionals: ["TREE", "KEY", "FILE|-"],
        flags: [
            Flag(toggle: "create", "the record must not be there yet"),
            Flag("if-match", .text, "VERSION", "the record's version must still be this one"),
            Flag("borrow", .text, "ID", "the borrow to write under"),
            Flag("revision", .number, "N", "the revision; needed where the tree is versioned"),
            Flag("why", .text, "TEXT", "the reason, kept with the change"),
        ] + Client.flags,
        notes: """
            Give one of --create, --if-match and --borrow: nothing is overwritten unseen. A write whose
            answer got lost may be sent again as it is; `exists` or `stale` then tell that it was done.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let client = try Client(arguments)
        var fields = try preconditions(arguments)
        let revision = try arguments.integer("revision", 0...UInt64(Limits.revisionMax))
        if let why = arguments.text("why") { fields.append(("holdfast-why", Client.encoded(why))) }
        fields.append(("content-type", "application/json"))
        let words = arguments.positionals
        guard !words[0].isEmpty, !words[1].isEmpty else {
            throw arguments.usage("TREE and KEY are not empty")
        }
        let body = try InputFile.contents(words[2], byteCountMax: Limits.bodyByteCountMax)
        let target = RecordTarget.path(words[0], words[1], revision: revision.map { "\($0)" })
        let head = try client.send("PUT", target, fields: fields, body: body) {
            (_: ByteView) throws(CommandFailure) in
        }
        guard let position = head["holdfast-position"] else {
            throw CommandFailure(.unreachable, "what answered is no Holdfast server; check --url")
        }
        try Console.print(position + "\n")
    }

    /// What the record must be for the write to happen, as fields of the request.
    private static func preconditions(
        _ arguments: Arguments
    ) throws(CommandFailure) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if arguments.has("create") { fields.append(("if-none-match", "*")) }
        if let setting = arguments.setting("if-match") {
            let text = setting.text.filter { $0 != "\"" }
            guard Position(text) != nil else {
                throw setting.failure("give a version as `put` or an ETag tells it, epoch:seq")
            }
            fields.append(("if-match", "\"\(text)\""))
        }
        if let setting = arguments.setting("borrow") {
            guard let id = UniqueID(setting.text) else {
                throw setting.failure("give the borrow's id, a UUID")
            }
            fields.append(("holdfast-borrow", id.description))
        }
        guard !fields.isEmpty else {
            throw arguments.usage("give --create, --if-match VERSION or --borrow ID")
        }
        guard !arguments.has("create") || fields.count == 1 else {
            throw arguments.usage("--create excludes --if-match and --borrow")
        }
        return fields
    }
}
