// A mirror whose token opens other trees than before: what it may not read goes, what it may comes,
// and nothing that was written here is lost.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

private struct Sheet: HoldfastEmbedded.Record, Hashable {
    typealias ID = Name
    var file: FileRef

    static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<Sheet>) {
        tree.name = "sheets"
        tree.borrow = .optional
    }
}

@Suite(.serialized) struct TokenRightsTests {
    private static let marker = "Pl4nted"
    /// Some of them are long, each in a commit of its own: a copy comes in several messages.
    private static let longCount = 3
    private static let labelCount = 60 + longCount

    /// A server with bins and labels, and the token of one who mirrors it.
    private final class Scene {
        let folder = MirrorFolder()
        private let disk = SimulatedDisk()
        private(set) var server: TestServer
        private let port: UInt16
        private let admin: String
        private let id: UniqueID
        private let secret: String
        let bin: HoldfastEmbedded.Key<SessionBin>

        init(_ rights: Rights) async throws {
            server = try TestServer(disk: disk) { $0.heartbeatSeconds = 0.3 }
            port = try #require(UInt16(server.address.split(separator: ":").last ?? ""))
            admin = try server.giveToken("op", Rights(everywhere: Set(Right.allCases))).secret
            (id, secret) = try server.giveToken("anna", rights)
            let all = try await Self.connect("op", admin, folder, port, .all)
            try await all.firstSync()
            for number in 0..<TokenRightsTests.longCount {
                let key = Key<SessionLabel>(try #require(Name("long-\(number)")))
                let text = String(repeating: "x", count: 160 << 10)
                try await all.write { tx in try tx.create(SessionLabel(text: text), at: key) }
                    .accepted()
            }
            let made = try await all.write { tx in
                for number in TokenRightsTests.longCount..<TokenRightsTests.labelCount {
                    let key = Key<SessionLabel>(try #require(Name("label-\(number)")))
                    let text = TokenRightsTests.marker + "-\(number)"
                    try tx.create(SessionLabel(text: text), at: key)
                }
                return try tx.create(SessionBin(place: "A1"))
            }
            try await made.accepted()
            bin = made.value
            try await all.close()
        }

        private static func connect(
            _ name: String,
            _ token: String,
            _ folder: MirrorFolder,
            _ port: UInt16,
            _ copying: MirroredTrees
        ) async throws -> Database {
            try await Database.connect(
                to: "http://127.0.0.1:\(port)",
                token: token,
                mirror: folder.path + "/" + name,
                application: "stockroom",
                trees: [SessionBin.self, SessionLabel.self, Sheet.self],
                copying: copying
            )
        }

        /// One who may do everything.
        func whole() async throws -> Database {
            try await Self.connect("op", admin, folder, port, .all)
        }

        func connect(
            _ copying: MirroredTrees = .all,
            _ name: String = "m"
        ) async throws -> Database {
            try await Self.connect(name, secret, folder, port, copying)
        }

        /// A mirror that has everything there is for it, and is closed.
        func mirrored(_ copying: MirroredTrees = .all) async throws {
            let db = try await connect(copying)
            try await db.firstSync()
            try await db.close()
        }

        /// Gives the token other rights.
        func change(_ rights: Rights) throws { try server.submit(.change(id, rights)) }

        func stop() throws { try server.stop() }

        func start() throws {
            server = try TestServer(disk: disk) { [port] configuration in
                configuration.port = port
                configuration.heartbeatSeconds = 0.3
            }
        }

        func status(_ path: String) throws -> Int {
            try server.send("GET", path, headers: [("Authorization", "Bearer " + admin)]).status
        }

        func put(_ name: String, _ text: String) throws {
            let reply = try server.send(
                "PUT",
                "/v1/records/labels/" + name,
                headers: [
                    ("Authorization", "Bearer " + admin), ("If-None-Match", "*"),
                    ("Content-Type", "application/json"),
                ],
                body: "{\"text\":\"\(text)\"}"
            )
            #expect(reply.status == 201)
        }

        /// Whether any file of the mirror holds some text.
        func holds(_ text: String) throws -> Bool {
            let directory = folder.path + "/m"
            for file in try FileManager.default.subpathsOfDirectory(atPath: directory) {
                guard let data = FileManager.default.contents(atPath: directory + "/" + file)
                else { continue }
                if data.range(of: Data(text.utf8)) != nil { return true }
            }
            return false
        }
    }

    /// What a live query gave so far.
    private final class Watch<R: HoldfastEmbedded.Record & Sendable>: Sendable {
        private let counts = Lock<[Int]>([])
        private let task: Task<Void, any Error>

        init(_ db: Database, _ type: R.Type) {
            let counts = self.counts
            task = Task {
                for try await live in db.tree(type).all.live() {
                    counts.withLock { $0.append(live.rows.count) }
                }
            }
        }

        var last: Int? { counts.withLock(\.last) }
        var least: Int? { counts.withLock { $0.min() } }

        func end() async { _ = await task.result }
    }

    private static let (bins, labels) = (tree("bins"), tree("labels"))

    private static func tree(_ name: String) -> TreeName {
        guard let tree = TreeName(name) else { preconditionFailure("no tree's name") }
        return tree
    }

    private static let both = Rights(trees: [bins: [.write], labels: [.write]])
    private static let binsAlone = Rights(trees: [bins: [.write]])
    private static let neither = Rights(trees: [tree("others"): [.write]])

    private static func path(_ key: HoldfastEmbedded.Key<SessionBin>) -> String {
        "/v1/records/bins/" + "\(key)".prefix { $0 != "." }
    }

    private let label: HoldfastEmbedded.Key<SessionLabel> = "label-7"

    /// Labels are not to be had any more, bins are.
    private func expectNoLabels(_ db: Database, _ scene: Scene) throws {
        #expect(try db.record(label) == nil)
        #expect(try db.tree(SessionLabel.self).all.fetch().isEmpty)
        #expect(throws: DatabaseError.self) { try db.anyTree("labels") }
        #expect(try db.record(scene.bin)?.value.place != nil)
    }

    private func isUnknownTree(_ error: any Error) -> Bool {
        guard case DatabaseError.refused(let refusal) = error else { return false }
        return refusal.code == .unknownTree
    }

    @Test("Rights that are narrowed under a mirror take the trees with them, for ever")
    func narrowed() async throws {
        let scene = try await Scene(Self.both)
        var db = try await scene.connect()
        try await db.firstSync()
        #expect(try db.record(label)?.value.text == Self.marker + "-7")
        let (labels, bins) = (Watch(db, SessionLabel.self), Watch(db, SessionBin.self))
        try await eventually("the queries have rows") {
            labels.last == Self.labelCount && bins.last == 1
        }
        try scene.change(Self.binsAlone)
        try await eventually("the query tells of it") { labels.last == 0 }
        try await eventually("the mirror goes on") { db.status == .live }
        try expectNoLabels(db, scene)
        #expect(bins.least == 1)
        // It was made of what was here.
        #expect(db.store.manifest != nil && scene.server.store.manifest == nil)
        await #expect {
            try await db.write { tx in try tx.create(SessionLabel(text: "x"), at: "new") }
        } throws: { isUnknownTree($0) }
        // It follows, and writes what it may.
        try scene.put("later", Self.marker + "-later")
        let made = try await db.write { tx in try tx.create(SessionBin(place: "B1")) }
        try await made.accepted()
        #expect(try scene.status(Self.path(made.value)) == 200)
        try await db.close()
        for watch in [labels.end, bins.end] { await watch() }
        #expect(try !scene.holds(Self.marker))
        #expect(try scene.folder.directories("m") == ["copy.2", "outbox"])
        // Without the server too.
        try scene.stop()
        db = try await scene.connect()
        try expectNoLabels(db, scene)
        #expect(try db.tree(SessionBin.self).all.fetch().count == 2)
        try await db.close()
    }

