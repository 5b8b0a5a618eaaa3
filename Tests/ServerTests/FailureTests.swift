// What a client sees when the disk fails or fills up.
import Foundation
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct FailureTests {
    static let tree = "{\"keys\":\"name\"}"

    @Test("A failed sync: the parked write is 504, later writes 503, reads 200 at what is durable")
    func failedSync() throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        #expect(try server.send("PUT", "/v1/trees/bins", body: Self.tree).status == 201)
        let create = [("If-None-Match", "*")]
        let keyed = create + [("Idempotency-Key", "01a1fcb8-b175-7573-90cd-382c5041ca63")]
        #expect(
            try server.send("PUT", "/v1/records/bins/a", headers: keyed, body: "1").status == 201
        )
        disk.fail(SimulatedDisk.Fault(.sync))
        let lost = try server.send("PUT", "/v1/records/bins/b", headers: create, body: "2")
        #expect(lost.status == 504)
        #expect(lost.text.contains("\"code\":\"outcome-unknown\""))
        let refused = try server.send("PUT", "/v1/records/bins/c", headers: create, body: "3")
        #expect(refused.status == 503)
        #expect(refused.text.contains("\"code\":\"read-only\""))
        // What was accepted before is answered again: nothing is written for it.
        #expect(
            try server.send("PUT", "/v1/records/bins/a", headers: keyed, body: "1").status == 201
        )
        #expect(try server.send("GET", "/v1/records/bins/a").text == "1")
        #expect(try server.send("GET", "/v1/records/bins/b").status == 404)
        #expect(try server.send("GET", "/readyz").status == 503)
        #expect(try server.send("GET", "/livez").status == 200)
        #expect(try server.send("GET", "/metrics").text.contains("holdfast_writable 0"))
        try server.stop()
        disk.heal()
        let again = try TestServer(disk: disk.crash(seed: 1))
        #expect(try again.send("GET", "/v1/records/bins/a").text == "1")
        let retry = try again.send("PUT", "/v1/records/bins/b", headers: create, body: "2")
        // Its outcome was unknown: it is there, or it can be done now.
        #expect([201, 412].contains(retry.status))
        try again.stop()
    }

    @Test("A full disk: writes are 507, reads go on, and room makes writes go on")
    func fullDisk() throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        #expect(try server.send("PUT", "/v1/trees/bins", body: Self.tree).status == 201)
        let create = [("If-None-Match", "*")]
        #expect(
            try server.send("PUT", "/v1/records/bins/a", headers: create, body: "1").status == 201
        )
        disk.limit(byteCount: disk.byteCount + (1 << 20))
        // Whoever finds the disk full first, a write, which is taken still, or the thread that makes
        // room ahead of it: from then on writes are refused.
        var status = 0
        while status != 507 {
            status =
                try server.send(
                    "PUT",
                    "/v1/records/bins/b\(Int.random(in: 0...1_000_000))",
                    headers: create,
                    body: "1"
                ).status
            #expect(status == 201 || status == 507)
        }
        #expect(try server.send("GET", "/v1/records/bins/a").text == "1")
        #expect(try server.send("GET", "/readyz").status == 503)
        disk.limit(byteCount: .max)
        while try server.send("GET", "/readyz").status != 200 { server.store.tick() }
        #expect(
            try server.send("PUT", "/v1/records/bins/z", headers: create, body: "1").status == 201
        )
        try server.stop()
    }

    @Test(
        "A deletion of everything, and an undoing, end at the first refusal of a full disk",
        arguments: ["DELETE", "POST"]
    )
    func jobs(method: String) throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        #expect(try server.send("PUT", "/v1/trees/bins", body: Self.tree).status == 201)
        let job = "01a1fcb8-b175-7573-90cd-382c5041ca63"
        let lines = (0..<2000).map { number in
            "{\"operations\":[{\"put\":{\"tree\":\"bins\",\"key\":{\"name\":\"b\(number)\"},"
                + "\"expects\":\"absent\",\"value\":1}}]}\n"
        }.joined()
        let made = try server.send(
            "POST",
            "/v1/changes",
            headers: [("Content-Type", "application/x-ndjson"), ("Idempotency-Key", job)],
            body: lines
        )
        #expect(made.text.contains("\"accepted\":2000"))
        let last = server.store.read { "\($0.state.position)" }
        // What is taken before the disk is found full stands.
        disk.limit(byteCount: disk.byteCount)
        let path =
            method == "DELETE"
            ? "/v1/records/bins?all=true" : "/v1/changes/\(last)/undo?job=true"
        let reply = try server.send(method, path)
        let told = reply.text.split(separator: "\n")
        let refused = told.filter { $0.contains("\"code\":\"full\"") }
        #expect(refused.count == 1, "\(told.count) lines: \(reply.text.suffix(300))")
        let end = try #require(told.last)
        #expect(
            end.contains("\"refused\":1}") || end.contains("\"refused\":1,"),
            "\(reply.text.suffix(300))"
        )
        disk.limit(byteCount: .max)
        try server.stop()
    }

    @Test("Too many pinned readers are told to come again")
    func pins() throws {
        let server = try TestServer()
        #expect(try server.send("PUT", "/v1/trees/bins", body: Self.tree).status == 201)
        let pins = try (0..<1000).map { _ in try server.store.pin() }
        let lines = [("Accept", "application/x-ndjson")]
        let busy = try server.send("GET", "/v1/records/bins", headers: lines)
        #expect(busy.status == 503)
        #expect(busy.text.contains("\"code\":\"busy\""))
        for pin in pins { server.store.unpin(pin) }
        #expect(try server.send("GET", "/v1/records/bins", headers: lines).status == 200)
        #expect(server.store.pinCount == 0)
        try server.stop()
    }
}
