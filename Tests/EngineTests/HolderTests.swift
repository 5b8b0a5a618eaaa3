// Whoever holds a record can be asked for it, have it taken away, and hand it on; each as far as
// rights go.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

private typealias Operation = HoldfastRecords.Operation

@Suite struct HolderTests {
    private let room = Stockroom()
    private var bench: EngineBench { room.bench }

    private func decide(
        _ operation: Operation,
        _ user: String,
        _ rights: Set<Right>?,
        why: String = "needed",
        role: Role = .authority
    ) -> Decision {
        bench.state.decide(
            Change(id: bench.id(), why: why, operations: [operation]),
            DecisionContext(
                caller: Caller(user: user, device: "PC of \(user)"),
                now: bench.now,
                random: bench.random,
                role: role,
                rights: rights.map { Rights(trees: [Stockroom.parts: $0]) }
            )
        )
    }

    private func code(_ decision: Decision) -> RefusalCode? {
        if case .refused(let refusal) = decision { refusal.code } else { nil }
    }

    /// A record that anna holds, and for which bert waits.
    private func line(due: Int64? = nil) throws -> (held: UniqueID, waiting: UniqueID) {
        let key = try room.create("R-\(bench.state.head)")
        let (held, waiting) = (bench.id(), bench.id())
        for (id, user) in [(held, "anna"), (waiting, "bert")] {
            let taking = BorrowOperation(
                tree: Stockroom.parts,
                key: key,
                borrow: id,
                dueAt: due,
                queue: user == "bert"
            )
            #expect(bench.submit([.borrow(taking)], by: user).isCommit)
        }
        return (held, waiting)
    }

    @Test("Taking away needs seize, or write once it is overdue; and a reason in any case")
    func seize() throws {
        let held = try line(due: bench.now + 1000).held
        #expect(code(decide(.seize(held), "carl", nil)) == nil)
        #expect(code(decide(.seize(held), "carl", [.seize])) == nil)
        #expect(code(decide(.seize(held), "carl", [.seize], why: "")) == .reasonRequired)
        for right in [Right.read, .write, .migrate, .admin] {
            #expect(code(decide(.seize(held), "carl", [right])) == .forbidden, "\(right)")
        }
        bench.now += 1001
        for right in [Right.read, .migrate, .admin] {
            #expect(code(decide(.seize(held), "carl", [right])) == .forbidden, "\(right)")
        }
        #expect(code(decide(.seize(held), "carl", [.write], why: "")) == .reasonRequired)
        #expect(code(decide(.seize(held), "carl", [.write])) == nil)
        guard case .undetermined = decide(.seize(held), "carl", nil, role: .preview) else {
            Issue.record("a mirror cannot take anything away by itself")
            return
        }
    }

    @Test("What was taken away is the next one's, and its holder is told by whom and why")
    func told() throws {
        let (held, waiting) = try line()
        let seized = bench.submit([.seize(held)], by: "carl", why: "anna is on leave")
        #expect(seized.isCommit)
        let next = try #require(bench.state.borrow(waiting)?.record)
        #expect(next.state == .granted && next.grantedAt == bench.now)
        let late = decide(.return(held), "anna", nil)
        guard case .refused(let refusal) = late else { throw Unexpected(late) }
        #expect(refusal.code == .borrowEnded)
        #expect(refusal.ended?.label == .seize)
        #expect(refusal.ended?.stamp.user == "carl")
        #expect(refusal.ended?.reason == "anna is on leave")
        #expect(refusal.detail.contains("taken away by carl: anna is on leave"))
        // Whoever waits can lose the place too.
        #expect(bench.submit([.seize(waiting)], by: "carl", why: "enough").isCommit)
        #expect(bench.state.borrow(waiting) == nil)
    }

    @Test("A borrow is handed on by its user, from any device, or with seize")
    func handedOn() throws {
        let (held, waiting) = try line()
        let on = Operation.setHolder(held, user: "dora", device: "PC-9")
        #expect(code(decide(on, "anna", [.write])) == nil)
        #expect(code(decide(on, "anna", [.read])) == .forbidden)
        #expect(code(decide(on, "carl", [.write])) == .borrowed)
        #expect(code(decide(on, "carl", [.seize])) == nil)
        #expect(code(decide(on, "carl", nil)) == nil)
        let place = Operation.setHolder(waiting, user: "dora", device: "PC-9")
        #expect(code(decide(place, "bert", nil)) == .borrowMismatch)
        for name in ["", "_system", String(repeating: "x", count: 257)] {
            let bad = Operation.setHolder(held, user: name, device: "PC-9")
            #expect(code(decide(bad, "anna", nil)) == .badBody, "\(name)")
        }
        let before = try #require(bench.state.borrow(held)?.record)
        #expect(bench.submit([on], by: "anna").isCommit)
        let after = try #require(bench.state.borrow(held)?.record)
        #expect(after.user == "dora" && after.device == "PC-9")
        #expect(after.order == before.order && after.takenAt == before.takenAt)
        // The one who had it has it no more; the line is as it was.
        #expect(bench.submit([.return(held)], by: "anna").refusal == .borrowed)
        #expect(bench.state.borrow(waiting)?.record.state == .queued)
    }

    @Test("A recall is a flag: who asks needs write, and what waits is not asked for")
    func recall() throws {
        let (held, waiting) = try line()
        #expect(code(decide(.recall(held, note: "x"), "carl", [.read])) == .forbidden)
        #expect(code(decide(.recall(waiting, note: "x"), "carl", nil)) == .borrowMismatch)
        let long = String(repeating: "x", count: 257)
        #expect(code(decide(.recall(held, note: long), "carl", nil)) == .tooLarge)
        #expect(bench.submit([.recall(held, note: "now")], by: "carl").isCommit)
        let recalled = try #require(bench.state.borrow(held)?.record.recalled)
        #expect(recalled == BorrowRecord.Recall(by: "carl", at: bench.now, note: "now"))
        #expect(bench.submit([.return(held)], by: "anna").isCommit)
        #expect(bench.state.borrow(waiting)?.record.recalled == nil)
    }

    @Test("Taken again with another note or due date it has those; as it was, nothing is logged")
    func takenAgain() throws {
        let key = try room.create("R")
        var taking = BorrowOperation(
            tree: Stockroom.parts,
            key: key,
            borrow: bench.id(),
            note: "bench",
            dueAt: bench.now + 5
        )
        #expect(bench.submit([.borrow(taking)], by: "anna").isCommit)
        let again = bench.submit([.borrow(taking)], by: "anna")
        guard case .unchanged = again else { throw Unexpected(again) }
        (taking.note, taking.dueAt) = ("shelf", nil)
        #expect(bench.submit([.borrow(taking)], by: "bert").refusal == .borrowMismatch)
        #expect(bench.submit([.borrow(taking)], by: "anna").isCommit)
        let record = try #require(bench.state.borrow(taking.borrow)?.record)
        #expect(record.note == "shelf" && record.dueAt == nil && record.state == .held)
    }
}
