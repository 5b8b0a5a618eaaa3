// How often somebody may ask: the buckets by themselves, and over real connections.
import HoldfastBasics
import HoldfastEngine
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastServer

@Suite struct RateLimiterTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("Two seconds' worth may come at once, then as many a second as the rate says")
    func bucket() {
        let limiter = RateLimiter(RequestRate(perSecond: 10))
        var now: UInt64 = 77 * Self.second
        func taken(_ key: String, of count: Int) -> Int {
            (0..<count).reduce(0) { sum, _ in
                sum + (limiter.charge(key, at: now) == nil ? 1 : 0)
            }
        }
        #expect(taken("anna", of: 100) == 20)
        #expect(limiter.charge("anna", at: now) == Self.second / 10)
        // Who waits as long as it was told is let in, once.
        now += Self.second / 10
        #expect(taken("anna", of: 5) == 1)
        now += Self.second
        #expect(taken("anna", of: 100) == 10)
        // Others have buckets of their own, and a full one holds no more than two seconds' worth.
        #expect(taken("ben", of: 100) == 20)
        now += 3600 * Self.second
        #expect(taken("anna", of: 100) == 20)
    }

    @Test("A rate below one a second lets one in, and then tells how long it takes")
    func slow() {
        let limiter = RateLimiter(RequestRate(perSecond: 0.1))
        #expect(limiter.charge(1, at: 1) == nil)
        #expect(limiter.charge(1, at: 1) == 10 * Self.second)
        #expect(limiter.charge(1, at: 1 + 10 * Self.second) == nil)
    }

    @Test("Thousands of strangers who go as far as they may hardly hold up another one")
    func crowd() {
        let limiter = RateLimiter(RequestRate(perSecond: 1))
        for stranger in 0..<5000 {
            for _ in 0..<3 { _ = limiter.charge(stranger, at: 1) }
        }
        let refused = (5000..<6000).count { limiter.charge($0, at: 1) != nil }
        // One row alone would refuse 74 of a thousand, two 6; the seed of the hash is anew each run.
        #expect(refused < 30)
    }

    @Test("An address that asks too often is told when to come again; looks at health are free")
    func addresses() throws {
        let server = try TestServer { $0.addressRate = RequestRate(perSecond: 0.02) }
        #expect(try server.send("GET", "/v1").status == 200)
        for _ in 0..<3 {
            let reply = try server.send("GET", "/v1/trees")
            #expect(reply.status == 429)
            #expect(reply.text.contains("too-many-requests"))
            let seconds = try #require(Int(reply.headers["retry-after"] ?? ""))
            #expect((1...50).contains(seconds))
        }
        // A job is refused by its head, and nothing of it is done.
        let job = try server.send(
            "POST",
            "/v1/changes",
            headers: [("Content-Type", "application/x-ndjson")],
            body: "{}\n"
        )
        #expect(job.status == 429)
        #expect(job.headers["retry-after"] != nil)
        for _ in 0..<3 { #expect(try server.send("GET", "/livez").status == 200) }
        try server.stop()
    }

    @Test("Who waits for a position is counted once")
    func waiting() throws {
        let server = try TestServer { $0.addressRate = RequestRate(perSecond: 1) }
        #expect(try server.send("GET", "/v1").status == 200)
        let epoch = server.store.read { "\($0.state.position(of: 5))" }
        let reply = try server.send(
            "GET",
            "/v1/trees",
            headers: [("Holdfast-Min-Position", epoch), ("Prefer", "wait=1")]
        )
        // Answered anew after its second: 503 as the position is not reached, not 429.
        #expect(reply.status == 503)
        try server.stop()
    }
}
