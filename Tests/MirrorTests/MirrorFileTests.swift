// Files on mirrors, over real sockets: attached here and brought to the server before what names
// them, fetched when asked for, kept where they are pinned.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

private struct Drawing: Record, Hashable {
    typealias ID = Name
    var file: FileRef?

    static func define(_ tree: inout TreeDefinition<Drawing>) {
        tree.name = "drawings"
        tree.borrow = .optional
    }
}

private struct Note: Record, Hashable {
    typealias ID = Name
    var text: String
    var file: FileRef?

    static func define(_ tree: inout TreeDefinition<Note>) {
        tree.name = "notes"
        tree.borrow = .optional
    }
}

@Suite(.serialized) struct MirrorFileTests {
    private let folder = MirrorFolder()

    private func connect(
        _ address: String,
        _ name: String = "anna",
        copying: MirroredTrees = .all,
        files: MirroredFiles = .whenAsked,
        cache: Int = Database.defaultFileCacheByteCount
    ) async throws -> Database {
        try await Database.connect(
            to: "http://" + address,
            mirror: folder.path + "/" + name,
            application: "stockroom",
            trees: [Drawing.self, Note.self],
            copying: copying,
            user: name,
            files: files,
            fileCacheByteCount: cache
        )
    }

    private func port(_ server: TestServer) throws -> UInt16 {
        try #require(UInt16(server.address.split(separator: ":").last ?? ""))
    }

