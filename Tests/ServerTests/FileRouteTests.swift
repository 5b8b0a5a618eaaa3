// Files over real sockets, on a disk a test owns.
import Foundation
import HoldfastBasics
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct FileRouteTests {
    private func path(_ content: String) -> String {
        "/v1/files/" + Array(content.utf8).withView { SHA256.digest($0) }.description
    }

    private func left(_ disk: SimulatedDisk) -> [String] {
        disk.paths.filter { $0.hasPrefix("files/") }
    }

    @Test("A full disk refuses an upload with 507, nothing of it stays, and writes go on")
    func fullDisk() throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        let content = String(repeating: "a", count: 1 << 20)
        disk.fail(.init(.write, code: 28, isLasting: true))
        let reply = try server.send("PUT", path(content), body: content)
        #expect(reply.status == 507)
        #expect(reply.text.contains("\"code\":\"full\""))
        disk.heal()
        // What came is removed by another thread, in order: it is gone when a later upload stands.
        #expect(try server.send("PUT", path("b"), body: "b").status == 201)
        #expect(left(disk).count == 1)
        #expect(try server.send("PUT", path(content), body: content).status == 201)
        try server.stop()
    }

    @Test("A failing sync of a file refuses it, and leaves the log as it is")
    func failingSync() throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        disk.fail(.init(.sync))
        #expect(try server.send("PUT", path("a"), body: "a").status == 500)
        #expect(try server.send("GET", path("a")).status == 404)
        #expect(try server.send("PUT", path("a"), body: "a").status == 201)
        try server.stop()
    }

    @Test("Requests behind an upload on the same connection are answered in order")
    func pipelining() throws {
        let server = try TestServer()
        let client = try TestClient(server.address)
        let content = String(repeating: "x", count: 700_000)
        let head = "Host: \(server.address)\r\n"
        client.write(
            Array(
                ("PUT \(path(content)) HTTP/1.1\r\n\(head)Content-Length: \(content.utf8.count)\r\n"
                    + "\r\n\(content)GET \(path(content)) HTTP/1.1\r\n\(head)Range: bytes=0-4\r\n\r\n"
                    + "GET \(path("none")) HTTP/1.1\r\n\(head)\r\n").utf8
            )
        )
        #expect(try client.read().status == 201)
        let part = try client.read()
        #expect(part.status == 206)
        #expect(part.text == "xxxxx")
        #expect(try client.read().status == 404)
        try server.stop(withinSeconds: 0)
    }

    @Test("A body that ends where a block does is answered, whoever is faster")
    func wholeBlocks() throws {
        let server = try TestServer(disk: SimulatedDisk())
        for number in 0..<30 {
            let content = String(repeating: "\(number % 10)", count: 1 << 20) + "#\(number)"
            let blocks = String(content.suffix((256 << 10) * (1 + number % 4)))
            #expect(try server.send("PUT", path(blocks), body: blocks).status == 201)
        }
        try server.stop(withinSeconds: 0)
    }

    @Test("Of one upload on two connections the later one goes on, the earlier one is refused")
    func superseding() throws {
        let server = try TestServer()
        let content = String(repeating: "y", count: 600_000)
        let first = try TestClient(server.address)
        let head =
            "PUT \(path(content)) HTTP/1.1\r\nHost: \(server.address)\r\n"
            + "Content-Length: \(content.utf8.count)\r\n\r\n"
        first.write(Array((head + content.prefix(300_000)).utf8))
        // The first one has begun when it shows how far it is.
        let isBegun = {
            try (server.send("HEAD", path(content)).headers["upload-offset"] ?? "0") != "0"
        }
        for _ in 0..<10_000 where try !isBegun() {}
        #expect(try isBegun())
        #expect(try server.send("PUT", path(content), body: content).status == 201)
        first.write(Array(content.suffix(300_000).utf8))
        let reply = try first.read()
        #expect(reply.status == 409)
        #expect(reply.text.contains("offset-mismatch"))
        #expect(try server.send("GET", path(content)).text == content)
        try server.stop(withinSeconds: 0)
    }
}