    @Test("Rights narrowed while a mirror was closed: what it has serves until it is told")
    func narrowedMeanwhile() async throws {
        let scene = try await Scene(Self.both)
        try await scene.mirrored(.listed)
        try scene.change(Self.binsAlone)
        try scene.stop()
        var db = try await scene.connect(.listed)
        #expect(try db.record(label)?.value.text == Self.marker + "-7")
        try await db.close()
        #expect(try scene.holds(Self.marker))
        try scene.start()
        db = try await scene.connect(.listed)
        try await db.firstSync()
        try expectNoLabels(db, scene)
        try await db.close()
        #expect(try !scene.holds(Self.marker))
        // The same choice opens without the server, though the copy has less.
        try scene.stop()
        db = try await scene.connect(.listed)
        try expectNoLabels(db, scene)
        try await db.close()
    }

    @Test("What was written offline to a tree that goes is stranded, and can be offered again")
    func pending() async throws {
        let scene = try await Scene(Self.both)
        try await scene.mirrored()
        try scene.stop()
        var db = try await scene.connect()
        try await db.write { tx in try tx.update(label) { $0.text = "mine" } }
        try await db.write { tx in try tx.update(label) { $0.text = "mine again" } }
        let shared = try await db.write { tx in
            try tx.create(SessionLabel(text: "of both"), at: "both")
            return try tx.create(SessionBin(place: "both"))
        }
        let alone = try await db.write { tx in try tx.create(SessionBin(place: "alone")) }
        try await db.close()
        try scene.start()
        try scene.change(Self.binsAlone)
        db = try await scene.connect()
        try await db.firstSync()
        try await eventually("the bin alone is accepted") {
            try db.record(alone.value)?.meta.pending == false
        }
        try await eventually("the others are stranded") { try db.stranded().count == 2 }
        #expect(try scene.status(Self.path(alone.value)) == 200)
        #expect(try scene.status(Self.path(shared.value)) == 404)
        #expect(try db.record(shared.value) == nil)
        try expectNoLabels(db, scene)
        let stranded = try db.stranded()
        for change in stranded {
            #expect(change.refusal.code == .unknownTree)
            #expect("\(change.refusal)".contains("labels") && "\(change.refusal)".contains("token"))
            // What stood there is gone; what was written is not.
            #expect(change.items.allSatisfy { $0.base == nil && $0.current == nil })
        }
        #expect(stranded.flatMap(\.items).compactMap(\.mine).count == 4)
        // With the rights it can be offered again.
        try scene.change(Self.both)
        try await eventually("the labels are back") {
            try db.record(label)?.value.text == Self.marker + "-7" && db.status == .live
        }
        for change in try db.stranded() { try await change.reoffer().accepted() }
        #expect(try db.record(label)?.value.text == "mine again")
        let both: HoldfastEmbedded.Key<SessionLabel> = "both"
        #expect(try db.record(both)?.value.text == "of both")
        #expect(try db.stranded().isEmpty)
        try await db.close()
        try scene.stop()
    }

