// Durable insertions into a store, into SQLite and into LMDB, in turn.
internal import HoldfastStore

/// `insert_durable_N`: commits of N records of 200 bytes, each synced before the next begins.
///
/// The limit is a file to which the values alone are written, and synced: nothing durable is
/// faster.
enum InsertMeasure {
    private static let sizes = [1, 16, 100]

    static func run(_ context: Context) throws {
        let values = (0..<1000).map { Array(Sample.document(byteCount: 200, number: $0).utf8) }
        let store = try StoreUnderTest(context.folder.fresh("insert"))
        let runner = StoreRunner(store.store)
        let sqlite = try SQLite(context.folder.fresh("insert.sqlite"))
        let lmdb = try LMDB(context.folder.fresh("insert.lmdb"), isSyncing: true)
        let file = try BareFile(context.folder.fresh("insert.bare"))
        var lmdbCount = 0
        for size in sizes {
            var ours: [Double] = []
            var theirs: [Double] = []
            var others: [Double] = []
            var limits: [Double] = []
            for _ in 0..<context.choose(quick: 3, whole: 9) {
                ours.append(
                    try rate(context, size, values) { values in
                        try store.insertDurably(values)
                    }
                )
                limits.append(try rate(context, size, values) { try file.append($0) })
                if let sqlite {
                    theirs.append(try rate(context, size, values) { try sqlite.insert($0) })
                }
                if let lmdb {
                    others.append(
                        try rate(context, size, values) { values in
                            try lmdb.append(values, from: lmdbCount)
                            lmdbCount += values.count
                        }
                    )
                }
            }
            let peers = [("sqlite", theirs), ("lmdb", others), ("bytes alone, synced", limits)]
            for (name, rounds) in peers {
                context.report.add(
                    Measurement(
                        measure: "insert_durable_\(size)",
                        unit: "records/s",
                        aim: .more,
                        rounds: ours,
                        peer: rounds.isEmpty
                            ? .none(because: "lib\(name) is not installed")
                            : .measured(name, rounds: rounds)
                    )
                )
            }
        }
        try runner.close()
    }

    /// Records a second over a short time.
    private static func rate(
        _ context: Context,
        _ size: Int,
        _ values: [[UInt8]],
        _ commit: (ArraySlice<[UInt8]>) throws -> Void
    ) throws -> Double {
        let seconds = context.choose(quick: 0.2, whole: 0.6)
        let start = Clock.nanoseconds
        var elapsed = 0.0
        var commitCount = 0
        while elapsed < seconds {
            let first = commitCount * size % (values.count - size)
            try commit(values[first..<first + size])
            commitCount += 1
            elapsed = Double(Clock.nanoseconds - start) / 1e9
        }
        return Double(commitCount * size) / elapsed
    }
}
