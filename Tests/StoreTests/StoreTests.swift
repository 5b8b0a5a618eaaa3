// Opening, durability and idempotency of a store.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

/// Short words for changes of the stockroom.
extension StoreBench {
    static let anna = Caller(user: "anna", device: "PC-1")
    static let bert = Caller(user: "bert", device: "PC-2")
    static let carl = Caller(user: "carl", device: "PC-3")

    func declareTrees() throws {
        for definition in StockModel.definitions { try #require(submit([definition]).isAccepted) }
    }

    static func create(_ number: String, key: RecordKey? = nil) -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: StockModel.parts,
                key: key,
                expects: .absent,
                value: Array("{\"number\":\"\(number)\"}".utf8)
            )
        )
    }

    static func name(_ name: String) -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: name),
                expects: .absent,
                value: Array("{}".utf8)
            )
        )
    }

    /// Creates a part.
    func part(_ number: String) throws -> RecordKey {
        guard case .accepted(_, let results) = submit([Self.create(number)]),
            case .created(_, let key) = results.last
        else { throw Disagreement("part \(number) is not created") }
        return key
    }

    func take(
        _ key: RecordKey,
        _ id: UniqueID,
        by caller: Caller = anna,
        queue: Bool = false
    ) -> Submission {
        let taking = BorrowOperation(
            tree: StockModel.parts,
            key: key,
            borrow: id,
            queue: queue
        )
        return submit([.borrow(taking)], by: caller)
    }

    func rename(
        _ key: RecordKey,
        _ number: String,
        under borrow: UniqueID? = nil
    ) throws -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: StockModel.parts,
                key: key,
                expects: borrow == nil ? .version(try version(key)) : nil,
                borrow: borrow,
                value: Array("{\"number\":\"\(number)\"}".utf8)
            )
        )
    }

    func version(_ key: RecordKey, of name: TreeName = StockModel.parts) throws -> Position {
        try store.read { reader in
            let tree = try #require(reader.state.tree(name))
            let location = try #require(reader.state.location(tree, key))
            return reader.withEffect(at: location) { reader.state.position(of: $1.seq) }
        }
    }

    func holder(_ key: RecordKey) -> BorrowRecord? {
        store.read { $0.state.tree(StockModel.parts)?.holder(of: key) }
    }
}

@Suite struct OpeningTests {
    private func roundTrip(_ disk: any Disk) throws {
        let bench = try StoreBench(disk)
        let identity = bench.store.identity
        #expect(identity.application == "stockroom")
        let life = try StockLife(bench, seed: 3)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        for _ in 0..<10 { try life.step() }
        // Closing syncs what is left.
        try bench.reopen()
        #expect(bench.store.identity == identity)
        #expect(bench.store.recovery.wasClean)
        try life.model.compare(with: bench.store)
        try bench.store.compareWithFreshFold()
        for _ in 0..<100 { try life.step() }
        bench.sync()
        try bench.store.compareWithFreshFold()
        let head = bench.store.read { $0.state.head }
        let chain = bench.store.read { $0.state.chain }
        try bench.reopen()
        #expect(bench.store.read { $0.state.head } == head)
        #expect(bench.store.read { $0.state.chain } == chain)
        #expect(bench.store.progress.durable == head)
        try bench.store.close()
    }

    @Test("A closed store is read, and refuses writes")
    func closed() throws {
        let bench = try StoreBench(SimulatedDisk())
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<20 { try life.step() }
        try bench.store.close()
        let late = StoreBench.create("late")
        #expect(bench.submit([late]).refusal == .readOnly)
        #expect(bench.store.read { $0.state.head } == bench.store.progress.durable)
        try bench.reopen()
        #expect(bench.submit([late]).refusal == nil)
        try bench.store.close()
    }

    @Test("A database is made, written, closed and opened again, on a simulated disk")
    func simulated() throws { try roundTrip(SimulatedDisk()) }

