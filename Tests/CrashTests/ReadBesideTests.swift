// A process reads a database while another one writes it, compacts it, and is killed.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct ReadBesideTests {
    private static let variable = "HOLDFAST_READ_BESIDE"
    private static let small = PartSizes(least: 600, most: 4096, mask: 3)

    /// The other process: a life with compactions and openings that ends in the middle.
    private static func write() throws {
        let words = try #require(getenv(variable).map { String(cString: $0) }).split(separator: " ")
        let seed = try #require(UInt64(words[1]))
        let random = SeededRandom(seed: seed)
        let bench = try StoreBench(PosixDisk(String(words[0]), create: true), seed: seed)
        if bench.store.read({ $0.state.head }) == 0 {
            for operation in StockModel.definitions { bench.submit([operation]) }
        }
        for number in 0..<random.within(250...450) {
            bench.submit([put("\(seed)-\(number)", number)])
            if random.oneIn(3) { bench.sync() }
            if random.oneIn(60) { try bench.store.compact(sizes: small) }
            if random.oneIn(150) {
                bench.sync()
                try bench.reopen()
            }
        }
        kill(getpid(), SIGKILL)
    }

    private static func put(_ name: String, _ number: Int) -> HoldfastRecords.Operation {
        let value =
            #"{"number":\#(number),"text":"\#(String(repeating: "x", count: number % 300))"}"#
        return .put(
            WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: name),
                expects: .absent,
                value: Array(value.utf8)
            )
        )
    }

    private static func reader(_ disk: any Disk) throws -> Store {
        try Store(
            disk: disk,
            application: "stockroom",
            options: LogOptions(isWritable: false),
            logger: StoreBench.silent
        )
    }

    private static func lines(_ store: Store) -> [String] {
        store.read { reader in
            dump(reader.state) { location in
                reader.withEffect(at: location) { effect, commit in
                    "\(effect.key) of \(commit.seq), set \(effect.isSet), \(effect.value.text)"
                }
            }
        }
    }

    /// What the reading side has met.
    private struct Account {
        var looks = 0
        var commits = 0
        var backward = 0
        var anew = 0
        var moves = 0
        var checks = 0
    }

    /// Follows until told that it is over; once more then.
    private static func follow(
        _ disk: ReadingDisk,
        _ store: Store,
        _ account: inout Account,
        isOver: () -> Bool
    ) throws {
        var log = try LogReader.open(disk: disk)
        guard var cursor = try log.cursor(before: log.oldest) else {
            throw Disagreement("a log without a beginning")
        }
        var chain: Hash128?
        var isLast = false
        while !isLast {
            isLast = isOver()
            let before = store.read { ($0.state.head, $0.oldest.seq) }
            try store.refresh()
            let after = store.read { ($0.state.head, $0.oldest.seq) }
            guard after.0 >= before.0 else { throw Disagreement("the state went back") }
            if after.1 > before.1 { account.moves += 1 }
            do throws(CommitLogError) {
                log = try log.refreshed(disk: disk)
                try cursor.goOn(in: log)
            } catch {
                guard case .compacted = error else { throw error }
                account.anew += 1
                log = try LogReader.open(disk: disk)
                guard let anew = try log.cursor(before: log.oldest) else {
                    throw Disagreement("a log without a beginning")
                }
                (cursor, chain) = (anew, nil)
            }
            while let frame = try cursor.next() {
                let commit = try CommitView(frame.content)
                if let chain { try commit.verify(after: chain) }
                chain = commit.chain
                account.commits += 1
            }
            guard cursor.nextSeq == log.head + 1 else { throw Disagreement("a quiet end") }
            var back = cursor
            for step in 1...UInt64(40) {
                guard let frame = try back.previous() else { break }
                guard frame.seq == log.head + 1 - step else { throw Disagreement("a gap") }
                account.backward += 1
            }
            account.looks += 1
            guard account.looks % 10 == 0 else { continue }
            account.checks += 1
            _ = try reader(disk)
            _ = try CommitLog.lookingAgain(disk) {
                let report = try CommitLog.verify(disk: disk) { _ in }
                if let damage = report.damages.first { throw damage }
                try Checkpoint.newest(on: disk)?.verify()
            }
        }
    }

    @Test(
        "Beside a writer that rolls, compacts and is killed, readers see every commit whole, once"
    )
    func besideWriter() async throws {
        let folder = NSTemporaryDirectory() + "holdfast-beside-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let random = SeededRandom(seed: Seed.chosen ?? 1)
        let outer = try PosixDisk(folder, create: true)
        do {
            let bench = try StoreBench(outer, seed: 1)
            try bench.store.close()
        }
        let disk = ReadingDisk(outer)
        let store = try Self.reader(disk)
        let (isOver, result) = (Lock(false), Lock<Result<Account, any Error>>(.success(Account())))
        let worker = Worker {
            result.withLock { result in
                result = Result {
                    var account = Account()
                    try Self.follow(disk, store, &account) { isOver.withLock { $0 } }
                    return account
                }
            }
        }
        for _ in 1...6 {
            setenv(Self.variable, "\(folder) \(random.within(1...1_000_000))", 1)
            await #expect(processExitsWith: .signal(SIGKILL)) { try Self.write() }
        }
        unsetenv(Self.variable)
        isOver.withLock { $0 = true }
        worker.join()
        let account = try result.withLock { try $0.get() }
        let bench = try StoreBench(outer, seed: 2)
        try compare(Self.lines(store), Self.lines(bench.store), "what was followed with the end")
        #expect(disk.refusedCount == 0)
        print("beside: \(account)")
        #expect(account.commits > 1000 && account.moves > 3 && account.checks > 5, "\(account)")
    }
}
