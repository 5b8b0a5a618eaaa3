// `holdfast-bench`: the product against its peers, in one run on one machine.
//
// Every figure is the median of rounds, and peers run in turn with us, so that a machine that slows
// down slows both. A measure that fails is reported and the others go on.
internal import Foundation

/// The program.
enum Benchmark {
    /// Runs the program.
    ///
    /// - Parameter arguments: Those of the command line, without the program's name.
    /// - Returns: The exit code.
    static func run(_ arguments: [String]) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        if arguments.first == LoadCommand.name { return LoadCommand.run(arguments.dropFirst()) }
        if arguments.first == BareCommand.name { return BareCommand.run(arguments.dropFirst()) }
        let options: Options
        switch Options.read(arguments) {
        case .help:
            print(Options.help)
            return 0
        case .wrong(let reason):
            complain("\(reason)\n\n\(Options.help)")
            return 64
        case .options(let read): options = read
        }
        do {
            return try run(options)
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private static func run(_ options: Options) throws -> Int32 {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        let report = Report(options)
        let context = Context(options: options, folder: folder, report: report)
        for family in families where options.asks(family.subject, for: family.measures) {
            // What was left to be written by those before would be written while this one measures.
            sync()
            do {
                try family.measure(context)
            } catch {
                report.fail(family.name, "\(error)")
            }
        }
        try report.finish()
        return report.hasFailed ? 1 : 0
    }

    /// Measures that are taken together.
    private struct Family: Sendable {
        let subject: Options.Subject
        let name: String
        let measures: [String]
        let measure: @Sendable (Context) throws -> Void

        init(
            _ subject: Options.Subject,
            _ name: String,
            _ measures: [String],
            _ measure: @escaping @Sendable (Context) throws -> Void
        ) {
            (self.subject, self.name, self.measures) = (subject, name, measures)
            self.measure = measure
        }
    }

    /// What `--only` may name.
    static var measures: [String] { families.flatMap(\.measures) }

    private static let families = [
        Family(.server, "get", ["get_rps_per_core", "get_pipelined_rps_per_core"], GetMeasure.run),
        Family(
            .server,
            "list",
            [
                "list100_rps", "query_unique_us", "query_indexed_us", "query_sorted_us",
                "query_walk_s",
            ],
            ListMeasure.run
        ),
        Family(.server, "get over TLS", ["tls_get_rps_per_core"], GetMeasure.runSecure),
        Family(
            .server,
            "put",
            [
                "put_durable_rps", "put_durable_rps_per_core", "batch100_durable_records_per_s",
            ],
            PutMeasure.run
        ),
        Family(
            .server,
            "feed",
            ["feed_cpu_us_per_delivery", "feed_p99_ms", "feed20_p99_ms"],
            FeedMeasure.run
        ),
        Family(.server, "idle feed", ["idle_feed_bytes"], IdleFeedMeasure.run),
        Family(
            .storage,
            "insert",
            ["insert_durable_1", "insert_durable_16", "insert_durable_100"],
            InsertMeasure.run
        ),
        Family(
            .storage,
            "loose insert",
            ["insert_nosync", "disk_bytes_per_record"],
            LooseInsertMeasure.run
        ),
        Family(
            .storage,
            "log",
            [
                "reopen_records_per_s", "iterate_forward", "iterate_backward",
                "index_bytes_per_record",
            ],
            LogMeasure.run
        ),
        Family(
            .storage,
            "checkpoint",
            ["checkpoint_bytes_per_s", "checkpoint_write_p99_us"],
            CheckpointMeasure.run
        ),
        Family(
            .storage,
            "backup",
            ["backup_bytes_per_s", "restore_bytes_per_s"],
            BackupMeasure.run
        ),
        Family(.growth, "growth", ["growth"], GrowthMeasure.run),
        Family(.client, "codec", ["codec_us"], CodecMeasure.run),
        Family(.client, "lookup", ["cross_module_ns"], LookupMeasure.run),
        Family(
            .client,
            "embedded",
            ["mirror_bytes_per_record", "typed_read_ns", "local_write_1", "cold_open_ms"],
            EmbeddedMeasure.run
        ),
        Family(
            .client,
            "first sync",
            ["first_sync_s", "first_sync_snapshot_s"],
            FirstSyncMeasure.run
        ),
    ]

    /// Says something on standard error.
    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

/// What every measure is given.
struct Context {
    let options: Options
    let folder: ScratchFolder
    let report: Report

    /// How many rounds, or how much of anything, a run takes.
    func choose<T>(quick: T, whole: T) -> T { options.isQuick ? quick : whole }
}

/// Why a measure could not be taken.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
