// Several processes that have a database open for writing: what an application sees of it.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct SharedDatabaseTests {
    private func open(
        _ folder: Folder,
        _ access: Database.Access = .shared(),
        durability: Database.Durability = .group,
        user: String = "local",
        device: String = "local"
    ) async throws -> Database {
        try await Database.open(
            folder.path + "/data",
            application: "stockroom",
            trees: stockroom,
            durability: durability,
            access: access,
            user: user,
            device: device
        )
    }

    /// Why something is refused; nil when it is not.
    private func refusal(_ body: () async throws -> Void) async throws -> RefusalCode? {
        do {
            try await body()
        } catch DatabaseError.refused(let refusal) {
            return RefusalCode(rawValue: refusal.code.rawValue)
        }
        return nil
    }

    @Test("What one has written is what the other decides on: values, unique fields, ids")
    func inTurn() async throws {
        let folder = try Folder()
        let one = try await open(folder)
        let two = try await open(folder, durability: .each)
        let key = try await one.write { try $0.create(Item(number: "A", stock: 1)) }.value
        #expect(
            try await refusal { try await two.write { _ = try $0.create(Item(number: "A")) } }
                == .unique
        )
        try await two.write { tx in try tx.update(key) { $0.stock += 1 } }
        try await one.write { tx in try tx.update(key) { $0.stock += 1 } }
        #expect(try one[key]?.stock == 3)
        var ids: [Number] = []
        for _ in 0..<20 {
            ids.append(try await one.write { try $0.create(Move(part: key, count: 1)) }.value.id)
            ids.append(try await two.write { try $0.create(Move(part: key, count: 2)) }.value.id)
        }
        #expect(Set(ids).count == 40)
        // A body that throws, one that does nothing, and one that is refused keep nobody out.
        await #expect(throws: NotEnough.self) { try await one.write { _ in throw NotEnough() } }
        #expect(try await one.write { try $0.record(key)?.value.stock }.value == 3)
        try await two.refresh()
        #expect(try two[key]?.stock == 3)
        #expect(try two.tree(Move.self).all.count() == 40)
        #expect(one.head == two.head)
        try await one.close()
        try await two.write { tx in try tx.update(key) { $0.stock = 9 } }
        try await two.close()
        let alone = try await folder.open()
        #expect(try alone[key]?.stock == 9)
        try await alone.close()
    }

    @Test("What others write arrives by itself: events, live queries, and a line of borrowers")
    func arrives() async throws {
        let folder = try Folder()
        let one = try await open(folder, user: "anna", device: "PC-1")
        let two = try await open(folder, user: "bert", device: "PC-2")
        let key = try await one.write { try $0.create(Item(number: "A", stock: 1)) }.value
        try await two.refresh()
        var events = two.events().makeAsyncIterator()
        var live = two.tree(Item.self).filter { $0.stock > 0 }.live().makeAsyncIterator()
        #expect(try await live.next()?.rows.map(\.stock) == [1])
        try await one.write(why: "counted") { tx in try tx.update(key) { $0.stock = 5 } }
        let event = try await events.next()
        #expect(event?.origin == .remote && event?.why == "counted" && event?.device == "PC-1")
        #expect(try await live.next()?.rows.map(\.stock) == [5])
        // A second reader of the same file: it is shown what is written, as of every database.
        let reading = try await Database.openReadOnly(
            folder.path + "/data",
            application: "stockroom",
            trees: stockroom
        )
        #expect(try reading[key]?.stock == 5)
        try await reading.close()
        let held = try await one.borrow(key)
        #expect(try await refusal { _ = try await two.borrow(key) } == .borrowed)
        #expect(
            try await refusal { try await two.write { tx in try tx.update(key) { $0.stock = 6 } } }
                == .borrowed
        )
        async let later = two.borrow(key, wait: .queue)
        while try one.borrows(mine: false).count < 2 { try await one.refresh() }
        try await one.return(held)
        let mine = try await later
        try await two.return(mine)
        try await one.refresh()
        #expect(try one.borrows(mine: false).isEmpty)
        try await one.close()
        try await two.close()
    }

    @Test(
        "Alone and shared exclude each other; what cannot be shared is refused, and changes nothing"
    )
    func refusals() async throws {
        let folder = try Folder()
        for durability in [Database.Durability.none, .interval(.seconds(1))] {
            #expect(
                try await refusal { _ = try await open(folder, durability: durability) }
                    == .unsupported
            )
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/data"))
        let one = try await open(folder)
        #expect(try await refusal { _ = try await open(folder, .exclusive) } == .busy)
        // Another one writes, and does not end.
        let disk = try PosixDisk(folder.path + "/data")
        let lock = try disk.lock("LOCK.write")
        let hasty = StoreDirectory(folder.path + "/data")
        #expect(
            try await refusal {
                _ = try hasty.open(
                    application: "stockroom",
                    options: LogOptions(sharedWaitMilliseconds: 20)
                )
            } == .busy
        )
        let head = one.head
        lock.release()
        let impatient = try await open(folder, .shared(waitingAtMost: .milliseconds(20)))
        let again = try disk.lock("LOCK.write")
        #expect(
            try await refusal { try await impatient.write { _ = try $0.create(Item(number: "A")) } }
                == .busy
        )
        again.release()
        #expect(one.head == head)
        try await impatient.write { _ = try $0.create(Item(number: "A")) }
        try await impatient.close()
        await #expect(throws: DatabaseError.self) {
            try await impatient.write { _ = try $0.create(Item(number: "B")) }
        }
        try await one.close()
        let alone = try await folder.open()
        #expect(try await refusal { _ = try await open(folder) } == .busy)
        try await alone.close()
    }

    @Test("One compacts while the others read and write; whoever was behind goes on")
    func compacts() async throws {
        let folder = try Folder()
        let one = try await open(folder)
        let two = try await open(folder)
        let key = try await one.write { try $0.create(Item(number: "A", stock: 0)) }.value
        let writing = Task {
            for _ in 0..<60 { try await two.write { tx in try tx.update(key) { $0.stock += 1 } } }
        }
        for _ in 0..<5 {
            try await one.write { tx in try tx.update(key) { $0.stock += 1 } }
            #expect(try await one.compact() != nil)
        }
        try await writing.value
        #expect(try await two.compact() != nil)
        try await one.refresh()
        #expect(try one[key]?.stock == 65 && two[key]?.stock == 65)
        #expect(one.head == two.head)
        try await one.close()
        try await two.close()
    }
}
