// Views against a plain walk over all records, through everything that happens to a database.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

/// A database that is opened, changed, compacted, cut off and opened again.
final class GadgetLife {
    let random: SeededRandom
    private(set) var disk: SimulatedDisk
    private(set) var db: Database
    private var keys: [Key<Gadget>] = []
    /// What has happened, for the message of a failure and to know that a life saw everything.
    private(set) var events: [String: Int] = [:]

    private static let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)

    init(seed: UInt64) async throws {
        random = SeededRandom(seed: seed)
        disk = SimulatedDisk(seed: seed)
        try Store.create(on: disk, application: "gadgets", options: Self.options)
        db = try await Self.open(disk)
    }

    private static func open(_ disk: SimulatedDisk) async throws -> Database {
        let store = try Store(
            disk: disk,
            application: "gadgets",
            options: options,
            logger: Logger(level: .error, time: SystemTime()) { _ in }
        )
        return try await Database.open(
            store,
            try RecordTrees([Gadget.self]),
            caller: Caller(user: "anna", device: "PC-1")
        )
    }

    func step() async throws {
        switch random.below(40) {
        case 0:
            events["closed", default: 0] += 1
            try await db.close()
            db = try await Self.open(disk)
        case 1:
            events["crashed", default: 0] += 1
            let image = disk.crash(seed: random.next())
            try await db.close()
            disk = image
            db = try await Self.open(disk)
        case 2:
            events["compacted", default: 0] += 1
            try await db.compact()
        case 3:
            events["failed sync", default: 0] += 1
            disk.fail(.init(.sync, after: 0, code: EIO, isLasting: true))
            try await change()
            // The views of a database that writes no more are those of what is durable.
            try GadgetModel.check(db)
            disk.heal()
            do { try await db.close() } catch { #expect(error != .closed) }
            db = try await Self.open(disk)
        default:
            events["changed", default: 0] += 1
            try await change()
        }
        if random.oneIn(3) { try GadgetModel.check(db) }
    }

    /// One change of a few operations, which may throw in the end.
    private func change() async throws {
        do {
            keys += try await db.write { tx in
                var made: [Key<Gadget>] = []
                for _ in 0..<self.random.within(1...5) {
                    let key =
                        self.keys.isEmpty ? nil : self.keys[self.random.below(self.keys.count)]
                    guard let key, !self.random.oneIn(4), let old = try tx.record(key) else {
                        made.append(try tx.create(.random(self.random)))
                        continue
                    }
                    switch (self.random.below(6), old.meta.state) {
                    case (0, .draft): try tx.delete(key)
                    case (1, .draft), (2, .draft): try tx.release(key)
                    case (_, .released): made.append(try tx.revise(key))
                    default: try tx.put(.random(self.random), at: key)
                    }
                }
                if self.random.oneIn(6) { throw NotEnough() }
                return made
            }.value
        } catch is NotEnough {
            return
        } catch let error as DatabaseError {
            switch error {
            case .refused, .poisoned: return
            default: throw error
            }
        }
    }

    func close() async throws { try await db.close() }
}

@Suite(.serialized) struct ViewTests {
    @Test("Views say what a walk over all records says, whatever happens to the database")
    func lives() async throws {
        var events: [String: Int] = [:]
        for seed in Seed.chosen.map({ $0...$0 }) ?? 1...Seed.count(usually: 5) {
            do {
                let life = try await GadgetLife(seed: seed)
                for _ in 0..<100 { try await life.step() }
                try GadgetModel.check(life.db)
                try await life.close()
                events.merge(life.events) { $0 + $1 }
            } catch {
                print("failed with HOLDFAST_SEED=\(seed): \(error)")
                throw error
            }
        }
        guard Seed.chosen == nil else { return }
        for name in ["changed", "closed", "crashed", "compacted", "failed sync"] {
            #expect(events[name] ?? 0 > 0, "no life was ever \(name)")
        }
    }

    @Test("Latest and latest released part when a released record is revised")
    func revisions() async throws {
        try await withDatabase([Gadget.self]) { db, _ in
            let tree = db.tree(Gadget.self)
            let first = try await db.write { tx in
                try tx.create(Gadget(name: "ab", tags: ["t1"], size: 1, note: ""))
            }.value
            #expect(try tree.released.count() == 0)
            #expect(try tree.count(Gadget.perTagReleased, "t1") == 0)
            try await db.write { tx in try tx.release(first) }
            #expect(try tree.with(Gadget.releasedByName, "ab").fetch().map(\.key) == [first])
            let second = try await db.write { tx in
                let next = try tx.revise(first)
                try tx.update(next) { $0.name = "b" }
                return next
            }.value
            #expect(try tree.all.fetch().map(\.key) == [second])
            #expect(try tree.released.fetch().map(\.key) == [first])
            #expect(try tree.with(Gadget.byName, "b").fetch().map(\.key) == [second])
            #expect(try tree.with(Gadget.byName, "ab").count() == 0)
            #expect(try tree.with(Gadget.releasedByName, "ab").fetch().map(\.key) == [first])
            #expect(try tree.latest(first.id, released: true)?.key == first)
            try await db.write { tx in try tx.release(second) }
            #expect(try tree.with(Gadget.releasedByName, "b").fetch().map(\.key) == [second])
            #expect(try tree.with(Gadget.releasedByName, "ab").count() == 0)
            #expect(try tree.count(Gadget.perTagReleased, "t1") == 1)
        }
    }

    @Test("A range is read from its end as far as it is wanted")
    func streams() async throws {
        try await withDatabase([Gadget.self]) { db, _ in
            try await db.write { tx in
                for size in 0..<3000 {
                    _ = try tx.create(Gadget(name: "", tags: [], size: size, note: ""))
                }
            }
            let tree = db.tree(Gadget.self)
            let last = try tree.ordered(by: Gadget.bySize, .reverse).limit(3).fetch()
            #expect(last.map(\.size) == [2999, 2998, 2997])
            let some = try tree.with(Gadget.bySize, in: 511..<1537, .reverse).fetch().map(\.size)
            #expect(some == (511..<1537).reversed())
            var looked = 0
            try tree.with(Gadget.bySize, in: 100...).limit(5).forEach { _, _ in looked += 1 }
            #expect(looked == 5)
            #expect(try tree.counts(Gadget.perSize).count == 3000)
            try await db.write { tx in
                for entry in try tree.with(Gadget.bySize, in: ..<2990).fetch() {
                    try tx.delete(entry.key)
                }
            }
            #expect(try tree.ordered(by: Gadget.bySize).fetch().map(\.size) == Array(2990..<3000))
            #expect(try tree.counts(Gadget.perSize).map(\.value) == Array(2990..<3000))
        }
    }
}
