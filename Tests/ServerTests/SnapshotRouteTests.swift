// The snapshot over HTTP: made, listed, fetched whole and in pieces; and compaction by itself.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import HoldfastServer

@Suite(.serialized) struct SnapshotRouteTests {
    private static let options = LogOptions(segmentByteCount: 8 << 10, growByteCount: 1 << 10)

    private func fill(_ store: Store, _ range: Range<Int>) {
        if range.lowerBound == 0 {
            let define = HoldfastRecords.Operation.defineTree(
                MirrorServerTests.bins,
                TreeDefinition(keys: .name)
            )
            _ = store.submit(
                Change(id: MirrorServerTests.id(1), operations: [define]),
                by: MirrorServerTests.caller
            )
        }
        for number in range {
            let change = Change(
                id: MirrorServerTests.id(100 + UInt64(number)),
                operations: [MirrorServerTests.put("r\(number % 50)-\(number)", "\(number)")]
            )
            _ = store.submit(change, by: MirrorServerTests.caller)
        }
        store.syncStep()
    }

    private func document(_ server: TestServer) throws -> SnapshotDocument {
        let reply = try server.send("GET", "/v1/snapshot")
        #expect(reply.status == 200)
        return try reply.body.withView { try SnapshotDocument($0) }
    }

    private func about(_ server: TestServer) throws -> ServerDocument {
        try server.send("GET", "/v1").body.withView { try ServerDocument($0) }
    }

    @Test("A snapshot is made on demand; its parts are what their names say")
    func made() throws {
        let server = try TestServer(options: Self.options)
        #expect(try about(server).snapshot == nil)
        let none = try server.send("GET", "/v1/snapshot")
        #expect(none.status == 404 && none.text.contains("unknown-snapshot"))
        fill(server.store, 0..<300)
        let made = try server.send("POST", "/v1/snapshot")
        #expect(made.status == 200 && made.text.contains("\"held\":false"), "\(made.text)")
        let document = try document(server)
        let about = try about(server)
        #expect(about.snapshot == document.position && document.position.seq == about.head.seq)
        #expect(made.text.hasPrefix("{\"snapshot\":\"\(document.position)\""))
        // Thirty days of history stay.
        #expect(about.oldest.seq == 0)
        for part in document.parts {
            let reply = try server.send("GET", "/v1/snapshot/\(part.digest)")
            #expect(reply.status == 200 && reply.body.count == part.byteCount)
            #expect(reply.body.withView { SHA256.digest($0) } == part.digest)
            #expect(reply.headers["etag"] == "\"\(part.digest)\"")
        }
        for (path, status) in [
            ("/v1/snapshot/\(String(repeating: "0", count: 64))", 404), ("/v1/snapshot/ab", 400),
            ("/v1/snapshot/\(document.parts[0].digest)?x=1", 400),
        ] {
            #expect(try server.send("GET", path).status == status)
        }
        #expect(try server.send("POST", "/v1/snapshot", body: "{\"x\":1}").status == 422)
        try server.stop()
    }

