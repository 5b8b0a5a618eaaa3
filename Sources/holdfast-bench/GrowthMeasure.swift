// A database that outgrows what fits into 32-bit offsets, and into little memory.
internal import Foundation
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStore

/// `growth_*`: 20 M records of 200 bytes in one tree, in commits of 100.
enum GrowthMeasure {
    private static let batchCount = 100
    /// Where the rate of insertion is taken, over the tenth before.
    private static let stops = [1000, 10_000, 100_000, 1_000_000, 10_000_000, 20_000_000]
    /// What a process may keep for itself, whatever the database weighs.
    private static let memoryMax = 1 << 30

    static func run(_ context: Context) throws {
        let count = context.choose(quick: 1_000_000, whole: 20_000_000)
        let directory = context.folder.fresh("growth")
        try insert(context, directory, count)
        var opened: StoreUnderTest?
        let seconds = try Clock.seconds { opened = try StoreUnderTest(directory, syncing: .never) }
        guard let opened else { throw BenchError("not opened") }
        add(context, "growth_reopen_records_per_s", "records/s", .more, Double(count) / seconds)
        try addMemory(context, "growth_memory_opened")
        try read(context, opened, count)
        var byteCount = 0
        let writing = try Clock.seconds {
            byteCount = try opened.store.checkpoint()?.writtenByteCount ?? 0
        }
        add(context, "growth_checkpoint", "bytes/s", .more, Double(byteCount) / writing)
        try addMemory(context, "growth_memory_checkpoint")
        try opened.store.close()
    }

    private static func insert(_ context: Context, _ directory: String, _ count: Int) throws {
        let values = (0..<1000).map { Array(Sample.document(byteCount: 200, number: $0).utf8) }
        let opened = try StoreUnderTest(directory, syncing: .never)
        let runner = StoreRunner(opened.store)
        var inserted = 0
        for stop in stops where stop <= count {
            let begin = stop - stop / 10
            while inserted < begin { inserted += try insert(opened, values, inserted) }
            let seconds = try Clock.seconds {
                while inserted < stop { inserted += try insert(opened, values, inserted) }
            }
            add(
                context,
                "growth_insert_nosync_\(Measurement.text(Double(stop)))",
                "records/s",
                .more,
                Double(stop / 10) / seconds
            )
        }
        try runner.close()
    }

    private static func insert(
        _ opened: StoreUnderTest,
        _ values: [[UInt8]],
        _ inserted: Int
    ) throws -> Int {
        let first = inserted % (values.count - batchCount)
        try opened.insert(values[first..<first + batchCount])
        opened.store.syncStep()
        return batchCount
    }

    /// Random records, most of which are not in the processor's caches.
    private static func read(
        _ context: Context,
        _ opened: StoreUnderTest,
        _ count: Int
    ) throws {
        let random = SeededRandom(seed: 3)
        let reads = 200_000
        var byteCount = 0
        let seconds = try Clock.seconds {
            for _ in 0..<reads {
                byteCount += try opened.valueByteCount(of: 1 + Int(random.next() % UInt64(count)))
            }
        }
        guard byteCount > reads else { throw BenchError("records without values") }
        add(context, "growth_get_ns", "ns", .less, seconds / Double(reads) * 1e9)
    }

    private static func addMemory(_ context: Context, _ measure: String) throws {
        let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
        else { throw BenchError("the system does not say what memory is used") }
        add(
            context,
            measure,
            "bytes RssAnon",
            .less,
            Double(kibibytes) * 1024,
            .measured("the limit", rounds: [Double(memoryMax)])
        )
    }

    private static func add(
        _ context: Context,
        _ measure: String,
        _ unit: String,
        _ aim: Measurement.Aim,
        _ value: Double,
        _ peer: Measurement.Peer = .none(because: "no peer measured")
    ) {
        context.report.add(
            Measurement(measure: measure, unit: unit, aim: aim, rounds: [value], peer: peer)
        )
    }
}
