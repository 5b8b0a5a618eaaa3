// Writing the checkpoint of a view, ended or refused at every operation of the disk.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

/// A record with a view of a version that a test chooses.
private struct Crate: Record {
    typealias ID = Name
    var count: Int

    static let byCount = MultiIndex<Crate, Int>("count", \.count)
    static let version = Lock(1)

    static func define(_ tree: inout TreeDefinition<Crate>) {
        tree.name = "crates"
        tree.borrow = .optional
        tree.index(byCount)
        tree.view(Total(version: version.withLock(\.self)))
    }
}

private struct Total: DerivedView {
    typealias R = Crate

    /// How many items were asked for.
    static let asked = Lock(0)

    let name = "total"
    let version: Int
    let empty = 0

    func item(of crate: Entry<Crate>) -> Int? {
        Self.asked.withLock { $0 += 1 }
        return crate.count * version
    }
    func add(_ item: Int, of key: Key<Crate>, to sum: inout Int) { sum += item }
    func remove(_ item: Int, of key: Key<Crate>, from sum: inout Int) { sum -= item }
}

@Suite(.serialized) struct ViewCheckpointCrashTests {
    private static let count = 30
    /// Records that changed since the older checkpoint, or came.
    private static let changedCount = 3

    private func key(_ number: Int) -> HoldfastEmbedded.Key<Crate> {
        Key(Name(stringLiteral: "c\(number)"))
    }

    private func open(_ disk: SimulatedDisk) async throws -> Database {
        let store = try Store(
            disk: disk,
            application: "stockroom",
            logger: Logger(level: .error, time: SystemTime()) { _ in }
        )
        return try await Database.open(
            store,
            try RecordTrees([Crate.self]),
            caller: Caller(user: "anna", device: "PC-1")
        )
    }

    /// What the view holds, and how many records it was asked about for that.
    private func total(_ db: Database) throws -> (sum: Int, asked: Int) {
        Total.asked.withLock { $0 = 0 }
        let view = Total(version: Crate.version.withLock(\.self))
        let sum = try db.tree(Crate.self).withView(view) { $0 }
        #expect(try db.tree(Crate.self).with(Crate.byCount, 7).count() == 1)
        return (sum, Total.asked.withLock(\.self))
    }

    private func end(_ db: Database) async {
        do {
            try await db.close()
        } catch {
            // Its disk fails.
        }
    }

    /// What is left by a process that ended before it wrote its views, and what they hold; with an
    /// older checkpoint of a version of the view, or none.
    private func scene(older version: Int?) async throws -> (disk: SimulatedDisk, sum: Int) {
        Crate.version.withLock { $0 = version ?? 1 }
        let disk = SimulatedDisk(seed: 5)
        try Store.create(on: disk, application: "stockroom")
        let db = try await open(disk)
        try await db.write { tx in
            for number in 0..<Self.count { try tx.create(Crate(count: number), at: key(number)) }
        }
        if version != nil {
            #expect(try total(db).asked == Self.count)
            await db.saveViews(each: true)
            #expect(!disk.paths.filter { $0.hasPrefix("views/") }.isEmpty)
        }
        try await db.write { tx in
            try tx.update(key(1)) { $0.count = 1000 }
            try tx.update(key(2)) { $0.count = 2000 }
            try tx.delete(key(3))
            try tx.create(Crate(count: 3000), at: key(99))
        }
        let image = disk.copy()
        try await db.close()
        Crate.version.withLock { $0 = 1 }
        let sum = (0..<Self.count).reduce(0, +) - 1 - 2 - 3 + 6000
        return (image, sum)
    }

    @Test(
        "Ended at any operation, it leaves the older checkpoint, the new one or none; never a wrong one",
        arguments: [nil, 1, 2] as [Int?]
    )
    func everyOperation(older: Int?) async throws {
        let (disk, sum) = try await scene(older: older)
        // How many records an opening asks about by the older checkpoint, or by none.
        let before = older == 1 ? Self.changedCount : Self.count
        var outcomes: [Int: Int] = [:]
        var count = 0
        var isDone = false
        while !isDone {
            let image = disk.copy()
            let db = try await open(image)
            #expect(try total(db) == (sum, before))
            let start = image.operationCount
            image.halt(afterOperations: count)
            await db.saveViews(each: true)
            isDone = image.operationCount <= start + count
            for left in (1...3).map({ image.crash(seed: UInt64(count * 3 + $0)) }) + [image.copy()]
            {
                let next = try await open(left)
                let found = try total(next)
                #expect(
                    found.sum == sum && [0, before].contains(found.asked),
                    "operation \(count)"
                )
                #expect(next.checkInvariants(Crate.self) == nil)
                outcomes[found.asked, default: 0] += 1
                // What is left over is in nobody's way.
                await next.saveViews(each: true)
                let files = left.paths.filter { $0.hasPrefix("views/") }
                #expect(files == ["views/crates.index.count.1", "views/crates.view.total.1"])
                try await next.close()
                if isDone { #expect(found.asked == 0) }
            }
            await end(db)
            count += 1
        }
        #expect(outcomes.count == 2 && count > 12, "\(outcomes) in \(count) operations")
    }

    @Test(
        "Refused at any operation, it leaves what was there, and everything goes on",
        arguments: [EIO, ENOSPC]
    )
    func everyFailure(code: Int32) async throws {
        let (disk, sum) = try await scene(older: 1)
        var met = 0
        for operation in DiskError.Operation.allCases {
            var after = 0
            while true {
                let image = disk.copy()
                let db = try await open(image)
                #expect(try total(db).sum == sum)
                // Nothing else asks for anything of this disk meanwhile but free room.
                let start = image.count(operation)
                image.fail(.init(operation, after: after, code: code))
                await db.saveViews(each: true)
                let isMet = image.count(operation) - start > after
                image.heal()
                // The database takes no notice.
                try await db.write { tx in try tx.update(key(5)) { $0.count = 5000 } }
                #expect(try total(db) == (sum - 5 + 5000, 0))
                let left = image.copy()
                try await db.close()
                let next = try await open(left)
                let found = try total(next)
                #expect(found.sum == sum - 5 + 5000 && found.asked <= Self.changedCount + 1)
                await next.saveViews(each: true)
                try await next.close()
                let last = try await open(left)
                #expect(try total(last) == (sum - 5 + 5000, 0), "\(operation) \(after)")
                try await last.close()
                if isMet { met += 1 }
                after += 1
                guard isMet, after < 12 else { break }
            }
        }
        #expect(met > 12, "\(met)")
    }
}
