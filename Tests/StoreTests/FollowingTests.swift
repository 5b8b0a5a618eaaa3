// A mirror's store: the authority's commits below, its own pending changes above.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct FollowingTests {
    private func bench(
        _ seed: UInt64,
        disk: SimulatedDisk = SimulatedDisk()
    ) throws -> MirrorBench {
        let authority = try StoreBench(seed: seed)
        let life = try StockLife(authority, seed: seed, keepsHistory: true)
        return try MirrorBench(life, disk, seed: seed)
    }

    @Test("After every step a mirror shows the authority's commits, and what pends above them")
    func agreement() throws {
        var total = (shown: 0, contested: 0, settled: 0, refused: 0)
        try Seed.each(Seed.count(usually: 12)) { seed, random in
            let bench = try bench(seed)
            let follower = ConsumerTests.Follower(bench.store)
            try bench.receive(StockModel.definitions.count)
            for step in 1...120 {
                switch random.below(20) {
                case 0..<3: try bench.stepAuthority(random.within(1...20))
                case 3..<6: try bench.receive(random.within(1...12))
                case 6..<9: try bench.send(random.within(1...3))
                case 9: bench.withdrawSome()
                default: bench.propose()
                }
                if step % 6 == 0 { try bench.check() }
                try follower.check(bench.store)
            }
            try bench.send(.max)
            try bench.receive(.max)
            #expect(bench.outbox.isEmpty)
            try bench.check()
            for _ in 0..<20 { bench.propose() }
            bench.withdrawAll()
            try bench.check()
            try bench.store.compareWithFreshFold()
            try follower.check(bench.store)
            total.shown += bench.seen.shown
            total.contested += bench.seen.contested
            total.settled += bench.seen.settled
            total.refused += bench.seen.refused
        }
        // A test of rare paths must have met them.
        #expect(min(total.shown, total.contested, total.settled, total.refused) > 20, "\(total)")
    }

    @Test("A contested change is kept, and the confirmed record is shown")
    func contested() throws {
        let bench = try bench(3)
        let key = RecordKey(name: "label")
        func put(
            _ number: String,
            _ expects: HoldfastRecords.Expectation,
            by caller: Caller
        ) -> Change {
            Change(
                id: bench.life.bench.id(),
                operations: [
                    .put(
                        WriteOperation(
                            tree: StockModel.footprints,
                            key: key,
                            expects: expects,
                            value: Array("{\"number\":\"\(number)\"}".utf8)
                        )
                    )
                ]
            )
        }
        let anna = Caller(user: "anna", device: "PC-1")
        try bench.life.propose(put("old", .absent, by: anna), by: anna)
        let position = bench.life.bench.store.read { $0.state.position }
        try bench.receive(.max)
        let mine = put("mine", .version(position), by: MirrorBench.caller)
        #expect(bench.store.show(PendingChange(mine, by: MirrorBench.caller)) == .shown)
        let next = put("next", .change(mine.id), by: MirrorBench.caller)
        #expect(bench.store.show(PendingChange(next, by: MirrorBench.caller)) == .shown)
        #expect(value(bench.store, key) == "{\"number\":\"next\"}")
        try bench.life.propose(put("theirs", .version(position), by: anna), by: anna)
        _ = try bench.store.ingest(
            try bench.contents(after: bench.store.read { $0.confirmedHead })
        )
        #expect(value(bench.store, key) == "{\"number\":\"theirs\"}")
        for status in bench.store.pending {
            guard case .contested(let refusal) = status.showing else {
                Issue.record("\(status)")
                continue
            }
            #expect(refusal.code == .stale)
        }
        #expect(bench.store.pending.map(\.id) == [mine.id, next.id])
    }

    private func value(_ store: Store, _ key: RecordKey) -> String? {
        store.read { reader in
            reader.state.tree(StockModel.footprints)
                .flatMap { reader.state.location($0, key) }
                .map { reader.withEffect(at: $0) { effect, _ in effect.value.text } }
        }
    }

    @Test("What the authority alone decides is undetermined, and what leans on it too")
    func undetermined() throws {
        let bench = try bench(4)
        try bench.receive(.max)
        func put(_ key: RecordKey?, _ tree: TreeName) -> Change {
            Change(
                id: bench.life.bench.id(),
                operations: [
                    .put(
                        WriteOperation(
                            tree: tree,
                            key: key,
                            expects: .absent,
                            value: Array("{\"number\":\"q\"}".utf8)
                        )
                    )
                ]
            )
        }
        func show(_ change: Change) -> PendingShowing {
            bench.store.show(PendingChange(change, by: MirrorBench.caller))
        }
        let far = RecordKey(number: 1 << 40)
        guard case .contested = show(put(far, StockModel.bins)) else {
            Issue.record("an id outside the ranges is refused")
            return
        }
        #expect(show(put(nil, StockModel.bins)) == .undetermined)
        let taking = BorrowOperation(
            tree: StockModel.footprints,
            key: far,
            borrow: bench.life.bench.id()
        )
        let operations: [HoldfastRecords.Operation] = [
            .borrow(taking), .reserve(tree: StockModel.bins, range: taking.borrow, count: 3),
            .defineTree(StockModel.bins, TreeDefinition(keys: .id)),
        ]
        for operation in operations {
            let change = Change(id: bench.life.bench.id(), operations: [operation])
            guard case .undetermined = bench.store.preview(change, by: MirrorBench.caller) else {
                Issue.record("\(operation)")
                continue
            }
        }
        // The same refusal as before, but now an undetermined change of that tree stands before it.
        #expect(show(put(far, StockModel.bins)) == .undetermined)
        #expect(show(put(RecordKey(name: "free"), StockModel.footprints)) == .shown)
        // Without it the same refusal is one.
        let leaning = bench.store.pending.map(\.id)
        bench.store.withdraw([leaning[1]])
        #expect(bench.store.pending.map(\.id) == [leaning[0], leaning[2], leaning[3]])
        guard case .contested = bench.store.pending[1].showing else {
            Issue.record("nothing it leans on is left: \(bench.store.pending)")
            return
        }
        #expect(bench.store.pending[2].showing == .shown)
    }

    @Test("A mirror proposes nothing to itself")
    func submit() throws {
        let bench = try bench(1)
        let change = Change(id: bench.life.bench.id(), operations: [])
        let answer = bench.store.submit(change, by: MirrorBench.caller)
        #expect(answer.refusal == .readOnly)
        #expect(bench.store.role == .mirror(trees: nil))
    }

    @Test("A failed sync of its own log: back to what is durable, with what pends above it")
    func failedSync() throws {
        try Seed.each(Seed.count(usually: 6)) { seed, _ in
            let disk = SimulatedDisk(seed: seed)
            let bench = try bench(seed, disk: disk)
            try bench.stepAuthority(200)
            try bench.receive(40)
            bench.store.syncStep()
            let durable = bench.store.read { $0.confirmedHead }
            for _ in 0..<10 { bench.propose() }
            try bench.receive(15)
            for _ in 0..<5 { bench.propose() }
            disk.fail(SimulatedDisk.Fault(.write))
            bench.store.syncStep()
            #expect(bench.store.progress.failure != nil)
            #expect(bench.store.read { $0.confirmedHead } == durable)
            try bench.check(comparesFold: false)
            #expect(throws: StoreError.self) {
                try bench.store.ingest(try bench.contents(after: durable))
            }
            try bench.check(comparesFold: false)
        }
    }
}
