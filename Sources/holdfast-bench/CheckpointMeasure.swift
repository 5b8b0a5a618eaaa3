// A checkpoint beside writes: how fast it is, and what the writes notice of it.
internal import Foundation
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastStore

/// `checkpoint_bytes_per_s`, `checkpoint_write_p99_us`.
///
/// Records of 200 bytes, one a commit. One thread writes and syncs a commit after the other, first
/// alone, then while a checkpoint of everything is written. Every round cuts its parts elsewhere,
/// so that no part of the round before serves.
enum CheckpointMeasure {
    #if DEBUG
    private static let quickCount = 10_000
    #else
    private static let quickCount = 100_000
    #endif

    static func run(_ context: Context) throws {
        let count = context.choose(quick: quickCount, whole: 500_000)
        let opened = try StoreUnderTest(context.folder.fresh("checkpoint"))
        for number in 0..<count {
            try opened.insert([document(number)])
            if number % 4096 == 4095 { opened.store.syncStep() }
        }
        opened.store.syncStep()
        var (rates, alone, beside): ([Double], [Double], [Double]) = ([], [], [])
        let masks: [UInt32] = [4095, 2047, 8191, 1023, 16_383]
        for round in 0..<context.choose(quick: 2, whole: 5) {
            let seconds = context.choose(quick: 0.2, whole: 1.0)
            let end = Clock.nanoseconds + UInt64(seconds * 1e9)
            alone.append(try p99(opened) { Clock.nanoseconds < end })
            let store = opened.store
            let sizes = PartSizes(least: 4 << 20, most: 16 << 20, mask: masks[round % masks.count])
            let made = Condition<Result<(byteCount: Int, seconds: Double), any Error>?>(nil)
            let worker = Worker {
                let result = Result {
                    var byteCount = 0
                    let seconds = try Clock.seconds {
                        byteCount = try store.checkpoint(sizes: sizes)?.writtenByteCount ?? 0
                    }
                    return (byteCount: byteCount, seconds: seconds)
                }
                made.signal { $0 = result }
            }
            beside.append(try p99(opened) { made.withLock { $0 == nil } })
            worker.join()
            guard let checkpoint = try made.withLock(\.self)?.get() else {
                throw BenchError("no checkpoint was written")
            }
            rates.append(Double(checkpoint.byteCount) / checkpoint.seconds)
        }
        try opened.store.close()
        context.report.add(
            Measurement(
                measure: "checkpoint_bytes_per_s",
                unit: "bytes/s beside writes",
                aim: .more,
                rounds: rates,
                peer: .none(because: "no peer measured")
            )
        )
        context.report.add(
            Measurement(
                measure: "checkpoint_write_p99_us",
                unit: "us a durable commit",
                aim: .less,
                rounds: beside,
                peer: .measured("without a checkpoint", rounds: alone)
            )
        )
    }

    private static func document(_ number: Int) -> [UInt8] {
        Array(Sample.document(byteCount: 200, number: number).utf8)
    }

    /// Writes durable commits as long as `goesOn`; what one in a hundred takes at least.
    private static func p99(_ opened: StoreUnderTest, _ goesOn: () -> Bool) throws -> Double {
        var times: [Double] = []
        repeat {
            times.append(
                try Clock.seconds {
                    try opened.insert([document(times.count)])
                    opened.store.syncStep()
                }
            )
        } while goesOn()
        times.sort()
        return times[times.count * 99 / 100] * 1e6
    }
}
