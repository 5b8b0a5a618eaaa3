// `holdfast get`: prints a record's value.
internal import HoldfastBasics

/// A record's value on standard output.
enum GetCommand {
    static let command = Command(
        name: "get",
        summary: "Prints the value of a record, and a newline.",
        positionals: ["TREE", "KEY"],
        flags: [
            Flag("revision", .text, "R", "a number, latest or released (latest)")
        ] + Client.flags,
        notes: Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let client = try Client(arguments)
        let (tree, key) = (arguments.positionals[0], arguments.positionals[1])
        let output = Output()
        guard !tree.isEmpty, !key.isEmpty else {
            throw arguments.usage("TREE and KEY are not empty")
        }
        let target = RecordTarget.path(tree, key, revision: arguments.text("revision"))
        try client.send("GET", target) { (bytes: ByteView) throws(CommandFailure) in
            try output.append(bytes)
        }
        try output.append("\n")
        try output.flush()
    }
}

/// Request targets of records.
enum RecordTarget {
    static func path(_ tree: String, _ key: String? = nil, revision: String? = nil) -> String {
        var path = "/v1/records/" + Client.encoded(tree)
        if let key { path += "/" + Client.encoded(key) }
        if let revision { path += "?revision=" + Client.encoded(revision) }
        return path
    }
}
