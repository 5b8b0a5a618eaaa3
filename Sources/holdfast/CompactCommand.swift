// `holdfast compact`: writes a snapshot and cuts the log, of a server that runs or of a directory
// nobody serves.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastStore

/// Compaction on demand.
enum CompactCommand {
    static let command = Command(
        name: "compact",
        summary: "Writes a snapshot of what stands and drops history behind it.",
        positionals: [],
        flags: [
            Flag("data", .text, "DIR", "directory of a database nobody serves"),
            Flag(
                "history-days",
                .number,
                "DAYS",
                "with --data: for which commits stay in the log (30)"
            ),
            Flag(
                "memory-days",
                .number,
                "DAYS",
                "with --data: for which changes are remembered, 30 at least (30)"
            ),
            Flag(
                "tombstone-days",
                .number,
                "DAYS",
                "with --data: for which deletions are remembered (180)"
            ),
        ] + Client.flags,
        notes: """
            Without --data the server at --url does it, and keeps the history it was started with
            (`holdfast serve --help`, --history-days). Servers do so by themselves when it pays. Reads
            and writes go on meanwhile; history goes in whole files of the log. What stands is never
            dropped; what a change did is remembered for --memory-days, so that one that is sent
            again is not done again. A deleted record is told of as deleted for --tombstone-days,
            and as one that never was afterwards; its id is never used again.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        guard let path = arguments.text("data") else {
            for name in ["history-days", "memory-days", "tombstone-days"]
            where arguments.setting(name) != nil {
                throw arguments.usage("--\(name) goes with --data; a server keeps its own")
            }
            return try ask(Client(arguments))
        }
        var policy = CompactionPolicy(historyByteCount: .max)
        if let days = try arguments.decimal("history-days", 0...36_500, unit: "days") {
            policy.historySeconds = Int64(days * 86_400)
        }
        if let days = try arguments.decimal("memory-days", ServeFlags.memoryDays, unit: "days") {
            policy.memorySeconds = Int64(days * 86_400)
        }
        if let days = try arguments.decimal(
            "tombstone-days",
            ServeFlags.tombstoneDays,
            unit: "days"
        ) {
            policy.tombstoneSeconds = Int64(days * 86_400)
        }
        try compact(DatabaseFolder(path), policy)
    }

    // MARK: A server

    private static func ask(_ client: Client) throws(CommandFailure) {
        var body = ByteBuffer()
        try Progress.telling("compacting") { () throws(CommandFailure) in
            _ = try client.send("POST", "/v1/snapshot", body: [], isLong: true) {
                (bytes: ByteView) throws(CommandFailure) in body.append(bytes)
            }
        }
        let document = body.view
        func text(_ name: StaticString) throws(CommandFailure) -> String {
            do throws(JSONError) {
                let found = try JSONScanner.member(named: ByteView(name), in: document)
                if let found { return found.text.filter { $0 != "\"" } }
            } catch {
                // Told below: it is no server of this kind.
            }
            throw CommandFailure(.unreachable, "what answers at --url is no Holdfast server")
        }
        try Console.print(
            line("snapshot", try text("snapshot"))
                + line("parts", "\(try text("parts")), \(try text("bytes")) bytes")
                + line("written", "\(try text("writtenBytes")) bytes")
                + line("oldest", try text("oldest"))
                + line("freed", "\(try text("freedBytes")) bytes")
        )
        if try text("held") == "true" { Console.complain(heldText) }
    }

    // MARK: A directory

    private static func compact(
        _ folder: DatabaseFolder,
        _ policy: CompactionPolicy
    ) throws(CommandFailure) {
        _ = try folder.existingDisk()
        let store = try folder.open(application: nil, logger: Logger(level: .warning))
        let runner = StoreRunner(store)
        let result = try Progress.telling("compacting") { () throws(CommandFailure) in
            Result { () throws(StoreError) -> Compaction? in
                let report = try store.compact(
                    keepingFrom: store.historyStart(policy),
                    horizons: store.horizons(policy)
                )
                try runner.close()
                return report
            }
        }
        let report: Compaction?
        do throws(StoreError) {
            report = try result.get()
        } catch {
            throw CommandFailure(error, directory: folder.path)
        }
        try Console.print(store.read { describe(report, $0) })
    }

    private static func describe(_ report: Compaction?, _ reader: StoreReader) -> String {
        guard let report else { return line("snapshot", "none: the database is empty") }
        let parts = report.checkpoint
        return line("snapshot", "\(reader.state.position(of: parts.seq))")
            + line("parts", "\(parts.partCount), \(parts.byteCount) bytes")
            + line("written", "\(parts.writtenByteCount) bytes")
            + line("oldest", "\(reader.oldest)")
            + line("freed", "\(report.freedByteCount) bytes")
    }

    private static let heldText =
        "the log was not cut: somebody reads a list from before it; try again later"

    private static func line(_ name: String, _ value: String) -> String {
        pad(name, 10) + value + "\n"
    }
}