    @Test(
        "Rights that are widened bring trees in, beside what is read meanwhile",
        arguments: [MirroredTrees.all, .listed],
        [false, true]
    )
    func widened(_ copying: MirroredTrees, fromSnapshot: Bool) async throws {
        let scene = try await Scene(Self.binsAlone)
        if fromSnapshot { try scene.server.store.compact() }
        var db = try await scene.connect(copying)
        try await db.firstSync()
        try expectNoLabels(db, scene)
        let (labels, bins) = (Watch(db, SessionLabel.self), Watch(db, SessionBin.self))
        try await eventually("the queries have begun") { labels.last == 0 && bins.last == 1 }
        let made = try await db.write { tx in try tx.create(SessionBin(place: "B1")) }
        try scene.change(Self.both)
        try await eventually("they come") { labels.last == Self.labelCount }
        try await eventually("the mirror is live") { db.status == .live }
        // At once, and nothing else went meanwhile.
        #expect(labels.least == 0 && bins.least == 1)
        #expect(try db.record(made.value)?.value.place == "B1")
        try await db.write { tx in try tx.update(label) { $0.text = "mine" } }.accepted()
        try await db.close()
        for watch in [labels.end, bins.end] { await watch() }
        #expect(try scene.folder.directories("m").count == 2)
        try scene.stop()
        db = try await scene.connect(copying)
        #expect(try db.record(label)?.value.text == "mine")
        #expect(try db.tree(SessionBin.self).all.fetch().count == 2)
        try await db.close()
    }

    @Test("Rights that were widened while a mirror was closed bring trees in before the first sync")
    func widenedMeanwhile() async throws {
        let scene = try await Scene(Self.binsAlone)
        try await scene.mirrored(.listed)
        try scene.change(Self.both)
        let db = try await scene.connect(.listed)
        try await db.firstSync()
        #expect(try db.tree(SessionLabel.self).all.fetch().count == Self.labelCount)
        try await db.close()
        try scene.stop()
    }