    @Test("A database is made, written, closed and opened again, in a folder")
    func folder() throws {
        try withFolder { try roundTrip(PosixDisk($0, create: true)) }
    }

    @Test("A database is made once, and opening needs one")
    func presence() throws {
        let disk = SimulatedDisk()
        #expect {
            try Store(disk: disk, application: nil, logger: StoreBench.silent)
        } throws: { error in
            guard case StoreError.log(.notPresent) = error else { return false }
            return true
        }
        _ = try StoreBench(disk)
        let paths = disk.paths
        #expect {
            try Store.create(on: disk.copy(), application: "stockroom")
        } throws: { error in
            guard case StoreError.log(.alreadyPresent) = error else { return false }
            return true
        }
        #expect(disk.paths == paths)
    }

    @Test("Another application's database is refused, and left as it is")
    func otherApplication() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk)
        try bench.declareTrees()
        try bench.store.close()
        #expect {
            try Store(disk: disk, application: "tickets", logger: StoreBench.silent)
        } throws: { error in
            guard case StoreError.otherApplication("tickets", "stockroom") = error else {
                return false
            }
            return true
        }
        // The refused opening let go of the lock; whoever names no application may open it.
        let store = try Store(disk: disk, application: nil, logger: StoreBench.silent)
        #expect(store.read { $0.state.head } == 3)
    }

    @Test("A database is open once at a time, in a folder too")
    func inUse() throws {
        func attempt(_ disk: any Disk) throws {
            let bench = try StoreBench(disk)
            #expect {
                try Store(disk: disk, application: nil, logger: StoreBench.silent)
            } throws: { error in
                guard case StoreError.log(.inUse) = error else { return false }
                return true
            }
            try bench.declareTrees()
            try bench.reopen()
            #expect(bench.store.read { $0.state.head } == 3)
            try bench.store.close()
        }
        try attempt(SimulatedDisk())
        try withFolder { try attempt(PosixDisk($0, create: true)) }
    }
}

@Suite struct DurabilityTests {
    @Test("Only a sync moves what is durable, and readers are told what to wait for")
    func durableThenExposed() throws {
        let bench = try StoreBench()
        try bench.declareTrees()
        bench.sync()
        #expect(bench.store.progress.durable == 3)
        let key = try bench.part("a")
        #expect(bench.store.progress.durable == 3)
        #expect(bench.store.progress.outcome(of: 4) == .pending)
        bench.store.read { reader in
            #expect(reader.state.head == 4)
            for name in StockModel.trees {
                let tree = reader.state.tree(name)
                let expected: UInt64? = name == StockModel.parts ? 4 : nil
                #expect(tree.flatMap { reader.wait(for: $0) } == expected)
            }
            let location = reader.state.tree(StockModel.parts)
                .flatMap { reader.state.location($0, key) }
            #expect(location.flatMap { reader.wait(for: $0) } == 4)
        }
        // Neither the log's readers nor pins show it.
        #expect(bench.store.logReader().head == 3)
        #expect(try bench.store.pin().position.seq == 3)
        bench.sync()
        #expect(bench.store.progress.durable == 4)
        #expect(bench.store.progress.outcome(of: 4) == .durable)
        bench.store.read { reader in
            let tree = reader.state.tree(StockModel.parts)
            #expect(tree.flatMap { reader.wait(for: $0) } == nil)
        }
        #expect(bench.store.logReader().head == 4)
    }

    @Test("A refusal and an unchanged answer name what they were decided on, durable or not")
    func positions() throws {
        let bench = try StoreBench()
        try bench.declareTrees()
        let key = try bench.part("a")
        let borrow = bench.id()
        #expect(bench.take(key, borrow).isAccepted)
        let again = bench.take(key, borrow)
        guard case .unchanged(let position, _) = again else {
            Issue.record("taken again: \(again)")
            return
        }
        #expect(position.seq == 5)
        let refused = bench.submit([StoreBench.create("a")])
        #expect(refused.refusal == .unique && refused.position.seq == 5)
        #expect(bench.store.progress.durable == 0)
    }

