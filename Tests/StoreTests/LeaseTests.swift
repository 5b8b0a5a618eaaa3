// Borrows that end when nobody renews them.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct LeaseTests {
    private let bench: StoreBench
    private let key: RecordKey
    private let other: RecordKey

    init() throws {
        bench = try StoreBench()
        try bench.declareTrees()
        key = try bench.part("a")
        other = try bench.part("b")
    }

    @discardableResult
    private func lease(
        _ id: UniqueID,
        _ term: Int64? = 30,
        by caller: Caller = StoreBench.anna,
        on key: RecordKey? = nil,
        kind: BorrowKind = .leased,
        note: String = "",
        queue: Bool = false
    ) -> Submission {
        let taking = BorrowOperation(
            tree: StockModel.parts,
            key: key ?? self.key,
            borrow: id,
            kind: kind,
            termSeconds: term,
            note: note,
            queue: queue
        )
        return bench.submit([.borrow(taking)], by: caller)
    }

    /// Time goes on by seconds, a second at a time, as a server's does.
    private func wait(_ seconds: Int) {
        for _ in 0..<seconds {
            bench.time.advance(milliseconds: 1000)
            bench.store.tick()
        }
    }

    private var holder: UniqueID? { bench.holder(key)?.id }

    @Test("A lease ends by a commit when its term is over, and the next in line is served")
    func end() throws {
        let (mine, next) = (bench.id(), bench.id())
        #expect(lease(mine).isAccepted)
        #expect(lease(next, by: StoreBench.bert, queue: true).isAccepted)
        #expect(bench.store.tick() == 1000)
        let head = bench.store.read { $0.state.head }
        wait(29)
        #expect(holder == mine && bench.store.read { $0.state.head } == head)
        wait(1)
        #expect(holder == next && bench.store.read { $0.state.head } == head + 1)
        let write = WriteOperation(
            tree: StockModel.parts,
            key: key,
            borrow: mine,
            value: Array(#"{"number":"late"}"#.utf8)
        )
        let late = bench.submit([.put(write)])
        guard case .refused(_, let refusal) = late else {
            Issue.record("\(late)")
            return
        }
        #expect(refusal.code == .borrowEnded)
        #expect(refusal.ended?.stamp.user == Caller.system.user)
        #expect(refusal.ended?.label == .lapse)
        // The next one's term begins when it confirms.
        wait(60)
        #expect(holder == next)
        #expect(lease(next, by: StoreBench.bert).isAccepted)
        wait(1)
        wait(29)
        #expect(holder == next)
        wait(1)
        #expect(holder == nil)
    }

    @Test("Taking it again, writing under it and word of its device renew it, without a commit")
    func renewal() throws {
        let id = bench.id()
        #expect(lease(id).isAccepted)
        wait(25)
        let head = bench.store.read { $0.state.head }
        guard case .unchanged = lease(id) else {
            Issue.record("a renewal is no change")
            return
        }
        wait(25)
        bench.store.renewLeases(of: "anna", on: "PC-1")
        wait(25)
        #expect(holder == id && bench.store.read { $0.state.head } == head)
        let state = RecordOperation(tree: StockModel.parts, key: key, borrow: id)
        #expect(bench.submit([.setState(state, .draft(4))]).isAccepted)
        wait(25)
        #expect(holder == id)
        // Nobody else's word counts, and no refused write.
        bench.store.renewLeases(of: "anna", on: "PC-2")
        bench.store.renewLeases(of: "bert", on: "PC-1")
        #expect(lease(id, by: StoreBench.bert).refusal == .borrowMismatch)
        let stale = RecordOperation(
            tree: StockModel.parts,
            key: key,
            expects: .version(Position(epoch: bench.store.read { $0.state.epoch }, seq: 1)),
            borrow: id
        )
        #expect(bench.submit([.delete(stale)]).refusal == .stale)
        wait(5)
        #expect(holder == nil)
    }

    @Test("After a start a lease has its full term again; what is held has none")
    func restart() throws {
        let (leased, held) = (bench.id(), bench.id())
        #expect(lease(leased).isAccepted)
        #expect(lease(held, nil, on: other, kind: .held).isAccepted)
        wait(29)
        try bench.reopen()
        bench.time.advance(milliseconds: 3_600_000)
        bench.store.tick()
        wait(29)
        #expect(holder == leased)
        wait(1)
        #expect(holder == nil)
        wait(200)
        #expect(bench.holder(other)?.id == held)
    }

    @Test("A wall clock that jumps ends no lease early")
    func clock() throws {
        let id = bench.id()
        #expect(lease(id).isAccepted)
        wait(10)
        bench.time.set(wallMilliseconds: bench.time.wallMilliseconds() + 3_000_000)
        wait(19)
        #expect(holder == id)
        bench.time.set(wallMilliseconds: bench.time.wallMilliseconds() - 3_000_000)
        wait(2)
        #expect(holder == nil)
    }

    @Test("Terms: the usual one, those that are none, and a new one")
    func terms() throws {
        let id = bench.id()
        #expect(lease(bench.id(), 4).refusal == .badBody)
        #expect(lease(bench.id(), 86_401).refusal == .badBody)
        #expect(lease(bench.id(), 30, kind: .held).refusal == .badBody)
        #expect(lease(id, nil).isAccepted)
        #expect(bench.holder(key)?.termSeconds == Limits.leaseSecondsDefault)
        #expect(lease(id, nil, kind: .held).refusal == .borrowMismatch)
        wait(30)
        #expect(lease(id, 10).isAccepted)
        wait(10)
        #expect(holder == id)
        wait(1)
        #expect(holder == nil)
    }

    @Test("A lease given back is nobody's any more")
    func giveBack() throws {
        let id = bench.id()
        #expect(lease(id).isAccepted)
        wait(1)
        #expect(bench.submit([.return(id)]).isAccepted)
        let again = bench.id()
        #expect(lease(again).isAccepted)
        wait(30)
        #expect(holder == again)
        #expect(bench.store.tick() == 1000)
        wait(1)
        #expect(holder == nil)
        #expect(bench.store.tick() == nil)
    }
}