    @Test("A token that opens none of the trees ends the mirror; what waits is sent later")
    func nothingLeft() async throws {
        let scene = try await Scene(Self.both)
        try await scene.mirrored()
        try scene.stop()
        var db = try await scene.connect()
        let made = try await db.write { tx in try tx.create(SessionBin(place: "waits")) }
        try await db.close()
        try scene.start()
        try scene.change(Self.neither)
        db = try await scene.connect(.listed)
        try await eventually("it is told") {
            if case .refused(let why) = db.status { why.contains("opens none") } else { false }
        }
        await #expect(throws: DatabaseError.self) { try await db.firstSync() }
        #expect(try db.record(label) == nil)
        #expect(try db.record(scene.bin) == nil)
        try await db.close()
        #expect(try !scene.holds(Self.marker))
        // A mirror that is new has nothing to open.
        await #expect {
            _ = try await scene.connect(.listed, "new")
        } throws: { error in
            guard case DatabaseError.refused(let refusal) = error else { return false }
            return refusal.code == .forbidden
        }
        try scene.stop()
        db = try await scene.connect(.listed)
        #expect(try db.tree(SessionLabel.self).all.fetch().isEmpty)
        try await db.close()
        try scene.start()
        try scene.change(Self.both)
        db = try await scene.connect(.listed)
        try await db.firstSync()
        #expect(try db.tree(SessionLabel.self).all.fetch().count == Self.labelCount)
        try await eventually("what waited is accepted") {
            try db.record(made.value)?.meta.pending == false
        }
        #expect(try db.stranded().isEmpty)
        try await db.close()
        try scene.stop()
    }

    @Test("Rights that go back and forth lose no change and do none twice")
    func backAndForth() async throws {
        let scene = try await Scene(Self.both)
        let db = try await scene.connect()
        try await db.firstSync()
        let labels = Watch(db, SessionLabel.self)
        let isOver = Lock(false)
        let bin = scene.bin
        let writing = Task {
            var made: Set<HoldfastEmbedded.Key<SessionBin>> = [bin]
            while !isOver.withLock(\.self) {
                let place = "\(made.count)"
                made.insert(
                    try await db.write { tx in try tx.create(SessionBin(place: place)) }.value
                )
                try await Task.sleep(for: .milliseconds(1))
            }
            return made
        }
        for round in 0..<6 {
            try scene.change(round.isMultiple(of: 2) ? Self.binsAlone : Self.both)
            try await eventually("they go and come") {
                labels.last == (round.isMultiple(of: 2) ? 0 : Self.labelCount)
            }
        }
        isOver.withLock { $0 = true }
        let made = try await writing.value
        let all = db.tree(SessionBin.self)
        try await eventually("all is accepted") {
            try all.all.fetch().allSatisfy { !$0.meta.pending } && db.status == .live
        }
        #expect(try Set(all.all.fetch().map(\.key)) == made)
        #expect(try db.stranded().isEmpty)
        let theirs = scene.server.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        for (block, hash) in db.store.read(\.confirmedHashes) where block.tree == Self.bins {
            #expect(theirs.contains("\(block) \(hash)"))
        }
        try await db.close()
        await labels.end()
        try scene.stop()
    }

    @Test("Contents of files that only trees named which go are gone, what is attached here stays")
    func files() async throws {
        let sheets = Self.tree("sheets")
        let scene = try await Scene(Rights(trees: [Self.bins: [.write], sheets: [.write]]))
        let all = try await scene.whole()
        let theirs = try await all.attach(Array("theirs".utf8), type: "text/plain", name: "a")
        try await all.write { tx in try tx.put(Sheet(file: theirs), at: "s1") }.accepted()
        try await all.close()
        let db = try await scene.connect()
        try await db.firstSync()
        #expect(try await db.content(of: theirs).bytes() == Array("theirs".utf8))
        let mine = try await db.attach(Array("mine".utf8), type: "text/plain", name: "b")
        try scene.change(Self.binsAlone)
        try await eventually("it is gone") { try !db.hasContent(of: theirs) }
        #expect(try db.hasContent(of: mine))
        #expect(try db.tree(Sheet.self).all.fetch().isEmpty)
        try await db.close()
        try scene.stop()
    }

    @Test("Rights that are narrowed to reading leave the trees, and refuse the writes")
    func reading() async throws {
        let scene = try await Scene(Self.both)
        let db = try await scene.connect()
        try await db.firstSync()
        try scene.change(Rights(trees: [Self.bins: [.write], Self.labels: [.read]]))
        let copy = try scene.folder.directories("m")
        let made = try await db.write { tx in try tx.create(SessionBin(place: "B1")) }
        try await made.accepted()
        try await db.write { tx in try tx.update(label) { $0.text = "mine" } }
        try await eventually("it is stranded") { try db.stranded().count == 1 }
        #expect(try db.stranded().first?.refusal.code == .forbidden)
        try await eventually("the server's label is shown") {
            try db.record(label)?.value.text == Self.marker + "-7"
        }
        try await eventually("the mirror goes on") { db.status == .live }
        #expect(try scene.folder.directories("m") == copy)
        try await db.close()
        try scene.stop()
    }
}