    @Test("Ranges of a part, as RFC 9110 has them")
    func ranges() throws {
        let server = try TestServer()
        fill(server.store, 0..<100)
        #expect(try server.send("POST", "/v1/snapshot").status == 200)
        let part = try #require(
            try document(server).parts.max { $0.byteCount < $1.byteCount }
        )
        let path = "/v1/snapshot/\(part.digest)"
        let size = part.byteCount
        let whole = try server.send("GET", path).body
        func get(_ headers: [(String, String)]) throws -> TestReply {
            try server.send("GET", path, headers: headers)
        }
        for (field, range) in [
            ("bytes=0-0", 0..<1), ("bytes=10-19", 10..<20), ("bytes=5-", 5..<size),
            ("bytes=-7", size - 7..<size), ("BYTES=0-\(size * 2)", 0..<size),
            ("bytes=-\(size * 2)", 0..<size),
        ] {
            let reply = try get([("Range", field)])
            #expect(reply.status == 206, "\(field)")
            #expect(reply.body == Array(whole[range]), "\(field)")
            let place = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
            #expect(reply.headers["content-range"] == place)
        }
        for field in ["bytes=\(size)-", "bytes=\(size)-\(size + 5)", "bytes=-0"] {
            let reply = try get([("Range", field)])
            #expect(reply.status == 416 && reply.text.contains("bad-range"), "\(field)")
            #expect(reply.headers["content-range"] == "bytes */\(size)")
        }
        for field in ["bytes=1-2,5-6", "lines=1-2", "bytes=2-1", "bytes=-", "bytes=a-b", "x"] {
            let reply = try get([("Range", field)])
            #expect(reply.status == 200 && reply.body == whole, "\(field)")
        }
        let own = "\"\(part.digest)\""
        #expect(try get([("Range", "bytes=0-3"), ("If-Range", own)]).status == 206)
        for tag in ["\"other\"", "W/\(own)", "Sat, 21 Nov 2026 20:00:00 GMT"] {
            #expect(try get([("Range", "bytes=0-3"), ("If-Range", tag)]).status == 200)
        }
        #expect(try get([("If-None-Match", own)]).status == 304)
        let head = try TestClient(server.address).send("HEAD", path, headers: [], body: nil)
        #expect(head.status == 200 && head.headers["content-length"] == "\(size)")
        try server.stop()
    }

    @Test("The log is cut by itself when what can go outweighs what stands")
    func automatic() throws {
        let server = try TestServer(options: Self.options) { configuration in
            configuration.compactionSeconds = 0.005
            configuration.compaction.historySeconds = 0
            configuration.compaction.historyByteCount = 0
        }
        fill(server.store, 0..<300)
        while server.store.read({ $0.oldest.seq }) == 0 {}
        #expect(server.store.manifest != nil)
        let none = "holdfast_compaction_duration_seconds_count 0"
        while try server.send("GET", "/metrics").text.contains(none) {}
        // A reader of changes from before is told; the feed of what is there goes on.
        let epoch = try about(server).head.epoch
        let old = try server.send("GET", "/v1/changes?since=\(epoch):1")
        #expect(old.status == 410 && old.text.contains("compacted"))
        try server.stop()
    }

    private func expect(
        _ isFilling: Bool,
        _ forecast: inout DiskForecast,
        _ bench: StoreBench,
        at line: SourceLocation = #_sourceLocation
    ) {
        let found = forecast.isFilling(bench.store)
        #expect(found == isFilling, sourceLocation: line)
    }

    @Test("A disk that will be full within a day is seen coming, a burst of a minute is not")
    func forecast() throws {
        let (disk, time) = (SimulatedDisk(), FakeTime())
        let bench = try StoreBench(disk, time: time, options: Self.options)
        var forecast = DiskForecast(time)
        fill(bench.store, 0..<100)
        expect(false, &forecast, bench)
        // Some 30 kB a minute are 43 MB a day.
        disk.limit(byteCount: 32 << 20 + 400 << 20)
        for minute in 1...30 {
            time.advance(milliseconds: 60_000)
            fill(bench.store, minute * 100..<(minute + 1) * 100)
            expect(false, &forecast, bench)
        }
        disk.limit(byteCount: 32 << 20 + 100 << 20)
        var hasSeen = false
        for minute in 1...30 where !hasSeen {
            time.advance(milliseconds: 60_000)
            fill(bench.store, 10_000 + minute * 500..<10_000 + (minute + 1) * 500)
            hasSeen = forecast.isFilling(bench.store)
        }
        #expect(hasSeen)
        // With next to no room nothing is waited for.
        disk.limit(byteCount: 32 << 20 + 400 << 20)
        var other = DiskForecast(time)
        expect(false, &other, bench)
        disk.limit(byteCount: 32 << 20 + 1 << 20)
        expect(true, &other, bench)
    }
}
