// The command line.

/// What was asked for.
struct Options {
    /// A part of the product.
    enum Subject: String, CaseIterable {
        case server, storage, client, growth

        /// Those that end within minutes.
        static let usual: [Subject] = [.server, .storage, .client]
    }

    /// How the command line was understood.
    enum Reading {
        case help
        case wrong(String)
        case options(Options)
    }

    var subjects: [Subject] = []
    var isQuick = false
    var jsonPath: String?
    /// The measures wanted; nil for all of the subjects.
    var only: [String]?

    /// Whether one of a family's measures is asked for.
    func asks(_ subject: Subject, for measures: [String]) -> Bool {
        subjects.contains(subject) && (only?.contains(where: measures.contains) ?? true)
    }

    static let help = """
        holdfast-bench server|storage|client|growth|all [--only MEASURE] [--quick] [--json FILE]

        Measures Holdfast, and in turn with it the peers that are installed (nginx, webdis with
        Redis, etcd, NATS; SQLite, LMDB), and prints the median of the rounds, a line for each peer.
        A ratio above 1 means that Holdfast is ahead.

          server       get_rps_per_core get_pipelined_rps_per_core tls_get_rps_per_core
                       list100_rps query_unique_us query_indexed_us query_sorted_us query_walk_s
                       put_durable_rps put_durable_rps_per_core
                       batch100_durable_records_per_s
                       feed_cpu_us_per_delivery feed_p99_ms feed20_p99_ms
                       idle_feed_bytes
          storage      insert_durable_1 insert_durable_16 insert_durable_100 insert_nosync
                       disk_bytes_per_record reopen_records_per_s
                       iterate_forward iterate_backward index_bytes_per_record
                       checkpoint_bytes_per_s checkpoint_write_p99_us
                       backup_bytes_per_s restore_bytes_per_s
          client       codec_us cross_module_ns mirror_bytes_per_record typed_read_ns
                       local_write_1 cold_open_ms first_sync_s
                       first_sync_snapshot_s
          growth       insert_nosync at 1 k to 20 M records, and with 20 M of them: reopening,
                       memory, random reads, a checkpoint (minutes, 12 GB below TMPDIR)
          all          all of them but growth

          --only NAME  that measure, and those that are taken with it; may be said again
          --quick      fewer and shorter rounds, all in about a minute
          --json FILE  writes one JSON object a line to FILE instead of below the table

        The server measured is the program `holdfast` beside this one. Load comes from wrk, or from
        a process of this program where wrk is missing. Files are written below TMPDIR (/tmp).
        Figures count in a release build only.
        """

    static func read(_ arguments: [String]) -> Reading {
        var options = Options()
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            switch argument {
            case "--help", "-h": return .help
            case "--quick": options.isQuick = true
            case "--json":
                guard index < arguments.count else { return .wrong("--json needs a file") }
                options.jsonPath = arguments[index]
                index += 1
            case "--only":
                guard index < arguments.count else { return .wrong("--only needs a measure") }
                guard Benchmark.measures.contains(arguments[index]) else {
                    return .wrong("'\(arguments[index])' is no measure")
                }
                options.only = (options.only ?? []) + [arguments[index]]
                index += 1
            case "all": options.subjects = Subject.usual
            default:
                guard let subject = Subject(rawValue: argument) else {
                    return .wrong("'\(argument)' is not known")
                }
                if !options.subjects.contains(subject) { options.subjects.append(subject) }
            }
        }
        guard !options.subjects.isEmpty else { return .wrong("say what to measure") }
        return .options(options)
    }
}
