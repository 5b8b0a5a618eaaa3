// What is known of records at earlier positions, in a log that is cut again and again.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct HistoryTests {
    private static let tree = TreeName(any: "notes") ?? .trees
    private static let caller = Caller(user: "anna", device: "PC-1")

    private func submit(_ store: Store, _ operation: HoldfastRecords.Operation) -> UInt64 {
        let seq = store.read(\.state.head) + 1
        let change = Change(id: UniqueID(high: 7, low: seq), operations: [operation])
        let submission = store.submit(change, by: Self.caller)
        guard case .accepted(let position, _) = submission else {
            Issue.record("\(submission)")
            return seq
        }
        return position.seq
    }

    @Test("A record at any position is what it was, or it is said that this is not kept any more")
    func positions() throws {
        var seen: [String: Int] = [:]
        try Seed.each(Seed.count(usually: 6)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let options = LogOptions(segmentByteCount: 4 << 10, growByteCount: 1 << 10)
            try Store.create(on: disk, application: "a", options: options)
            let logger = Logger(level: .error, time: SystemTime()) { _ in }
            let store = try Store(disk: disk, application: "a", options: options, logger: logger)
            _ = submit(store, .defineTree(Self.tree, TreeDefinition(keys: .name)))
            /// Of each name the commits that changed it, and to what; nil is its removal.
            var model: [[(seq: UInt64, value: String?)]] = Array(repeating: [], count: 6)
            for step in 1...150 {
                let name = random.below(model.count)
                let key = RecordKey(name: "n\(name)")
                let last = model[name].last
                let version = last.map { last in
                    Expectation.version(store.read { $0.state.position(of: last.seq) })
                }
                let stands = last?.value != nil
                if stands, let version, random.oneIn(4) {
                    let record = RecordOperation(tree: Self.tree, key: key, expects: version)
                    model[name].append((submit(store, .delete(record)), nil))
                } else {
                    let value = "\"\(step)" + String(repeating: "x", count: 100) + "\""
                    let write = WriteOperation(
                        tree: Self.tree,
                        key: key,
                        expects: stands ? version : .absent,
                        value: Array(value.utf8)
                    )
                    model[name].append((submit(store, .put(write)), value))
                }
                store.syncStep()
                guard random.oneIn(30) else { continue }
                let head = store.read(\.state.head)
                try store.compact(keepingFrom: head - UInt64(random.below(Int(min(head, 40)))))
                try compare(store, model, &seen)
            }
            try compare(store, model, &seen)
        }
        for outcome in ["stood", "removed", "none", "dropped, in the kept log"] {
            #expect(seen[outcome, default: 0] > 10, "\(outcome): \(seen)")
        }
    }

    private func compare(
        _ store: Store,
        _ model: [[(seq: UInt64, value: String?)]],
        _ seen: inout [String: Int]
    ) throws {
        try store.read { reader in
            let tree = try #require(reader.state.tree(Self.tree))
            for (name, versions) in model.enumerated() where !versions.isEmpty {
                let last = try #require(
                    reader.state.location(tree, RecordKey(name: "n\(name)"))
                )
                for seq in 0...reader.state.head {
                    let wanted = versions.last { $0.seq <= seq }
                    // The last version stands in the checkpoint; of others those of the log are
                    // kept, and the one a later kept version replaced may be.
                    let isKept = wanted.map { wanted in
                        wanted.seq > reader.oldest.seq || wanted.seq == versions.last?.seq
                    }
                    switch reader.state.versionThen(from: last, at: seq) {
                    case .stood(let location):
                        let value = reader.withEffect(at: location) { $0.value.text + "\($1.seq)" }
                        #expect(value == (wanted?.value ?? "nothing") + "\(wanted?.seq ?? 0)")
                        seen["stood", default: 0] += 1
                    case .removed(let location):
                        #expect(wanted != nil && wanted?.value == nil)
                        #expect(reader.withEffect(at: location) { $1.seq } == wanted?.seq)
                        seen["removed", default: 0] += 1
                    case .none:
                        #expect(wanted == nil, "n\(name) at \(seq)")
                        seen["none", default: 0] += 1
                    case .dropped:
                        #expect(isKept != true, "n\(name) at \(seq) is kept")
                        let isLate = seq >= reader.oldest.seq
                        seen["dropped" + (isLate ? ", in the kept log" : ""), default: 0] += 1
                    }
                }
            }
        }
    }
}
