// `holdfast log`: prints the commits of a database, beside a live server too.
internal import HoldfastBasics
internal import HoldfastCommitLog

/// The log as text or NDJSON.
enum LogCommand {
    static let command = Command(
        name: "log",
        summary: "Prints the commits of a database. Changes nothing.",
        positionals: [],
        flags: [
            Flag("data", .text, "DIR", environment: true, "directory of the database"),
            Flag("from", .number, "SEQ", "first commit to print (the oldest, or the newest)"),
            Flag(toggle: "reverse", "newest first"),
            Flag("limit", .number, "N", "most commits to print (all)"),
            Flag(toggle: "json", "one JSON object a line, as in GET /v1/changes"),
        ],
        notes: """
            One line a commit (seq, time, user@device, change id, application, reason), then one indented
            line for each effect: tree, key.revision, label. Works beside a live server, whose last
            commits may be written but not synced yet.
            """,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let folder = DatabaseFolder(try arguments.required("data"))
        let from = try arguments.integer("from", 1...Limits.numberMax)
        let limit = try arguments.integer("limit", 0...Limits.numberMax) ?? .max
        let isReverse = arguments.has("reverse")
        let printer = CommitPrinter(isJSON: arguments.has("json"))
        let disk = try folder.existingDisk()
        do {
            let reader = try LogReader.open(disk: disk)
            guard reader.head >= reader.oldest else { return }
            let first = from ?? (isReverse ? reader.head : reader.oldest)
            let isThere = first >= reader.oldest
            let place = isReverse ? first + 1 : first
            guard isThere, var cursor = try reader.cursor(before: place) else {
                throw arguments.usage(
                    "--from \(first): the log holds commits \(reader.oldest) to \(reader.head)"
                )
            }
            var count: UInt64 = 0
            while count < limit,
                let frame = try isReverse ? cursor.previous() : cursor.next()
            {
                try printer.print(frame)
                count += 1
            }
        } catch let error as CommitLogError {
            throw CommandFailure(error, directory: folder.path)
        } catch let error as CommandFailure {
            throw error
        } catch {
            preconditionFailure("reading a log throws nothing else: \(error)")
        }
        try printer.finish()
    }
}