    @Test("What gathers is made durable by one sync")
    func groupCommit() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk, options: LogOptions(growByteCount: 1 << 20))
        try bench.declareTrees()
        bench.sync()
        let seen = Lock<[UInt64]>([])
        bench.store.observe { progress, _ in seen.withLock { $0.append(progress.durable) } }
        let before = (disk.count(.sync), disk.count(.write))
        for index in 0..<200 { _ = try bench.part("p\(index)") }
        #expect(disk.count(.write) == before.1 && disk.count(.sync) == before.0)
        bench.sync()
        #expect(disk.count(.sync) == before.0 + 1)
        #expect(disk.count(.write) == before.1 + 1)
        #expect(seen.withLock { $0 } == [203])
        // Nothing gathered, nothing done.
        bench.sync()
        #expect(disk.count(.sync) == before.0 + 1)
    }

    @Test("A writer that promises to sync does it, with what came before and meanwhile")
    func promises() throws {
        let bench = try StoreBench()
        try bench.declareTrees()
        let store = bench.store
        func submit(_ name: String, willSync: Bool) -> UInt64 {
            let change = Change(id: bench.id(), operations: [StoreBench.create(name)])
            return store.submit(change, by: StoreBench.anna, willSync: willSync).position.seq
        }
        let first = submit("a", willSync: true)
        let second = submit("b", willSync: true)
        store.syncPromised(second)
        #expect(store.progress.durable < first, "one promise at a time")
        store.syncPromised(first)
        #expect(store.progress.durable == second)
        store.syncPromised(first)
        let third = submit("c", willSync: true)
        bench.sync()
        #expect(store.progress.durable == third, "another may come first")
        store.syncPromised(third)
        try store.compareWithFreshFold()
    }

    @Test(
        "The sync thread makes durable what writers do not sync themselves, and ends when told",
        arguments: [[false], [true], [true, false]]
    )
    func threads(promising: [Bool]) throws {
        try withFolder { folder in
            let disk = try PosixDisk(folder, create: true)
            let bench = try StoreBench(disk)
            try bench.declareTrees()
            let store = bench.store
            let reached = Condition<UInt64>(0)
            store.observe { progress, _ in reached.signal { $0 = progress.durable } }
            let runner = StoreRunner(store)
            let writers = (0..<4).map { writer in
                let willSync = promising[writer % promising.count]
                return Worker {
                    for index in 0..<100 {
                        let change = Change(
                            id: .version7(milliseconds: 1, random: SystemRandom()),
                            operations: [StoreBench.create("w\(writer)-\(index)")]
                        )
                        let answer = store.submit(change, by: StoreBench.anna, willSync: willSync)
                        let seq = answer.position.seq
                        if willSync { store.syncPromised(seq) }
                        reached.wait(until: { $0 >= seq }) { _ in }
                    }
                }
            }
            for writer in writers { writer.join() }
            try runner.close()
            let again = try Store(disk: disk, application: nil, logger: StoreBench.silent)
            #expect(again.recovery.wasClean)
            #expect(again.read { $0.state.tree(StockModel.parts)?.count } == 400)
            try again.compareWithFreshFold()
        }
    }
}

@Suite struct MemoryTests {
    @Test("A log long enough for two threads is folded to the same state and the same memory")
    func longLog() throws {
        let bench = try StoreBench(options: LogOptions())
        try bench.declareTrees()
        var ids: [UniqueID] = []
        for index in 0..<10_100 {
            let id = bench.id()
            let name = "n\(index % 300)"
            let submission =
                index < 300
                ? bench.submit([StoreBench.name(name)], id: id)
                : bench.submit([StoreBench.create("p\(index)")], id: id)
            try #require(submission.isAccepted)
            ids.append(id)
        }
        bench.sync()
        let before = bench.store.read { ($0.state.chain, $0.state.hashes.map(\.hash)) }
        try bench.reopen()
        let after = bench.store.read { ($0.state.chain, $0.state.hashes.map(\.hash)) }
        #expect(before.0 == after.0 && before.1 == after.1)
        try bench.store.compareWithFreshFold()
        for id in [ids[0], ids[5000], ids[10_099]] {
            #expect(bench.submit([StoreBench.create("x")], id: id).isReplayed)
        }
        #expect(bench.submit([StoreBench.create("x")]).isAccepted)
    }

