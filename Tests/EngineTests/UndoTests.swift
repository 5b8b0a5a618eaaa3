// Taking a commit back, at every point of a history and of random ones.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct UndoTests {
    /// What stands in the application's trees, without versions.
    private func records(_ state: EngineState, _ log: MemoryLog) -> [String] {
        var lines: [String] = []
        for tree in state.allTrees where !tree.name.isSystem {
            _ = state.scan(tree, after: nil, prefix: nil, .all, at: .max, entryCountMax: .max) {
                key,
                location in
                log.withEffect(at: location) { effect, _ in
                    lines.append(
                        "\(tree.name) \(key) \(effect.state) \(effect.schema) \(effect.created) "
                            + effect.value.text
                    )
                }
                return true
            }
        }
        return lines
    }

    /// Asks to take a commit back, and does it when that is accepted.
    private func undo(
        _ seq: UInt64,
        _ bench: EngineBench,
        rights: Rights? = nil
    ) -> Decision {
        let change = Change(id: bench.id(), why: "undo", operations: [])
        let context = DecisionContext(
            caller: Caller(user: "carl", device: "PC-3"),
            now: bench.now,
            random: bench.random,
            rights: rights
        )
        let decision = bench.log.withCommit(at: seq - 1) {
            bench.state.decideUndo(of: $0, change, context)
        }
        if case .commit(let commit, _) = decision { bench.append(commit) }
        return decision
    }

    private func code(_ decision: Decision) -> RefusalCode? {
        if case .refused(let refusal) = decision { refusal.code } else { nil }
    }

    @Test("What the last commit did to records is as if it had not been", arguments: 1...3)
    func last(_ seed: UInt64) throws {
        let room = Stockroom(seed: seed)
        try RollbackTests.history(room)
        let bench = room.bench
        var undone = 0
        var refused: [RefusalCode: Int] = [:]
        for seq in stride(from: bench.state.head, through: 1, by: -1) {
            try bench.state.rollback(to: seq)
            bench.log.cut(to: Int(seq))
            let before = records(try bench.refold(count: Int(seq) - 1), bench.log)
            let here = records(bench.state, bench.log)
            let decision = undo(seq, bench)
            if let code = code(decision) {
                refused[code, default: 0] += 1
                #expect(records(bench.state, bench.log) == here)
                continue
            }
            undone += 1
            #expect(records(bench.state, bench.log) == before, "seed \(seed), commit \(seq)")
            #expect(try dump(bench.refold()) == dump(bench.state))
            // And that is undone in turn.
            #expect(code(undo(seq + 1, bench)) == nil)
            #expect(records(bench.state, bench.log) == here, "seed \(seed), commit \(seq)")
        }
        #expect(undone > 5, "\(refused)")
        #expect(Set(refused.keys) == [.notUndoable, .released, .borrowed])
    }

    @Test("Whoever may not write, or not read, what it changed takes nothing back")
    func rights() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let seq = room.bench.state.head
        let reads = Rights(trees: [Stockroom.parts: [.read]])
        #expect(code(undo(seq, room.bench, rights: reads)) == .forbidden)
        let elsewhere = Rights(trees: [Stockroom.bins: [.write]])
        let decision = undo(seq, room.bench, rights: elsewhere)
        guard case .refused(let refusal) = decision else {
            Issue.record("\(decision)")
            return
        }
        #expect(refusal.code == .forbidden && !refusal.detail.contains("parts"))
        #expect(try room.value(key).contains("a"))
        let writes = Rights(trees: [Stockroom.parts: [.write]])
        #expect(code(undo(seq, room.bench, rights: writes)) == nil)
    }

    @Test("Many random edits are undone one after the other, back to the beginning")
    func all() throws {
        let room = Stockroom(seed: 9)
        let random = SeededRandom(seed: 5)
        var keys: [RecordKey] = []
        for number in 0..<40 {
            guard keys.count > 3, random.next() % 3 > 0 else {
                keys.append(try room.create("part \(number)"))
                continue
            }
            let place = Int(random.next() % UInt64(keys.count))
            let version = HoldfastRecords.Expectation.version(try room.version(keys[place]))
            if random.next() % 4 == 0 {
                room.bench.submit([.delete(room.target(keys.remove(at: place), version))])
            } else {
                _ = room.put(keys[place], Stockroom.part("edit \(number)"), expects: version)
            }
        }
        let head = room.bench.state.head
        for seq in stride(from: head, to: 3, by: -1) {
            let decision = undo(seq, room.bench)
            #expect(code(decision) == nil, "commit \(seq): \(decision)")
        }
        #expect(records(room.bench.state, room.bench.log).isEmpty)
        #expect(try dump(room.bench.refold()) == dump(room.bench.state))
    }
}
