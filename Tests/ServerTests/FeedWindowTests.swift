// The messages feeds share: whoever asks from wherever, they are those of the commits in between.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastHTTP
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import HoldfastServer

@Suite struct FeedWindowTests {
    private static func store() throws -> Store {
        let (disk, time) = (SimulatedDisk(), FakeTime())
        try Store.create(on: disk, application: "stockroom", time: time)
        let store = try Store(
            disk: disk,
            application: "stockroom",
            time: time,
            logger: Logger(level: .error, time: time) { _ in }
        )
        for (number, tree) in [MirrorServerTests.bins, MirrorServerTests.parts].enumerated() {
            let define = Operation.defineTree(tree, TreeDefinition(keys: .name))
            _ = store.submit(
                Change(id: MirrorServerTests.id(UInt64(number) + 1), operations: [define]),
                by: MirrorServerTests.caller
            )
        }
        store.syncStep()
        return store
    }

    /// Makes records of bins, each a commit.
    private static func write(_ store: Store, _ numbers: Range<Int>, _ byteCount: (Int) -> Int) {
        for number in numbers {
            let value = "\"\(String(repeating: "x", count: byteCount(number)))\""
            let change = Change(
                id: MirrorServerTests.id(100 + UInt64(number)),
                operations: [MirrorServerTests.put("r\(number)", value)]
            )
            _ = store.submit(change, by: MirrorServerTests.caller)
        }
        store.syncStep()
    }

    /// The message of each commit, made by itself.
    private static func reference(_ store: Store, _ wish: FeedWindow.Wish) throws -> [[UInt8]] {
        let reader = store.logReader()
        var found: [[UInt8]] = [[]]
        var cursor = try reader.cursor(before: 1)
        while let frame = try cursor?.next() {
            var payload = ByteBuffer()
            var bytes = ByteBuffer()
            let commit = try CommitView(frame.content)
            if wish.form == .events {
                let position = Position(epoch: reader.lineage[0].epoch, seq: frame.seq)
                try EventMessages.appendCommit(commit, at: position, wish.filter, to: &bytes)
            } else {
                let isShown = try FeedMessages.appendCommit(commit, wish.filter, to: &payload)
                if isShown { bytes.appendFrame(.text, payload.view) }
            }
            found.append(bytes.array)
        }
        return found
    }

    @Test(
        "Clients who are anywhere get every message once, in order, and no more than fits at once",
        arguments: [FeedWindow.Form.frames, .events]
    )
    func agreement(form: FeedWindow.Form) throws {
        try Seed.each(Seed.count(usually: 6)) { _, random in
            let store = try Self.store()
            var wish = FeedWindow.Wish(form: form)
            if random.oneIn(3) { wish.filter = CommitFilter(trees: [MirrorServerTests.parts]) }
            let window = FeedWindow(wish, store)
            var clients = [(seq: UInt64, bytes: [UInt8])](repeating: (0, []), count: 4)
            var written = 0
            for _ in 0..<300 {
                if random.oneIn(3) {
                    let count = random.within(1...9)
                    Self.write(store, written..<written + count) { _ in
                        random.oneIn(12) ? 40_000 : random.below(3000)
                    }
                    written += count
                }
                if random.oneIn(20) { window.clear() }
                let (client, reader) = (random.below(clients.count), store.logReader())
                // The last one is far behind for long.
                guard client < 3 || random.oneIn(8), clients[client].seq < reader.head else {
                    continue
                }
                let before = clients[client]
                clients[client].seq = try window.lend(after: before.seq, reader) {
                    clients[client].bytes += $0.array
                }
                #expect(clients[client].seq > before.seq)
            }
            let messages = try Self.reference(store, wish)
            for client in clients {
                let expected = messages[...Int(client.seq)].flatMap { $0 }
                try #require(client.bytes == expected, "up to \(client.seq)")
            }
            // From anywhere: up to the commit that reaches the limit, or all.
            let reader = store.logReader()
            for seq in stride(from: reader.head - 1, through: 0, by: -7) {
                var bytes: [UInt8] = []
                let last = try window.lend(after: seq, reader) { bytes = $0.array }
                let lent = messages[Int(seq) + 1...Int(last)]
                #expect(bytes == lent.flatMap { $0 })
                let isFull = bytes.count >= FeedWindow.byteCountMax
                #expect(last == reader.head || isFull, "after \(seq) to \(last)")
                #expect(bytes.count - (lent.last?.count ?? 0) < FeedWindow.byteCountMax)
            }
        }
    }

    @Test("Of commits that are hidden no more are looked at than others can wait for")
    func hidden() throws {
        let store = try Self.store()
        Self.write(store, 0..<Limits.passedOverCountMax + 500) { _ in 1 }
        let reader = store.logReader()
        let filter = CommitFilter(trees: [MirrorServerTests.parts])
        let window = FeedWindow(FeedWindow.Wish(filter: filter), store)
        // The second commit made the tree that is to be seen; after it all is hidden.
        var (seq, seqs, byteCounts) = (UInt64(2), [UInt64](), [Int]())
        while seq < reader.head {
            seq = try window.lend(after: seq, reader) { byteCounts.append($0.count) }
            seqs.append(seq)
        }
        #expect(seqs == [2 + UInt64(Limits.passedOverCountMax), reader.head])
        #expect(byteCounts == [0, 0])
    }
}
