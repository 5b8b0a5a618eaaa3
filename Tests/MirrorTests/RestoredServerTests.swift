// Mirrors of a server that was restored: while it heals they keep what they have and wait; when it
// has given up what it lost, their own lost work comes back as stranded changes.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastServer
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct RestoredServerTests {
    private func label(_ text: String) throws -> HoldfastEmbedded.Key<SessionLabel> {
        Key(try #require(Name(text)))
    }

    private func expectSame(_ db: Database, _ server: TestServer) async throws {
        // The server goes on by itself, as it keeps in commits what devices have confirmed.
        func look(_ store: Store) -> (head: UInt64, chain: Hash128, hashes: [String]) {
            store.read { reader in
                (
                    reader.confirmedHead, reader.confirmedChain,
                    reader.confirmedHashes.map { "\($0.block) \($0.hash)" }.sorted()
                )
            }
        }
        var (mine, theirs) = (look(db.store), look(server.store))
        try await eventually("the mirror is where the server is") {
            (mine, theirs) = (look(db.store), look(server.store))
            return (mine.head, mine.chain) == (theirs.head, theirs.chain)
        }
        #expect(mine.hashes == theirs.hashes)
    }

    /// A server with a mirror that has more than its backup, restored on the same port.
    private struct Scene {
        let folder = MirrorFolder()
        let server: TestServer
        let db: Database
        let other: Database
        let restored: HoldfastRecords.Position
        let lostBin: HoldfastEmbedded.Key<SessionBin>

        init(compacting: Bool = false) async throws {
            let first = try TestServer()
            let port = try #require(UInt16(first.address.split(separator: ":").last ?? ""))
            db = try await folder.connect(first.address)
            other = try await folder.connect(first.address, "other")
            func key(_ text: String) throws -> HoldfastEmbedded.Key<SessionLabel> {
                Key(try #require(Name(text)))
            }
            for mirror in [db, other] { try await mirror.firstSync() }
            // One that has less than the backup.
            let early = try await folder.connect(first.address, "early")
            try await early.firstSync()
            try await early.close()
            for name in ["kept", "changed", "removed"] {
                try await db.write { tx in
                    try tx.create(SessionLabel(text: "before"), at: key(name))
                }.accepted()
            }
            let backups = SimulatedDisk()
            var writer = try BackupWriter(backups, of: first.store.identity)
            let backup = try #require(try first.store.backUp(into: &writer)).backup
            writer.close()
            restored = backup.position
            // Accepted, and not in the backup.
            try await db.write { tx in try tx.update(key("changed")) { $0.text = "mine" } }
                .accepted()
            try await db.write { tx in try tx.update(key("changed")) { $0.text = "mine again" } }
                .accepted()
            try await db.write { tx in try tx.delete(key("removed")) }.accepted()
            let made = try await db.write { tx in try tx.create(SessionBin(place: "A1")) }
            try await made.accepted()
            lostBin = made.value
            try await other.write { tx in
                try tx.create(SessionLabel(text: "theirs"), at: key("theirs"))
            }.accepted()
            let head = first.store.read(\.confirmedHead)
            for mirror in [db, other] {
                // Or more: the server keeps in commits of its own what a device has confirmed.
                try await eventually("all of it is here") {
                    mirror.store.read(\.confirmedHead) >= head
                }
            }
            if compacting { try await db.compact(keeping: .zero) }
            try first.stop()
            let disk = SimulatedDisk()
            _ = try backup.restore(from: backups, to: disk, random: SystemRandom())
            server = try TestServer(disk: disk) { $0.port = port }
        }

        func close() async throws {
            for mirror in [db, other] { try await mirror.close() }
            try server.stop()
        }

        func texts(_ change: StrandedChange) -> [String] {
            change.items.map { item in
                "\(item.key.text) \(item.mine.map { "\($0)" } ?? "removed")"
            }
        }
    }

    @Test("A healing server is waited for: what a mirror has stays, and the operator is told of it")
    func waiting() async throws {
        let scene = try await Scene()
        try await eventually("both have shown what they have") {
            scene.server.store.read { $0.healing?.ahead.count } == 2
        }
        // The last of what came before the server ended may have been taken up just now.
        let mine = scene.db.store.read(\.confirmedPosition)
        let about = try scene.server.send("GET", "/v1").text
        #expect(about.contains("\"healing\":{\"restored\":\"\(scene.restored)\",\"ahead\":[{"))
        #expect(about.contains("\"position\":\"\(mine)\""))
        let metrics = try scene.server.send("GET", "/metrics").text
        #expect(metrics.contains("\nholdfast_healing 1\nholdfast") || metrics.contains("healing 1"))
        #expect(metrics.contains("holdfast_healing_mirrors_ahead 2"))
        let ready = try scene.server.send("GET", "/readyz")
        #expect(ready.status == 503 && ready.text.contains("\"code\":\"healing\""))
        #expect(try scene.server.send("GET", "/v1/records/labels/kept").status == 200)
        // Work goes on here, and waits.
        let key = try label("offline")
        try await scene.db.write { tx in
            try tx.create(SessionLabel(text: "offline"), at: key)
        }
        #expect(try scene.db.record(key)?.meta.pending == true)
        #expect(scene.db.store.read(\.confirmedPosition) == mine)
        #expect(try scene.db.record(label("changed"))?.value.text == "mine again")
        #expect(try scene.db.stranded().isEmpty)
        if case .refused(let why) = scene.db.status { Issue.record("\(why)") }
        // The server is there: whoever waits for it is not told that it cannot be reached.
        let db = scene.db
        async let synced: Void = db.firstSync()
        let answer = try scene.server.send("POST", "/v1/heal?discard=true")
        #expect(answer.status == 200, "\(answer.text)")
        try await synced
        try await eventually("it is accepted") {
            try scene.db.record(key)?.meta.pending == false
        }
        try await scene.close()
    }

    @Test(
        "Given up, a mirror's own lost work is stranded and may be offered again; nothing is doubled",
        arguments: [false, true]
    )
    func discarded(compacting: Bool) async throws {
        let scene = try await Scene(compacting: compacting)
        let (db, server) = (scene.db, scene.server)
        let answer = try server.send("POST", "/v1/heal?discard=true")
        #expect(answer.status == 200, "\(answer.text)")
        try await eventually("both are live") {
            db.status == .live && scene.other.status == .live
        }
        try await expectSame(db, server)
        try await expectSame(scene.other, server)
        let early = try await scene.folder.connect(server.address, "early")
        try await early.firstSync()
        try await expectSame(early, server)
        #expect(try early.stranded().isEmpty)
        try await early.close()
        #expect(try db.record(label("changed"))?.value.text == "before")
        #expect(try db.record(label("removed"))?.value.text == "before")
        let stranded = try db.stranded()
        #expect(stranded.allSatisfy { $0.refusal.code == .lostByRestore })
        #expect(
            stranded.map(scene.texts).sorted { $0.count < $1.count || "\($0)" < "\($1)" } == [
                ["\(scene.lostBin) {\"place\":\"A1\"}"], ["removed.0 removed"],
                ["changed.0 {\"text\":\"mine\"}", "changed.0 {\"text\":\"mine again\"}"],
            ]
        )
        let theirs = try scene.other.stranded()
        #expect(theirs.map(scene.texts) == [["theirs.0 {\"text\":\"theirs\"}"]])
        for change in stranded { try await change.reoffer() }
        try await eventually("all of it is accepted again") {
            try db.stranded().isEmpty
                && db.record(label("changed"))?.meta.pending == false
                && db.record(scene.lostBin)?.meta.pending == false
                && db.record(label("removed")) == nil
        }
        #expect(try db.record(label("changed"))?.value.text == "mine again")
        #expect(try db.record(scene.lostBin)?.value.place == "A1")
        try await expectSame(db, server)
        // Ids go on, and are new.
        let made = try await db.write { tx in try tx.create(SessionBin(place: "B1")) }
        try await made.accepted()
        #expect(made.value != scene.lostBin)
        try await scene.close()
    }

    /// The body of `POST /v1/heal`: what a mirror has after a commit.
    private func tail(of db: Database, after seq: UInt64) throws -> [UInt8] {
        let reader = db.store.logReader()
        var cursor = try #require(try reader.cursor(before: seq + 1))
        var contents: [[UInt8]] = []
        while let frame = try cursor.next() { contents.append(frame.content.array) }
        let hashes = db.store.read(\.confirmedHashes).filter { $0.hash != .zero }
        let tail = HealingTail(
            lineage: db.store.lineage,
            hashes: Dictionary(uniqueKeysWithValues: hashes.map { ($0.block, $0.hash) }),
            contents: contents
        )
        var body = ByteBuffer()
        tail.append(to: &body)
        return body.array
    }

    private func post(_ body: [UInt8], to server: TestServer) throws -> TestReply {
        let client = try TestClient(server.address)
        let head =
            "POST /v1/heal HTTP/1.1\r\nHost: \(server.address)\r\n"
            + "Content-Type: application/octet-stream\r\nContent-Length: \(body.count)\r\n\r\n"
        client.write(Array(head.utf8) + body)
        return try client.read()
    }

    @Test(
        "Handed back by one mirror, lost work is accepted still, and the others go on as they are"
    )
    func handedBack() async throws {
        let scene = try await Scene()
        let (db, server) = (scene.db, scene.server)
        let before = try ["m", "other"].map(scene.folder.directories)
        let early = try await scene.folder.connect(server.address, "early")
        let newcomer = try await scene.folder.connect(server.address, "newcomer")
        let key = try label("offline")
        try await db.write { tx in try tx.create(SessionLabel(text: "offline"), at: key) }
        let body = try tail(of: scene.other, after: scene.restored.seq)
        #expect(try post([1, 2, 3], to: server).status == 422)
        #expect(try post(body, to: server).status == 200)
        #expect(try post(body, to: server).status == 200, "a piece that is sent again")
        #expect(try server.send("GET", "/readyz").status == 503)
        let ended = try server.send("POST", "/v1/heal?discard=true")
        #expect(ended.status == 200, "\(ended.text)")
        let late = try post(body, to: server)
        #expect(late.status == 409 && late.text.contains("not-healing"))
        for mirror in [db, scene.other, early, newcomer] {
            try await mirror.firstSync()
            try await expectSame(mirror, server)
            #expect(try mirror.stranded().isEmpty)
        }
        #expect(try db.record(key)?.meta.pending == false)
        #expect(try db.record(label("changed"))?.value.text == "mine again")
        #expect(try db.record(label("removed")) == nil)
        #expect(try newcomer.record(label("theirs"))?.value.text == "theirs")
        // Nothing was fetched anew.
        #expect(try ["m", "other"].map(scene.folder.directories) == before)
        let made = try await db.write { tx in try tx.create(SessionBin(place: "B1")) }
        try await made.accepted()
        #expect(made.value != scene.lostBin)
        try await early.close()
        try await newcomer.close()
        try await scene.close()
    }

    @Test("Who is ahead even of what was handed back strands that alone")
    func partly() async throws {
        let scene = try await Scene()
        let (db, server) = (scene.db, scene.server)
        // All up to what the other mirror wrote.
        var tail = try self.tail(of: db, after: scene.restored.seq).withView { try HealingTail($0) }
        let lost = try tail.contents.firstIndex { content in
            try content.withView { content in
                let commit = try CommitView(content)
                var isLabel = false
                try commit.forEachBlock { block, _ in
                    if block.name.equals("labels") { isLabel = true }
                }
                return isLabel && commit.user.equals("other")
            }
        }
        tail.contents.removeSubrange(try #require(lost)...)
        tail.hashes = nil
        var body = ByteBuffer()
        tail.append(to: &body)
        #expect(try post(body.array, to: server).status == 200)
        #expect(try server.send("POST", "/v1/heal?discard=true").status == 200)
        for mirror in [db, scene.other] {
            try await mirror.firstSync()
            try await expectSame(mirror, server)
        }
        #expect(try db.stranded().isEmpty)
        #expect(try db.record(label("changed"))?.value.text == "mine again")
        let theirs = try scene.other.stranded()
        #expect(theirs.map(scene.texts) == [["theirs.0 {\"text\":\"theirs\"}"]])
        #expect(theirs.allSatisfy { $0.refusal.code == .lostByRestore })
        try await scene.close()
    }
}
