// Files of embedded databases: contents first, then records that name them.
import Foundation
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

private struct Sheet: Record {
    typealias ID = Name
    var file: FileRef?
    var others: [FileRef]

    static func define(_ tree: inout TreeDefinition<Sheet>) {
        tree.name = "sheets"
        tree.borrow = .optional
    }
}

@Suite struct DatabaseFileTests {
    @Test("What is attached is named by values, read in parts and whole, and outlives the process")
    func attaches() async throws {
        let folder = try Folder()
        let source = folder.path + "/sheet one.txt"
        let text = String(repeating: "line\n", count: 200_000)
        try Data(text.utf8).write(to: URL(filePath: source))
        var db = try await folder.open([Sheet.self])
        let file = try await db.attach(contentsOf: source, type: "text/plain")
        #expect(file.name == "sheet one.txt" && file.type == "text/plain")
        #expect(file.size == 1_000_000)
        let empty = try await db.attach([])
        try await db.write { tx in try tx.create(Sheet(file: file, others: [empty]), at: "a") }
        try await db.close()
        try FileManager.default.removeItem(atPath: source)
        db = try await folder.open([Sheet.self])
        let sheet = try #require(try db.record("a" as Key<Sheet>)?.value)
        let content = try await db.content(of: try #require(sheet.file))
        #expect(content.byteCount == 1_000_000)
        #expect(try content.read(9, at: 5) == Array("line\nline".utf8))
        #expect(try content.read(9, at: -1) == [])
        #expect(try content.read(0, at: 0) == [])
        #expect(try content.bytes() == Array(text.utf8))
        #expect(try await db.content(of: sheet.others[0]).bytes() == [])
        #expect(try db.hasContent(of: file))
        let copy = folder.path + "/copy"
        for _ in 0..<2 { try await content.copy(to: copy) }
        #expect(FileManager.default.contents(atPath: copy) == Data(text.utf8))
        await #expect(throws: DatabaseError.self) { try await content.copy(to: copy + "/not") }
        // The part that is written first goes whatever comes of it.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
        try await db.close()
    }

    @Test("A value names no file that is not there, and no file is made of what cannot be read")
    func refuses() async throws {
        try await withDatabase([Sheet.self]) { db, folder in
            let unknown = FileRef(
                sha256: String(repeating: "0", count: 64),
                size: 1,
                type: "text/plain",
                name: ""
            )
            await expectRefusal(.fileMissing) {
                try await db.write { tx in
                    try tx.create(Sheet(file: unknown, others: []), at: "a")
                }
            }
            await expectRefusal(.unknownFile) { _ = try await db.content(of: unknown) }
            #expect(try !db.hasContent(of: unknown))
            let head = db.head
            await #expect(throws: DatabaseError.self) {
                try await db.attach(contentsOf: folder.path + "/none")
            }
            await #expect(throws: DatabaseError.self) {
                try await db.attach(contentsOf: folder.path)
            }
            await #expect(throws: DatabaseError.self) { try await db.attach(contentsOf: "") }
            for type in ["", "text", "/plain", "text/plain; a=\u{e4}", "te xt/plain"] {
                await expectRefusal(.badHeader) { _ = try await db.attach([1], type: type) }
            }
            await expectRefusal(.badHeader) {
                _ = try await db.attach([1], name: String(repeating: "n", count: 256))
            }
            #expect(db.head == head)
            let files = try folder.bytes().keys.filter { $0.hasPrefix("files/") }
            #expect(files.isEmpty)
        }
    }

    @Test("The same content is kept once, and stays while its record is read and taken away")
    func collects() async throws {
        let disk = SimulatedDisk()
        let time = FakeTime(wallMilliseconds: SystemTime().wallMilliseconds())
        try Store.create(on: disk, application: "stockroom", time: time)
        let store = try Store(disk: disk, application: "stockroom", time: time)
        let types = try RecordTrees([Sheet.self])
        let db = try await Database.open(store, types, caller: Caller(user: "a", device: "d"))
        let bytes = Array("content".utf8)
        let first = try await db.attach(bytes, name: "one")
        let head = db.head
        #expect(try await db.attach(bytes, name: "two").sha256 == first.sha256)
        #expect(db.head == head)
        let content = try await db.content(of: first)
        time.advance(milliseconds: 8 * 86_400_000)
        #expect(try store.collectFiles() == 1)
        // The bytes go when it is durable that the record has gone.
        await store.becomesDurable()
        _ = try store.collectFiles()
        #expect(try !db.hasContent(of: first))
        #expect(try content.bytes() == bytes)
        #expect(disk.paths.filter { $0.hasPrefix("files/") }.isEmpty)
        try await db.close()
    }

    @Test("A full disk refuses a file and leaves nothing of it")
    func fullDisk() async throws {
        let disk = SimulatedDisk()
        try Store.create(on: disk, application: "stockroom")
        let store = try Store(disk: disk, application: "stockroom")
        let types = try RecordTrees([Sheet.self])
        let db = try await Database.open(store, types, caller: Caller(user: "a", device: "d"))
        disk.fail(.init(.write, code: 28, isLasting: true))
        await #expect(throws: DatabaseError.full) {
            try await db.attach([UInt8](repeating: 1, count: 1 << 20))
        }
        disk.heal()
        #expect(disk.paths.filter { $0.hasPrefix("files/") }.isEmpty)
        #expect(try await db.attach([1]).size == 1)
        try await db.close()
    }

    @Test("Who reads beside the writer reads its files, and attaches none")
    func readOnly() async throws {
        try await withDatabase([Sheet.self]) { db, folder in
            let file = try await db.attach([1, 2, 3])
            try await db.write { tx in try tx.create(Sheet(file: file, others: []), at: "a") }
            let reader = try await Database.openReadOnly(
                folder.path + "/data",
                application: "stockroom",
                trees: [Sheet.self]
            )
            #expect(try await reader.content(of: file).bytes() == [1, 2, 3])
            await expectRefusal(.readOnly) { _ = try await reader.attach([1]) }
            try await reader.close()
            await #expect(throws: DatabaseError.closed) { try await reader.content(of: file) }
        }
    }

    @Test("Databases that share a folder share its files")
    func shared() async throws {
        let folder = try Folder()
        var open: [Database] = []
        for user in ["anna", "bert"] {
            open.append(
                try await Database.open(
                    folder.path + "/data",
                    application: "stockroom",
                    trees: [Sheet.self],
                    access: .shared(),
                    user: user
                )
            )
        }
        let (anna, bert) = (open[0], open[1])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, db) in open.enumerated() {
                group.addTask {
                    for index in 0..<10 {
                        let file = try await db.attach(Array("\(number) \(index)".utf8))
                        try await db.write { tx in
                            try tx.create(
                                Sheet(file: file, others: []),
                                at: Key(try #require(Name("s\(number)-\(index)")))
                            )
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        for db in [anna, bert] {
            try await db.refresh()
            for number in 0..<2 {
                for index in 0..<10 {
                    let key = Key<Sheet>(try #require(Name("s\(number)-\(index)")))
                    let file = try #require(try db.record(key)?.value.file)
                    let bytes = try await db.content(of: file).bytes()
                    #expect(bytes == Array("\(number) \(index)".utf8))
                }
            }
        }
        try await anna.close()
        try await bert.close()
    }
}

extension Store {
    /// Waits until everything committed so far is durable.
    fileprivate func becomesDurable() async {
        let head = read { $0.state.head }
        let synced = WakeUp()
        observe { _, _ in synced.notify() }
        while true {
            let count = synced.count
            if progress.durable >= head { return }
            await synced.wait(past: count)
        }
    }
}
