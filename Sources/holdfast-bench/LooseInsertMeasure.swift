// Insertions without syncs, and what records take up on the disk.
internal import Foundation
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStore

/// `insert_nosync`, `disk_bytes_per_record`.
enum LooseInsertMeasure {
    #if DEBUG
    private static let quickCount = 20_000
    #else
    private static let quickCount = 100_000
    #endif
    private static let batchCount = 100

    static func run(_ context: Context) throws {
        let count = context.choose(quick: quickCount, whole: 500_000)
        try insert(context, count)
        try weigh(context, count)
    }

    /// Names of 16 bytes, values of 100, in commits of 100: indexed, checked, written, not synced.
    private static func insert(_ context: Context, _ count: Int) throws {
        let values = (0..<count).map { Array(Sample.document(byteCount: 100, number: $0).utf8) }
        let names = (0..<count).map { String(format: "part-%011d", $0 &* 7_919 % 99_999_999) }
        var rounds: [Double] = []
        for _ in 0..<context.choose(quick: 2, whole: 5) {
            let opened = try StoreUnderTest(
                context.folder.fresh("loose"),
                keys: .name,
                syncing: .never
            )
            let runner = StoreRunner(opened.store)
            let seconds = try Clock.seconds {
                for first in stride(from: 0, to: count, by: batchCount) {
                    let range = first..<min(count, first + batchCount)
                    try opened.insert(values[range], names: names[range])
                    opened.store.syncStep()
                }
            }
            rounds.append(Double(count) / seconds)
            try runner.close()
        }
        context.report.add(
            Measurement(
                measure: "insert_nosync",
                unit: "records/s",
                aim: .more,
                rounds: rounds,
                peer: .none(because: "no peer measured")
            )
        )
    }

    /// The same records of 200 bytes in all three, in commits of 100; what the files take up.
    private static func weigh(_ context: Context, _ count: Int) throws {
        let values = (0..<count).map { Array(Sample.document(byteCount: 200, number: $0).utf8) }
        let paths = ["loose", "loose.sqlite", "loose.lmdb"].map(context.folder.fresh)
        let opened = try StoreUnderTest(paths[0], syncing: .never)
        let sqlite = try SQLite(paths[1])
        let lmdb = try LMDB(paths[2])
        for first in stride(from: 0, to: count, by: batchCount) {
            let batch = values[first..<min(count, first + batchCount)]
            try opened.insert(batch)
            opened.store.syncStep()
            try sqlite?.insert(batch)
            try lmdb?.append(batch, from: first)
        }
        try opened.store.close()
        let weights = try paths.map { try byteCount($0) / Double(count) }
        for (name, weight) in [("sqlite", weights[1]), ("lmdb", weights[2])] {
            context.report.add(
                Measurement(
                    measure: "disk_bytes_per_record",
                    unit: "bytes",
                    aim: .less,
                    rounds: [weights[0]],
                    peer: weight == 0
                        ? .none(because: "lib\(name) is not installed")
                        : .measured(name, rounds: [weight])
                )
            )
        }
    }

    /// What a file, or the files below a folder, take up; SQLite's log is its own.
    private static func byteCount(_ path: String) throws -> Double {
        let files = FileManager.default
        guard let inside = files.enumerator(atPath: path) else { return 0 }
        var names = inside.compactMap { ($0 as? String).map { path + "/" + $0 } }
        names += [path, path + "-wal"].filter { files.fileExists(atPath: $0) }
        return names.reduce(0) { sum, name in
            var facts = stat()
            guard lstat(name, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return sum }
            return sum + Double(facts.st_blocks) * 512
        }
    }
}