    @Test("Accepted changes are remembered through a reopening: a resend is answered, not done")
    func changes() throws {
        let bench = try StoreBench()
        try bench.declareTrees()
        let digest = Hash128(high: 1, low: 2)
        let id = bench.id()
        let operations = [StoreBench.create("a"), StoreBench.name("f")]
        let first = bench.submit(operations, id: id, digest: digest)
        guard case .accepted(let position, let results) = first else {
            throw Disagreement("not accepted: \(first)")
        }
        for _ in 0..<2 {
            let again = bench.submit(operations, id: id, digest: digest)
            guard case .replayed(let place, let keys) = again else {
                Issue.record("sent again: \(again)")
                return
            }
            #expect(place == position)
            #expect(keys == results)
            let other = bench.submit(operations, id: id, digest: Hash128(high: 3, low: 4))
            #expect(other.refusal == .idempotencyMismatch)
            #expect(bench.store.read { $0.state.head } == position.seq)
            try bench.reopen()
        }
        // A refused change is not remembered: it may be sent again when it can be accepted.
        let later = bench.id()
        #expect(bench.submit([StoreBench.name("f")], id: later).refusal == .exists)
        let delete = RecordOperation(
            tree: StockModel.footprints,
            key: RecordKey(name: "f"),
            expects: .change(id)
        )
        #expect(bench.submit([.delete(delete)]).isAccepted)
        #expect(bench.submit([StoreBench.name("f")], id: later).isAccepted)
    }

    @Test("Borrows, ranges, used ids and unique values stand after a reopening")
    func everythingElse() throws {
        let bench = try StoreBench()
        try bench.declareTrees()
        let (a, b) = (try bench.part("a"), try bench.part("b"))
        let (first, second) = (bench.id(), bench.id())
        #expect(bench.take(a, first).isAccepted)
        #expect(bench.take(a, second, by: StoreBench.bert, queue: true).isAccepted)
        let reserve = HoldfastRecords.Operation.reserve(
            tree: StockModel.parts,
            range: bench.id(),
            count: 3
        )
        guard case .accepted(_, let results) = bench.submit([reserve]),
            case .range(let range) = results.last
        else { throw Disagreement("no range") }
        let own = RecordKey(number: range.first)
        #expect(bench.submit([StoreBench.create("own", key: own)]).isAccepted)
        let delete = RecordOperation(
            tree: StockModel.parts,
            key: own,
            expects: .version(try bench.version(own))
        )
        #expect(bench.submit([.delete(delete)]).isAccepted)
        try bench.reopen()
        #expect(bench.holder(a)?.id == first)
        #expect(bench.take(a, bench.id(), by: StoreBench.carl).refusal == .borrowed)
        #expect(bench.submit([try bench.rename(a, "x")]).refusal == .borrowed)
        #expect(bench.submit([try bench.rename(b, "a")]).refusal == .unique)
        #expect(bench.submit([StoreBench.create("own", key: own)]).refusal == .idTaken)
        let next = RecordKey(number: range.first + 1)
        let create = StoreBench.create("n", key: next)
        #expect(bench.submit([create], by: StoreBench.bert).refusal == .outsideRange)
        #expect(bench.submit([create]).isAccepted)
        #expect(bench.submit([.return(first)]).isAccepted)
        #expect(bench.holder(a)?.id == second)
        try bench.reopen()
        #expect(bench.holder(a)?.state == .granted)
        #expect(bench.submit([.return(first)]).refusal == .borrowEnded)
        bench.sync()
        try bench.store.compareWithFreshFold()
    }
}
