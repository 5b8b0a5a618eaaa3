// A log of many commits, each of one record of 200 bytes: opened, walked, and weighed.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// `reopen_records_per_s`, `iterate_forward`, `iterate_backward`, `index_bytes_per_record`.
///
/// One record a commit is the dearest form of a log: every record pays for a commit's envelope, its
/// chain and its place in the change memory.
enum LogMeasure {
    #if DEBUG
    private static let quickCount = 40_000
    #else
    private static let quickCount = 200_000
    #endif

    static func run(_ context: Context) throws {
        let count = context.choose(quick: quickCount, whole: 1_000_000)
        let directory = context.folder.fresh("log")
        try fill(directory, count)
        let rounds = context.choose(quick: 3, whole: 7)
        var reopened: [Double] = []
        var forward: [Double] = []
        var backward: [Double] = []
        var weights: [Double] = []
        for _ in 0..<rounds {
            var opened: StoreUnderTest?
            let seconds = try Clock.seconds { opened = try StoreUnderTest(directory) }
            guard let opened else { throw BenchError("not opened") }
            reopened.append(Double(count) / seconds)
            let reader = opened.store.logReader()
            forward.append(try walk(reader, from: reader.oldest) { try $0.next() })
            backward.append(try walk(reader, from: reader.head + 1) { try $0.previous() })
            weights.append(try weigh(opened, count))
            try opened.store.close()
        }
        add(context, "reopen_records_per_s", "records/s", .more, reopened)
        add(context, "iterate_forward", "records/s", .more, forward)
        add(context, "iterate_backward", "records/s", .more, backward)
        add(context, "index_bytes_per_record", "bytes", .less, weights)
    }

    private static func add(
        _ context: Context,
        _ measure: String,
        _ unit: String,
        _ aim: Measurement.Aim,
        _ rounds: [Double]
    ) {
        let peer = Measurement.Peer.none(because: "no peer measured")
        context.report.add(
            Measurement(measure: measure, unit: unit, aim: aim, rounds: rounds, peer: peer)
        )
    }

    private static func fill(_ directory: String, _ count: Int) throws {
        let opened = try StoreUnderTest(directory)
        for number in 0..<count {
            try opened.insert([Array(Sample.document(byteCount: 200, number: number).utf8)])
            if number % 4096 == 4095 { opened.store.syncStep() }
        }
        try opened.store.close()
    }

    /// Reads every record's value; records a second.
    private static func walk(
        _ reader: LogReader,
        from seq: UInt64,
        _ move: (inout LogCursor) throws -> Frame?
    ) throws -> Double {
        guard var cursor = try reader.cursor(before: seq) else { throw BenchError("an empty log") }
        var records = 0
        var byteCount = 0
        let seconds = try Clock.seconds {
            while let frame = try move(&cursor) {
                try CommitView(frame.content).forEachBlock { block, _ in
                    try block.forEachEffect { effect in
                        records += 1
                        byteCount += effect.value.count
                    }
                }
            }
        }
        guard byteCount > records else { throw BenchError("records without values") }
        return Double(records) / seconds
    }

    private static func weigh(_ opened: StoreUnderTest, _ count: Int) throws -> Double {
        try opened.store.read { reader throws(BenchError) in
            guard let tree = reader.state.tree(opened.tree), tree.entryCount == count else {
                throw BenchError("not all records came back")
            }
            return Double(tree.indexByteCount) / Double(count)
        }
    }
}
