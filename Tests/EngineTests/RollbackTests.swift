// Rolling back gives the state a fresh fold would give, in every structure.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct RollbackTests {
    /// Everything that can happen, in one history.
    static func history(_ room: Stockroom) throws {
        let a = try room.create("a")
        let b = try room.create("b")
        let (first, second) = (room.bench.id(), room.bench.id())
        _ = room.take(a, first)
        _ = room.take(a, second, by: "bert", queue: true)
        _ = room.put(a, Stockroom.part("x"), borrow: first)
        _ = room.bench.submit([.return(first)])
        room.bench.now += 200_000
        _ = room.bench.tick()
        _ = room.bench.submit([.reserve(tree: Stockroom.bins, range: room.bench.id(), count: 5)])
        _ = room.bench.submit(
            [.release(room.target(b, .version(try room.version(b))), number: 1)]
        )
        _ = room.bench.submit(
            [.revise(tree: Stockroom.parts, key: b, hold: room.bench.id())]
        )
        _ = room.bench.submit([.delete(room.target(a, .version(try room.version(a))))])
        // The freed unique value moves to a new record.
        _ = try room.create("x")
        let shelves = try #require(TreeName("shelves"))
        room.define(shelves, TreeDefinition(keys: .name))
        _ = room.bench.submit(
            [
                .put(
                    WriteOperation(
                        tree: shelves,
                        key: RecordKey(name: "cafe\u{301}"),
                        expects: .absent,
                        value: Array("true".utf8)
                    )
                )
            ]
        )
        let number = Field(name: "number", type: .string)
        let stock = Field(name: "stock", type: .int(bits: 64), isOptional: true)
        let title = Field(name: "title", type: .string, isOptional: true, isUnique: true)
        room.define(
            Stockroom.parts,
            TreeDefinition(
                keys: .id,
                isVersioned: true,
                schema: Descriptor(version: SchemaVersion(1, 1), fields: [number, stock, title])
            )
        )
        _ = try room.create("b")
    }

    @Test("Rolling back to any seq equals a fresh fold to it", arguments: [1, 2, 3] as [UInt64])
    func rollback(seed: UInt64) throws {
        let whole = Stockroom(seed: seed)
        try Self.history(whole)
        let head = Int(whole.bench.state.head)
        #expect(head > 14)
        #expect(try dump(whole.bench.refold()) == dump(whole.bench.state))
        for seq in stride(from: head, through: 0, by: -1) {
            let room = Stockroom(seed: seed)
            try Self.history(room)
            try room.bench.state.rollback(to: UInt64(seq))
            let fresh = try room.bench.refold(count: seq)
            #expect(dump(room.bench.state) == dump(fresh), "seed \(seed), back to \(seq)")
        }
    }

    @Test("The same seed twice gives the same chain")
    func deterministic() throws {
        let (one, two) = (Stockroom(seed: 7), Stockroom(seed: 7))
        try Self.history(one)
        try Self.history(two)
        #expect(one.bench.state.chain == two.bench.state.chain)
        #expect(one.bench.state.chain != .zero)
    }

    @Test("Every commit's hashes verify, and a changed byte does not")
    func hashes() throws {
        let room = Stockroom()
        try Self.history(room)
        var chain = Hash128.zero
        for offset in 0..<UInt64(room.bench.log.count) {
            try room.bench.log.withCommit(at: offset) { commit in
                try commit.verify(after: chain)
                chain = commit.chain
                var bytes = commit.bytes.array
                bytes[bytes.count - 1] ^= 1
                #expect(throws: ContentError.self) {
                    try bytes.withView { try CommitView($0).verify(after: .zero) }
                }
            }
        }
        #expect(chain == room.bench.state.chain)
    }
}