    private func bytes(_ count: Int, _ seed: UInt8 = 1) -> [UInt8] {
        var state = UInt64(seed)
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    @Test("What is attached without a server goes there first, and whoever asks gets it")
    func offline() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk)
        let (address, port) = (server.address, try port(server))
        var anna = try await connect(address)
        try await anna.firstSync()
        try server.stop()
        let content = bytes(3_000_000)
        let file = try await anna.attach(content, type: "image/png", name: "grün 1.png")
        let same = try await anna.attach(content, type: "image/png", name: "grün 1.png")
        #expect(file == same && file.size == 3_000_000)
        let key: Key<Drawing> = "r100"
        let made = try await anna.write { tx in try tx.create(Drawing(file: file), at: key) }
        try await anna.write { tx in try tx.create(Note(text: "after"), at: "later") }
        #expect(try anna.record(key)?.value.file == file)
        #expect(try await anna.content(of: file).bytes() == content)
        // The process ends in between, twice.
        for _ in 0..<2 {
            try await anna.close()
            anna = try await connect(address)
        }
        server = try TestServer(disk: disk) { $0.port = port }
        try await eventually("all is accepted") {
            try anna.record(key)?.meta.pending == false
                && anna.record("later" as Key<Note>)?.meta.pending == false
        }
        #expect(try anna.stranded().isEmpty)
        let reply = try server.send("GET", "/v1/files/\(file.sha256)")
        #expect(reply.body == content)
        #expect(reply.headers["content-type"] == "image/png")
        // The file came first, and once.
        let position = try #require(try anna.record(key)?.meta.version)
        #expect(made.changeID.uuidString.isEmpty == false)
        let about = try server.send("GET", "/v1/records/_files/\(file.sha256)?meta=true")
        #expect(about.text.contains("\"name\":\"grün 1.png\""))
        let version = try #require(
            about.text.split(separator: "\"version\":\"").last?.split(separator: "\"").first
        )
        let seq = try #require(UInt64(version.split(separator: ":").last ?? ""))
        #expect(seq < position.seq)
        let bert = try await connect(address, "bert")
        try await bert.firstSync()
        #expect(try !bert.hasContent(of: file))
        let got = try await bert.content(of: try #require(try bert.record(key)?.value.file))
        #expect(try got.bytes() == content)
        #expect(got.byteCount == content.count)
        #expect(try got.read(10, at: 2_999_995) == Array(content.suffix(5)))
        #expect(try got.read(10, at: 3_000_000) == [])
        let copy = folder.path + "/copy.png"
        try await got.copy(to: copy)
        #expect(FileManager.default.contents(atPath: copy) == Data(content))
        try server.stop()
        #expect(try await bert.content(of: file).byteCount == content.count)
        try await anna.close()
        try await bert.close()
    }

    @Test("What pinned trees name is here without being asked for, and other files are not")
    func pins() async throws {
        let server = try TestServer()
        let anna = try await connect(server.address)
        let pinned = try await connect(server.address, "bert", files: .named(in: "drawings"))
        let all = try await connect(server.address, "carl", copying: .listed, files: .all)
        for db in [anna, pinned, all] { try await db.firstSync() }
        let (first, second) = (bytes(1_500_000), bytes(10, 2))
        let drawing = try await anna.attach(first)
        let note = try await anna.attach(second)
        try await anna.write { tx in
            try tx.create(Drawing(file: drawing), at: "d")
            try tx.create(Note(text: "n", file: note), at: "n")
        }.accepted()
        try await eventually("carl has both") {
            try all.hasContent(of: drawing) && all.hasContent(of: note)
        }
        try await eventually("bert has the drawing") { try pinned.hasContent(of: drawing) }
        // The note came in the same commit: it would have been asked for before.
        let last = try await anna.attach(bytes(20, 3))
        try await anna.write { tx in try tx.create(Drawing(file: last), at: "last") }.accepted()
        try await eventually("bert has the last drawing") { try pinned.hasContent(of: last) }
        #expect(try !pinned.hasContent(of: note))
        try await pinned.close()
        try server.stop()
        let again = try await connect(server.address, "bert", files: .named(in: "drawings"))
        #expect(try await again.content(of: drawing).bytes() == first)
        await #expect(throws: DatabaseError.offline) { try await again.content(of: note) }
        for db in [anna, all, again] { try await db.close() }
    }

    @Test("A file the server will not have strands what names it, and nothing else")
    func refused() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk)
        let (address, port) = (server.address, try port(server))
        let anna = try await connect(address)
        try await anna.firstSync()
        try server.stop()
        let large = try await anna.attach(bytes(1001))
        let small = try await anna.attach(bytes(1000))
        let lost = try await anna.write { tx in try tx.create(Drawing(file: large), at: "large") }
        let kept = try await anna.write { tx in try tx.create(Drawing(file: small), at: "small") }
        server = try TestServer(disk: disk) { configuration in
            configuration.port = port
            configuration.fileByteCountMax = 1000
        }
        try await kept.accepted()
        await expectRefusal(.tooLarge) { try await lost.accepted() }
        #expect(try anna.stranded().count == 1)
        #expect(try anna.record("large" as Key<Drawing>) == nil)
        // Known by now: nothing is kept that names it, until it is attached again.
        await expectRefusal(.tooLarge) {
            try await anna.write { tx in try tx.create(Drawing(file: large), at: "again") }
        }
        _ = try await anna.attach(bytes(1001))
        await expectRefusal(.tooLarge) {
            try await anna.write { tx in try tx.create(Drawing(file: large), at: "again") }
                .accepted()
        }
        try await anna.close()
        try server.stop()
    }

    @Test("An upload that was cut goes on where it was, also in another process")
    func cut() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk)
        let (address, port) = (server.address, try port(server))
        var anna = try await connect(address)
        try await anna.firstSync()
        let content = bytes(24 << 20)
        let file = try await anna.attach(content)
        let path = "/v1/files/\(file.sha256)"
        try await eventually("some of it is there") {
            disk.paths.contains { $0.hasPrefix("files/") && $0.contains(file.sha256) }
        }
        try server.stop(withinSeconds: 0)
        try await anna.close()
        server = try TestServer(disk: disk) { $0.port = port }
        anna = try await connect(address)
        try await anna.write { tx in try tx.create(Drawing(file: file), at: "d") }.accepted()
        #expect(try server.send("GET", path).body == content)
        try await anna.close()
        try server.stop()
    }

    @Test("A server that lost a file before it was named gets it again")
    func lost() async throws {
        let time = FakeTime()
        let server = try TestServer(time: time)
        let anna = try await connect(server.address)
        try await anna.firstSync()
        let content = bytes(2000)
        let file = try await anna.attach(content)
        let record: Key<Drawing> = "d"
        try await eventually("it is there") {
            try server.send("GET", "/v1/files/\(file.sha256)").status == 200
        }
        // Its answer has been taken when a later change is accepted.
        try await anna.write { tx in try tx.create(Note(text: "x"), at: "x") }.accepted()
        time.advance(milliseconds: 8 * 86_400_000)
        #expect(try server.store.collectFiles() == 1)
        try await anna.write { tx in try tx.create(Drawing(file: file), at: record) }.accepted()
        #expect(try server.send("GET", "/v1/files/\(file.sha256)").body == content)
        #expect(try anna.stranded().isEmpty)
        try await anna.close()
        try server.stop()
    }

    @Test("Fetched contents make room for one another; what was attached or is pinned stays")
    func room() async throws {
        let server = try TestServer()
        let anna = try await connect(server.address)
        try await anna.firstSync()
        var files: [FileRef] = []
        for number in 0..<6 { files.append(try await anna.attach(bytes(1000, UInt8(number + 1)))) }
        let made = files
        try await anna.write { tx in
            for (number, file) in made.enumerated() {
                try tx.create(Note(text: "n", file: file), at: Key(Name("n\(number)")!))
            }
        }.accepted()
        let bert = try await connect(server.address, "bert", cache: 3500)
        try await bert.firstSync()
        let own = try await bert.attach(bytes(1000, 99))
        for file in files { #expect(try await bert.content(of: file).byteCount == 1000) }
        #expect(try bert.hasContent(of: own))
        func here() throws -> [Int] {
            try files.indices.filter { try bert.hasContent(of: files[$0]) }
        }
        #expect(try here() == [4, 5])
        // What is asked for again stays longer.
        #expect(try await bert.content(of: files[4]).byteCount == 1000)
        #expect(try await bert.content(of: files[0]).byteCount == 1000)
        #expect(try here() == [0, 4])
        let held = try await bert.content(of: files[4])
        for file in files[1...3] { _ = try await bert.content(of: file) }
        #expect(try !bert.hasContent(of: files[4]))
        #expect(try held.bytes() == bytes(1000, 5))
        for db in [anna, bert] { try await db.close() }
        try server.stop()
    }

    @Test("Many askers of many files are all served; what nobody has is refused")
    func askers() async throws {
        let server = try TestServer()
        let anna = try await connect(server.address)
        try await anna.firstSync()
        var files: [FileRef] = []
        for number in 0..<20 { files.append(try await anna.attach(bytes(number * 30_000, 7))) }
        let made = files
        try await anna.write { tx in
            for (number, file) in made.enumerated() {
                try tx.create(Note(text: "n", file: file), at: Key(Name("n\(number)")!))
            }
        }.accepted()
        let bert = try await connect(server.address, "bert")
        try await bert.firstSync()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                for file in made {
                    group.addTask {
                        let content = try await bert.content(of: file)
                        #expect(content.byteCount == Int(file.size))
                    }
                }
            }
            try await group.waitForAll()
        }
        let unknown = FileRef(
            sha256: String(repeating: "0", count: 64),
            size: 1,
            type: "text/plain",
            name: ""
        )
        await expectRefusal(.unknownFile) { _ = try await bert.content(of: unknown) }
        await expectRefusal(.unknownFile) {
            _ = try await bert.content(of: FileRef(sha256: "..", size: 1, type: "", name: ""))
        }
        for type in ["", "png", "image/", "image/p ng", "image/png\r\nx: y", "a/b/c"] {
            await expectRefusal(.badHeader) { _ = try await bert.attach([1], type: type) }
        }
        try await bert.close()
        await #expect(throws: DatabaseError.closed) { try await bert.content(of: files[0]) }
        await #expect(throws: DatabaseError.closed) { try await bert.attach([1]) }
        try await anna.close()
        try server.stop()
    }

    @Test("Who waits for a content when the database is closed, or the task is cancelled, is told")
    func waiters() async throws {
        let server = try TestServer()
        let proxy = TestProxy(to: try port(server))
        let anna = try await connect("127.0.0.1:\(proxy.port)")
        try await anna.firstSync()
        let reference = FileRef(
            sha256: String(repeating: "0", count: 64),
            size: 1,
            type: "text/plain",
            name: ""
        )
        proxy.swallow(true)
        let cancelled = Task { try await anna.content(of: reference).byteCount }
        cancelled.cancel()
        await #expect(throws: DatabaseError.offline) { try await cancelled.value }
        let waiting = Task { try await anna.content(of: reference).byteCount }
        await Task.yield()
        try await anna.close()
        await #expect(throws: DatabaseError.closed) { try await waiting.value }
        proxy.stop()
        try server.stop()
    }
}
