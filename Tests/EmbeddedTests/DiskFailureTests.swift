// A disk that fails, fills up or holds something else; and directories that are none of ours.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct DiskFailureTests {
    private func open(_ disk: SimulatedDisk, isNew: Bool = true) async throws -> Database {
        if isNew { try Store.create(on: disk, application: "stockroom") }
        let store = try Store(
            disk: disk,
            application: "stockroom",
            logger: Logger(level: .error, time: SystemTime()) { _ in }
        )
        return try await Database.open(store, user: "anna")
    }

    @Test("After a failed sync nothing of the change shows, reads go on, writes say why")
    func failedSync() async throws {
        let disk = SimulatedDisk(seed: 3)
        let db = try await open(disk)
        let key = try await db.write { tx in try tx.create(Item(number: "A", stock: 1)) }.value
        #expect(try db.tree(Item.self).with(Item.byStock, 1).count() == 1)
        disk.fail(.init(.sync, after: 0, code: EIO, isLasting: true))
        do {
            try await db.write { tx in
                try tx.update(key) { $0.stock = 2 }
                _ = try tx.create(Item(number: "B"))
            }
            Issue.record("a write that is on no disk was acknowledged")
        } catch DatabaseError.poisoned(let reason) {
            #expect(!reason.isEmpty)
        }
        #expect(try db[key]?.stock == 1)
        #expect(try db.tree(Item.self).with(Item.byStock, 1).count() == 1)
        #expect(try db.tree(Item.self).all.count() == 1)
        #expect(db.checkInvariants(Item.self) == nil)
        await #expect(throws: DatabaseError.self) { try await db.write { _ in } }
        disk.heal()
        do { try await db.close() } catch { #expect(error != .closed) }
        let again = try await open(disk.crash(seed: 5), isNew: false)
        let stock = try again[key]?.stock
        #expect(stock == 1 || stock == 2, "acknowledged is kept; the other may have come through")
        try await again.close()
    }

    @Test("Readers never see what a failed sync takes back")
    func neverShown() async throws {
        for seed in 1...UInt64(8) {
            let disk = SimulatedDisk(seed: seed)
            let db = try await open(disk)
            let key = try await db.write { tx in try tx.create(Item(number: "A", stock: 0)) }.value
            let acknowledged = Lock(0)
            let isDone = Lock(false)
            let reading = Task.detached {
                var highest = 0
                while !isDone.withLock(\.self) {
                    highest = max(highest, try db.withRecord(key) { $0.stock } ?? -1)
                    await Task.yield()
                }
                return highest
            }
            disk.fail(
                .init(.sync, after: Int(seed) * 3, code: EIO, isLasting: true)
            )
            do {
                for step in 1... {
                    try await db.write { tx in try tx.update(key) { $0.stock = step } }
                    acknowledged.withLock { $0 = step }
                }
            } catch DatabaseError.poisoned {}
            isDone.withLock { $0 = true }
            let highest = try await reading.value
            #expect(highest <= acknowledged.withLock(\.self), "HOLDFAST_SEED=\(seed)")
            #expect(try db[key]?.stock == acknowledged.withLock(\.self))
            do { try await db.close() } catch { #expect(error != .closed) }
        }
    }

    @Test("A full disk refuses writes and goes on reading")
    func full() async throws {
        let disk = SimulatedDisk(seed: 9)
        let db = try await open(disk)
        let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
        disk.limit(byteCount: disk.byteCount + 1000)
        var error: DatabaseError?
        do {
            for step in 0..<10_000 {
                try await db.write { tx in
                    try tx.update(key) { $0.title = String(repeating: "x", count: 1000 + step % 7) }
                }
            }
        } catch let failure as DatabaseError {
            error = failure
        }
        #expect(error == .full || error != nil)
        #expect(try db[key]?.number == "A")
        do { try await db.close() } catch { #expect(error != .closed) }
    }

    @Test("Opening says what is wrong with a directory or a declaration")
    func opening() async throws {
        let folder = try Folder()
        let db = try await folder.open()
        await #expect(throws: DatabaseError.self) { try await folder.open() }
        try await db.close()
        do {
            _ = try await Database.open(folder.path + "/data", application: "other", trees: [])
            Issue.record("another application's database was opened")
        } catch DatabaseError.refused(let refusal) {
            #expect(refusal.code == .wrongDatabase)
            #expect(refusal.message?.contains("stockroom") ?? false)
        }
        try Data("x".utf8).write(to: URL(filePath: folder.path).appending(path: "file"))
        for path in [folder.path, folder.path + "/file", folder.path + "/file/x"] {
            await #expect(throws: DatabaseError.self) {
                try await Database.open(path, application: "stockroom", trees: [])
            }
        }
        await #expect(throws: DatabaseError.self) {
            try await Database.open(folder.path + "/new", application: "", trees: [])
        }
        await #expect(throws: DatabaseError.self) {
            try await folder.open([Item.self, Item.self])
        }
        // The failures above let go of the directory.
        let again = try await folder.open()
        try await again.close()
    }

    @Test("A declaration that breaks the rules of evolution is refused, naming them")
    func incompatible() async throws {
        struct Other: Record {
            typealias ID = Name
            var pads: String
            static func define(_ tree: inout TreeDefinition<Other>) {
                tree.name = "footprints"
                tree.borrow = .optional
            }
        }
        let folder = try Folder()
        try await folder.open().close()
        do {
            _ = try await folder.open([Other.self])
            Issue.record("a changed field under an unchanged version was taken")
        } catch DatabaseError.refused(let refusal) {
            #expect(refusal.code == .incompatible)
            #expect(refusal.message?.contains("rule of evolution") ?? false, "\(refusal)")
        }
        try await folder.open().close()
    }

    @Test("A damaged log is named, with the file and the byte")
    func damaged() async throws {
        let folder = try Folder()
        let db = try await folder.open()
        for index in 0..<50 {
            try await db.write { tx in _ = try tx.create(Item(number: "\(index)")) }
        }
        try await db.close()
        let log = URL(filePath: folder.path).appending(path: "data/log")
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: log.path).min())
        let file = log.appending(path: name)
        var bytes = try Data(contentsOf: file)
        bytes[4000] ^= 0xFF
        try bytes.write(to: file)
        do {
            _ = try await folder.open()
            Issue.record("damage was not noticed")
        } catch DatabaseError.damaged(let file, let offset) {
            #expect(file.hasSuffix(name))
            #expect(offset > 0 && offset <= 4000)
        }
    }
}
