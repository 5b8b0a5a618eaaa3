// A database that an earlier version has written: every later one opens it and finds the same.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct FixtureTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/log-v1")

    /// Where a new fixture is to be written; the one of format 1 stays as it is.
    private static let target = ProcessInfo.processInfo.environment["HOLDFAST_WRITE_FIXTURE"]

    /// Runs `body` with a copy of the fixture: opening writes.
    private func withCopy(_ body: (PosixDisk) throws -> Void) throws {
        try withFolder { folder in
            try FileManager.default.copyItem(
                atPath: Self.folder.appendingPathComponent("database").path,
                toPath: folder
            )
            try body(PosixDisk(folder))
        }
    }

    private func expected() throws -> [String] {
        let data = try Data(contentsOf: Self.folder.appendingPathComponent("state.json"))
        return try lines(JSONSerialization.jsonObject(with: data))
    }

    private func lines(_ object: Any) throws -> [String] {
        let data = try JSONSerialization.data(
            withJSONObject: object,
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        )
        return String(decoding: data, as: UTF8.self).components(separatedBy: "\n")
    }

    /// All that a store shows, as JSON; values as text, so that they are compared as bytes.
    private func state(_ store: Store) throws -> [String: Any] {
        try store.read { reader in
            let state = reader.state
            var trees: [String: Any] = [:]
            for tree in state.allTrees {
                var records: [[String: Any]] = []
                _ = state.scan(tree, after: nil, prefix: nil, .all, at: .max, entryCountMax: .max) {
                    records.append(record($0, reader, at: $1))
                    return true
                }
                let lines = Set(tree.borrows.map(\.key)).map { key in
                    (key.description, tree.line(of: key).map(\.description))
                }
                trees[tree.name.description] = [
                    "records": records, "lines": Dictionary(uniqueKeysWithValues: lines),
                ]
            }
            let hashes = state.hashes.map { ($0.block.description, $0.hash.description) }
            let chains = try (0...state.head).map {
                try #require(reader.chain(atSeq: $0)).description
            }
            return [
                "application": store.identity.application,
                "databaseID": store.identity.databaseID.description,
                "position": state.position.description, "time": state.lastTime,
                "chains": chains, "trees": trees,
                "hashes": Dictionary(uniqueKeysWithValues: hashes),
            ]
        }
    }

    private func record(
        _ key: RecordKey,
        _ reader: StoreReader,
        at location: Location
    ) -> [String: Any] {
        reader.withEffect(at: location) { effect, commit in
            [
                "key": key.description, "state": effect.state.description,
                "schema": effect.schema.description, "version": commit.seq,
                "change": commit.changeID.description, "value": effect.value.text,
                "created": [
                    "at": effect.createdAt, "user": effect.createdUser.text,
                    "device": effect.createdDevice.text,
                ],
            ]
        }
    }

    @Test("A log of format 1 is opened, and holds what it held")
    func opens() throws {
        try withCopy { disk in
            let bench = try StoreBench(disk)
            #expect(bench.store.recovery.wasClean)
            try compare(lines(state(bench.store)), expected(), "the fixture with its state")
            try bench.store.compareWithFreshFold()
            try bench.reopen()
            try compare(lines(state(bench.store)), expected(), "the fixture opened twice")
            try bench.store.close()
        }
    }

    @Test("Its commits verify one after the other, and have every label there is")
    func chain() throws {
        try withCopy { disk in
            let store = try StoreBench(disk).store
            let log = store.logReader()
            var labels: Set<Label> = []
            var chain = Hash128.zero
            var cursor = try #require(try log.cursor(before: 1))
            while let frame = try cursor.next() {
                let commit = try CommitView(frame.content)
                try commit.verify(after: chain)
                chain = commit.chain
                try commit.forEachBlock { block, _ in
                    try block.forEachEffect { labels.insert(try #require($0.label)) }
                }
            }
            #expect(store.read { $0.state.chain } == chain)
            // The first three nobody writes yet; tokens came after it was made.
            let later: Set<Label> = [
                .recall, .seize, .setHolder, .createToken, .revokeToken, .undo, .storeFile,
                .collectFile, .changeToken,
            ]
            #expect(Set(Label.allCases).subtracting(labels) == later)
            try store.close()
            let segments = try disk.names(in: "log").filter { $0.hasSuffix(".seg") }
            #expect(segments.count > 3)
        }
    }

    @Test("Its rules go on: resends, used ids, released records, unique values, lines")
    func goesOn() throws {
        try withCopy { disk in
            let bench = try StoreBench(disk)
            let head = bench.store.read { $0.state.head }
            // The clock of the test is before the log's: commit time does not go back.
            let resend = bench.store.submit(FixtureStory.resent, by: FixtureStory.author)
            #expect(resend.isReplayed)
            var other = FixtureStory.resent
            other.digest = Hash128(high: 0, low: 1)
            let reused = bench.store.submit(other, by: FixtureStory.author)
            #expect(reused.refusal == .idempotencyMismatch)
            let one = RecordKey(number: 1)
            for (operation, code) in [
                (StoreBench.create("n4", key: RecordKey(number: 3)), RefusalCode.idTaken),
                (try bench.rename(one, "free"), .released),
                (StoreBench.name("again"), .exists),
            ] {
                #expect(bench.submit([operation]).refusal == code, "\(operation)")
            }
            let taken = HoldfastRecords.Operation.put(
                WriteOperation(
                    tree: StockModel.parts,
                    key: nil,
                    expects: .absent,
                    value: Array(#"{"number":"n8","stock":{}}"#.utf8)
                )
            )
            #expect(bench.submit([taken]).refusal == .unique)
            #expect(bench.holder(RecordKey(number: 2))?.user == "carl")
            #expect(bench.holder(RecordKey(number: 6))?.state == .granted)
            #expect(bench.store.read { $0.state.head } == head)
            // A name that was deleted is free, and the next commit follows the chain.
            #expect(bench.submit([StoreBench.name("gone")]).isAccepted)
            bench.sync()
            #expect(bench.store.progress.durable == head + 1)
            try bench.store.compareWithFreshFold()
            try bench.reopen()
            #expect(bench.store.read { $0.state.head } == head + 1)
            try bench.store.close()
        }
    }

    @Test("The story that wrote it still runs, so that the next format can have its fixture")
    func story() throws {
        let disk = SimulatedDisk()
        try FixtureStory(disk)
        let store = try StoreBench(disk).store
        try store.compareWithFreshFold()
        try store.close()
    }

    @Test(
        "A new fixture is written",
        .enabled(if: target != nil, "HOLDFAST_WRITE_FIXTURE names an empty folder")
    )
    func write() throws {
        let folder = URL(fileURLWithPath: try #require(Self.target))
        let disk = try PosixDisk(folder.appendingPathComponent("database").path, create: true)
        try FixtureStory(disk)
        try withFolder { copy in
            try FileManager.default.copyItem(
                atPath: folder.appendingPathComponent("database").path,
                toPath: copy
            )
            let store = try StoreBench(PosixDisk(copy)).store
            let text = try lines(state(store)).joined(separator: "\n") + "\n"
            try text.write(
                to: folder.appendingPathComponent("state.json"),
                atomically: true,
                encoding: .utf8
            )
            try store.close()
        }
    }
}
