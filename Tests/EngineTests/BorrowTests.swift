// The rules of borrows.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct BorrowTests {
    @Test("One holds, the next waits in line, is granted on return and confirms by writing")
    func line() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let (first, second, third) = (room.bench.id(), room.bench.id(), room.bench.id())
        #expect(room.take(key, first, by: "anna").isCommit)
        guard case .unchanged = room.take(key, first, by: "anna") else {
            Issue.record("taking again must change nothing")
            return
        }
        #expect(room.take(key, second, by: "bert").refusal == .borrowed)
        #expect(room.take(key, second, by: "bert", queue: true).isCommit)
        #expect(room.take(key, third, by: "bert", queue: true).refusal == .borrowed)
        #expect(room.take(key, third, by: "carl", queue: true).isCommit)
        let version = HoldfastRecords.Expectation.version(try room.version(key))
        #expect(
            room.put(key, Stockroom.part("b"), expects: version, by: "bert").refusal == .borrowed
        )
        #expect(room.put(key, Stockroom.part("b"), borrow: second, by: "bert").refusal == .borrowed)
        #expect(
            room.put(key, Stockroom.part("b"), expects: version, by: "anna").refusal == .borrowed
        )
        #expect(room.put(key, Stockroom.part("b"), borrow: first, by: "bert").refusal == .borrowed)
        #expect(room.put(key, Stockroom.part("b"), borrow: first, by: "anna").isCommit)
        #expect(room.bench.submit([.cancel(first)], by: "anna").refusal == .borrowMismatch)
        #expect(room.bench.submit([.return(first)], by: "bert").refusal == .borrowed)
        #expect(room.bench.submit([.return(first)], by: "anna").isCommit)
        let tree = try #require(room.bench.state.tree(Stockroom.parts))
        #expect(tree.holder(of: key)?.state == .granted)
        #expect(room.put(key, Stockroom.part("c"), borrow: second, by: "bert").isCommit)
        #expect(tree.holder(of: key)?.state == .held)
        #expect(
            room.put(key, Stockroom.part("d"), borrow: first, by: "anna").refusal == .borrowEnded
        )
        #expect(room.bench.submit([.cancel(third)], by: "carl").isCommit)
        #expect(room.bench.submit([.return(second)], by: "bert").isCommit)
        #expect(tree.holder(of: key) == nil)
    }

    @Test("A grant nobody confirms lapses, and the next is served")
    func lapse() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let ids = (0..<3).map { _ in room.bench.id() }
        for (id, user) in zip(ids, ["anna", "bert", "carl"]) {
            #expect(room.take(key, id, by: user, queue: user != "anna").isCommit)
        }
        #expect(room.bench.submit([.return(ids[0])], by: "anna").isCommit)
        #expect(room.bench.tick() == nil)
        #expect(room.bench.state.nextDue == room.bench.now + 120_000)
        room.bench.now += 120_000
        #expect(room.bench.tick() != nil)
        let tree = try #require(room.bench.state.tree(Stockroom.parts))
        #expect(tree.holder(of: key)?.id == ids[2])
        #expect(room.take(key, ids[1], by: "bert").refusal == .borrowEnded)
        #expect(room.take(key, ids[2], by: "carl").isCommit)
        room.bench.now += 1_000_000
        #expect(room.bench.tick() == nil)
    }

    @Test("Several records are borrowed all or none, and never queued")
    func several() throws {
        let room = Stockroom()
        let (a, b) = (try room.create("a"), try room.create("b"))
        #expect(room.take(b, room.bench.id(), by: "bert").isCommit)
        func both(queue: Bool) -> Decision {
            room.bench.submit(
                [a, b].map { key in
                    .borrow(
                        BorrowOperation(
                            tree: Stockroom.parts,
                            key: key,
                            borrow: room.bench.id(),
                            queue: queue
                        )
                    )
                }
            )
        }
        #expect(both(queue: false).refusal == .borrowed)
        #expect(both(queue: true).refusal == .borrowed)
        let tree = try #require(room.bench.state.tree(Stockroom.parts))
        #expect(tree.holder(of: a) == nil)
    }

    @Test("Deleting a record ends its borrow and its line")
    func deletion() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let (first, second) = (room.bench.id(), room.bench.id())
        #expect(room.take(key, first).isCommit)
        #expect(room.take(key, second, by: "bert", queue: true).isCommit)
        let delete = RecordOperation(tree: Stockroom.parts, key: key, borrow: first)
        #expect(room.bench.submit([.delete(delete)]).isCommit)
        #expect(room.bench.submit([.return(first)]).refusal == .borrowEnded)
        #expect(room.take(key, second, by: "bert").refusal == .deleted)
        let tree = try #require(room.bench.state.tree(Stockroom.parts))
        #expect(tree.borrows.isEmpty)
    }

    @Test("Taking and giving back in one change leaves no effect in _borrows")
    func inOneChange() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let id = room.bench.id()
        let taking = BorrowOperation(tree: Stockroom.parts, key: key, borrow: id)
        let write = WriteOperation(
            tree: Stockroom.parts,
            key: key,
            borrow: id,
            value: Stockroom.part("b")
        )
        let decision = room.bench.submit([.borrow(taking), .put(write), .return(id)])
        guard case .commit(let commit, _) = decision else { throw Unexpected(decision) }
        #expect(commit.blocks.map(\.name.description) == ["parts"])
        // With nothing in between nothing has happened.
        let again = room.bench.id()
        let idle = BorrowOperation(tree: Stockroom.parts, key: key, borrow: again)
        guard case .unchanged = room.bench.submit([.borrow(idle), .return(again)]) else {
            Issue.record("a change without an effect became a commit")
            return
        }
    }
}
