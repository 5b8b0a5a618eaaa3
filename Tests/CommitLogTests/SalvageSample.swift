// The log that the tests of salvaging damage.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

/// A log of several segments, and what a test must know of it.
struct SalvageSample {
    struct Commit {
        let content: [UInt8]
        let path: String
        let start: Int
        let byteCount: Int
    }

    let disk: SimulatedDisk
    let identity: Identity
    let lineage: [EpochStart]
    /// All commits; the first has seq 1.
    private(set) var commits: [Commit] = []
    let segments: [String]

    var head: UInt64 { UInt64(commits.count) }

    init(seed: UInt64 = 1, isClosed: Bool = true, isInterrupted: Bool = false) throws {
        let disk = SimulatedDisk(seed: seed)
        var options = LogOptions(segmentByteCount: 2048, growByteCount: 512)
        if isInterrupted { options.syncing = .never }
        var bench = try StoreBench(disk, seed: seed, options: options)
        try #require(bench.submit(Array(StockModel.definitions.suffix(1))).isAccepted)
        for number in 0..<32 {
            if isInterrupted, number == 16 {
                // Killed: what was exposed may be lost, and a new epoch begins.
                bench.sync()
                bench = try StoreBench(disk.copy(), seed: seed + 1, options: options)
            }
            let write = WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: "record \(number)"),
                expects: .absent,
                value: Array("{\"pads\":\(number)}".utf8)
            )
            try #require(bench.submit([.put(write)]).isAccepted)
            if number % 3 != 1 { bench.sync() }
        }
        bench.sync()
        if isClosed { try bench.store.close() }
        let image = try #require(bench.disk as? SimulatedDisk).copy()
        self.disk = image
        let reader = try LogReader.open(disk: image)
        var found: [Commit] = []
        let report = try CommitLog.verify(disk: image) { frame in
            let (path, start) = reader.place(ofOffset: frame.offset)
            found.append(
                Commit(
                    content: frame.content.array,
                    path: path,
                    start: start,
                    byteCount: frame.byteCount
                )
            )
        }
        try #require(report.damages.isEmpty)
        identity = report.identity
        commits = found
        lineage = try CommitLog.salvage(disk: image).lineage
        segments = image.paths.filter { $0.hasSuffix(".seg") }
        try #require(segments.count >= 4)
    }

    /// A copy with other bytes in a file.
    func changed(_ path: String, _ change: (inout [UInt8]) -> Void) -> SimulatedDisk {
        let image = disk.copy()
        var bytes = image.bytes(path) ?? []
        change(&bytes)
        image.put(path, bytes)
        return image
    }

    /// The commits of a segment.
    func seqs(in path: String) -> ClosedRange<UInt64> {
        let found = commits.indices.filter { commits[$0].path == path }.map { UInt64($0) + 1 }
        return (found.first ?? 0)...(found.last ?? 0)
    }
}
