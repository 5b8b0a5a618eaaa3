// A mirror that goes on from its server's snapshot: the first time, and when the server's log does
// not reach back to it any more.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct RenewalTests {
    private static let options = LogOptions(segmentByteCount: 8 << 10, growByteCount: 4 << 10)
    private static let sizes = PartSizes(least: 2 << 10, most: 16 << 10, mask: 7)

    /// Reads events one by one.
    private final class EventReader {
        private var iterator: Updates<Event>.AsyncIterator

        init(_ events: Updates<Event>) { iterator = events.makeAsyncIterator() }

        func read(_ count: Int) async throws {
            for _ in 0..<count { _ = try await iterator.next() }
        }

        /// What stood before the changes of all events that can be read still; then the log is
        /// gone.
        func readToTheEnd() async throws -> [String] {
            var before: [String] = []
            do {
                while let event = try await iterator.next() {
                    for change in event.changes {
                        if let document = change.before { before.append("\(document)") }
                    }
                }
                Issue.record("events that are gone ended quietly")
            } catch {
                #expect("\(error)".contains("compacted"))
            }
            return before
        }
    }

    private func label(_ number: Int) throws -> HoldfastEmbedded.Key<SessionLabel> {
        Key(try #require(Name("label-\(number)")))
    }

    private func port(_ address: String) throws -> UInt16 {
        try #require(UInt16(address.split(separator: ":").last ?? ""))
    }

    private func put(_ server: TestServer, _ numbers: Range<Int>, _ text: String) throws {
        let client = try TestClient(server.address)
        for number in numbers {
            let path = "/v1/records/labels/label-\(number)"
            let tag = try client.send("GET", path).headers["etag"]
            let reply = try client.send(
                "PUT",
                path,
                headers: [
                    tag.map { ("If-Match", $0) } ?? ("If-None-Match", "*"),
                    ("Content-Type", "application/json"),
                ],
                body: "{\"text\":\"\(text)\"}"
            )
            #expect(reply.status == (tag == nil ? 201 : 200), "\(reply.text)")
        }
    }

    /// A server whose trees a mirror has declared, with labels.
    private func server(
        _ disk: SimulatedDisk,
        _ folder: MirrorFolder,
        labelCount: Int
    ) async throws -> TestServer {
        let server = try TestServer(disk: disk, options: Self.options)
        let db = try await folder.connect(server.address, "declarer")
        try await db.firstSync()
        try await db.close()
        try put(server, 0..<labelCount, "first")
        return server
    }

    /// How many parts were asked for, as the server counts.
    private func fetchedCount(_ server: TestServer) throws -> Int {
        let text = try server.send("GET", "/metrics").text
        let sample = #"holdfast_http_requests_total{route="/v1/snapshot/{sha256}",code="206"} "#
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(sample) }) else {
            return 0
        }
        return try #require(Int(line.dropFirst(sample.count)))
    }

    /// Both sides hold the same records, by their hashes.
    private func expectSame(_ db: Database, _ server: TestServer) async throws {
        try await eventually("the mirror is where the server is") {
            let theirs = server.store.read { ($0.confirmedHead, $0.confirmedChain) }
            let mine = db.store.read { ($0.confirmedHead, $0.confirmedChain) }
            return mine == theirs
        }
        let theirs = server.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        let mine = db.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        #expect(mine.sorted() == theirs.sorted())
    }

    @Test("A first sync takes the snapshot, then the commits behind it")
    func first() async throws {
        let folder = MirrorFolder()
        let server = try await server(SimulatedDisk(), folder, labelCount: 300)
        let report = try #require(try server.store.compact(sizes: Self.sizes))
        #expect(report.oldest > 1 && report.checkpoint.partCount > 5)
        try put(server, 290..<310, "second")
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        #expect(db.status == .live)
        try await expectSame(db, server)
        #expect(try db.record(label(7))?.value.text == "first")
        #expect(try db.record(label(300))?.value.text == "second")
        #expect(db.store.manifest?.seq == report.checkpoint.seq)
        #expect(try folder.directories() == ["copy.2", "outbox"])
        try await db.write { tx in try tx.update(label(7)) { $0.text = "mine" } }.accepted()
        try await db.close()
        // It goes on from what it has, after a restart too.
        let before = try fetchedCount(server)
        let again = try await folder.connect(server.address)
        try await again.firstSync()
        try await expectSame(again, server)
        #expect(try again.record(label(7))?.value.text == "mine")
        #expect(try fetchedCount(server) == before)
        try await again.close()
        try server.stop()
    }

    @Test("A mirror behind the log takes the parts it lacks; what pends is delivered")
    func behind() async throws {
        let disk = SimulatedDisk()
        let folder = MirrorFolder()
        var server = try await server(disk, folder, labelCount: 300)
        try server.store.compact(sizes: Self.sizes)
        var db = try await folder.connect(server.address)
        try await db.firstSync()
        let fetched = try fetchedCount(server)
        try await db.close()
        try server.stop()
        // Alone, it goes on working.
        db = try await folder.connect(server.address)
        let made = try await db.write { tx in
            try tx.create(SessionLabel(text: "alone"), at: "alone")
            return try tx.create(SessionBin(place: "A1"))
        }
        try await db.write { tx in try tx.update(label(299)) { $0.text = "alone" } }
        try await db.close()
        // Meanwhile the server's log moves past it; a few records change.
        server = try TestServer(disk: disk, options: Self.options)
        for round in 0..<30 { try put(server, 0..<5, "round \(round)") }
        let report = try #require(try server.store.compact(sizes: Self.sizes))
        #expect(report.checkpoint.writtenCount < report.checkpoint.partCount / 2)
        db = try await folder.connect(server.address)
        try await db.firstSync()
        try await eventually("what pended is accepted") {
            try db.record(label(299))?.meta.pending == false
                && db.record(made.value)?.meta.pending == false
        }
        try await expectSame(db, server)
        #expect(try db.record(label(299))?.value.text == "alone")
        #expect(try db.record(label(3))?.value.text == "round 29")
        #expect(try db.stranded().isEmpty)
        // Only what changed was fetched.
        let count = try fetchedCount(server)
        #expect(count > 0 && count < fetched / 2, "\(count) of \(fetched)")
        try await db.close()
        try server.stop()
    }

    @Test(
        "A copy is replaced under an open database: reads, indexes, events and live queries see it"
    )
    func underReaders() async throws {
        let disk = SimulatedDisk()
        let folder = MirrorFolder()
        var server = try await server(disk, folder, labelCount: 100)
        let port = try port(server.address)
        for round in 0..<5 { try put(server, 0..<5, "again \(round)") }
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        #expect(try db.record(label(3))?.value.text == "again 4")
        let now = EventReader(db.events())
        // One that is in the middle of the old log when it is replaced.
        let epoch = try #require(server.store.lineage.first?.epoch.rawValue)
        let slow = EventReader(db.events(since: HoldfastEmbedded.Position(epoch: epoch, seq: 0)))
        try await slow.read(10)
        let seen = Lock<[String]>([])
        let third = try label(3)
        let query = Task {
            for try await live in db.tree(SessionLabel.self).all.live() {
                let text = live.rows.first { $0.key == third }?.value.text
                seen.withLock { $0.append(text ?? "none") }
            }
        }
        try await eventually("the query shows it") { seen.withLock { $0.last == "again 4" } }
        try server.stop()
        // While it is out of reach of this mirror, the server goes on and is compacted.
        server = try TestServer(disk: disk, options: Self.options)
        for round in 0..<30 { try put(server, 0..<5, "round \(round)") }
        try put(server, 100..<103, "new")
        try server.store.compact(sizes: Self.sizes)
        try server.stop()
        server = try TestServer(disk: disk, options: Self.options) { $0.port = port }
        try await eventually("the mirror is live again") {
            try db.status == .live && db.record(label(102)) != nil
        }
        try await expectSame(db, server)
        #expect(try db.record(label(3))?.value.text == "round 29")
        try await eventually("the query shows the last") {
            seen.withLock { $0.last == "round 29" }
        }
        for reader in [now, slow] {
            let before = try await reader.readToTheEnd()
            // What stood before is not known any more, or what it was.
            #expect(before.allSatisfy { $0.contains("first") || $0.contains("again") })
        }
        let made = try await db.write { tx in try tx.update(label(3)) { $0.text = "mine" } }
        try await made.accepted()
        #expect(try folder.directories() == ["copy.2", "outbox"])
        try await db.close()
        _ = await query.result
        try server.stop()
    }

    @Test("A mirror of chosen trees takes their parts alone, and follows from there")
    func chosen() async throws {
        let folder = MirrorFolder()
        let server = try await server(SimulatedDisk(), folder, labelCount: 200)
        let writer = try await folder.connect(server.address, "writer")
        try await writer.firstSync()
        for number in 0..<100 {
            try await writer.write { tx in
                try tx.create(SessionBin(place: "SECRET-PLACE-\(number)"))
            }.accepted()
        }
        try server.store.compact(sizes: Self.sizes)
        func connect() async throws -> Database {
            try await Database.connect(
                to: "http://" + server.address,
                mirror: folder.path + "/chosen",
                application: "stockroom",
                trees: [SessionLabel.self],
                copying: .listed,
                user: "chosen"
            )
        }
        let db = try await connect()
        try await db.firstSync()
        #expect(db.store.manifest != nil)
        try await writer.write { tx in
            try tx.create(SessionBin(place: "SECRET-PLACE-LATER"))
        }.accepted()
        try put(server, 0..<3, "second")
        try await eventually("it follows") { try db.record(label(2))?.value.text == "second" }
        let theirs = server.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        let mine = db.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        let zero = Hash128.zero.description
        for line in mine where line.hasPrefix("labels ") || line.hasPrefix("_trees ") {
            #expect(theirs.contains(line))
        }
        #expect(mine.contains { $0.hasPrefix("labels ") && !$0.hasSuffix(zero) })
        #expect(!mine.contains { $0.hasPrefix("bins ") && !$0.hasSuffix(zero) })
        try await db.close()
        // No byte of the other tree is on its disk.
        let enumerator = FileManager.default.enumerator(atPath: folder.path + "/chosen")
        var fileCount = 0
        while let name = enumerator?.nextObject() as? String {
            guard let data = FileManager.default.contents(atPath: folder.path + "/chosen/" + name)
            else { continue }
            fileCount += 1
            #expect(data.range(of: Data("SECRET-PLACE".utf8)) == nil, "\(name)")
        }
        #expect(fileCount > 5)
        let again = try await connect()
        try await again.firstSync()
        #expect(try again.record(label(2))?.value.text == "second")
        for database in [again, writer] { try await database.close() }
        try server.stop()
    }

    @Test("A server in its second epoch is mirrored, from its log and from its snapshot")
    func epochs() async throws {
        let disk = SimulatedDisk()
        let folder = MirrorFolder()
        var loose = Self.options
        loose.syncing = .every(milliseconds: 60_000)
        var server = try TestServer(disk: disk, options: loose)
        let db = try await folder.connect(server.address, "declarer")
        try await db.firstSync()
        try await db.close()
        try put(server, 0..<100, "first")
        // The machine stops: commits that were seen may be lost, so the numbers go on under a new
        // epoch.
        let image = disk.copy()
        try server.stop()
        server = try TestServer(disk: image, options: Self.options)
        #expect(server.store.lineage.count == 2)
        try put(server, 100..<200, "second")
        let early = try await folder.connect(server.address, "early")
        try await early.firstSync()
        try await expectSame(early, server)
        try server.store.compact(sizes: Self.sizes)
        let late = try await folder.connect(server.address, "late")
        try await late.firstSync()
        try await expectSame(late, server)
        #expect(late.store.lineage == server.store.lineage)
        #expect(early.store.lineage == server.store.lineage)
        for db in [early, late] { try await db.close() }
        try server.stop()
    }
}
