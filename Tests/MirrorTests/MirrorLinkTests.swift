// A mirror's connection: to the real server, and to servers that are wrong in every way.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastHTTP
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import Holdfast

@Suite(.serialized) struct MirrorLinkTests {
    static let bins = HoldfastRecords.TreeName(any: "bins") ?? .trees
    static let databaseID = UniqueID(high: 3, low: 4)

    static func id(_ number: UInt64) -> UniqueID { UniqueID(high: 7, low: number) }

    static func target(
        _ address: String,
        databaseID: UniqueID? = nil,
        token: String? = nil
    ) throws -> LinkTarget {
        LinkTarget(
            address: try #require(ServerAddress("http://" + address)),
            application: "stockroom",
            databaseID: databaseID,
            user: "änna",
            device: "d-1",
            token: token
        )
    }

    static func put(_ name: String) -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: bins,
                key: HoldfastRecords.RecordKey(name: name),
                expects: .absent,
                value: [UInt8(ascii: "1")]
            )
        )
    }

    static func server(heartbeatSeconds: Double = 15, commitCount: Int = 0) throws -> TestServer {
        let server = try TestServer { $0.heartbeatSeconds = heartbeatSeconds }
        let caller = Caller(user: "ben", device: "PC-07")
        let define = Operation.defineTree(
            bins,
            HoldfastRecords.TreeDefinition(keys: .name)
        )
        _ = server.store.submit(Change(id: id(1), operations: [define]), by: caller)
        for number in 0..<commitCount {
            let change = Change(id: id(100 + UInt64(number)), operations: [put("r\(number)")])
            _ = server.store.submit(change, by: caller)
        }
        return server
    }

    typealias Operation = HoldfastRecords.Operation

    static func hello(_ server: TestServer, have: MirrorHave? = nil) -> MirrorUp {
        .hello(TestMirror.hello(server.store, user: "änna", have: have))
    }

    // MARK: The real server

    @Test("A link syncs ten thousand commits, sends changes, and goes on where it was cut")
    func sync() throws {
        let server = try Self.server(commitCount: 10_000)
        let probe = try LinkProbe(Self.target(server.address))
        #expect(
            probe.wait { $0.server != nil }.server?.databaseID == server.store.identity.databaseID
        )
        probe.send(Self.hello(server))
        let synced = probe.wait { $0.commits.count >= 10_002 }
        #expect(synced.commits == (try server.store.contents()))
        let change = Change(id: Self.id(50), deviceSeq: 1, operations: [Self.put("mine")])
        probe.send(.change(MirrorChange(change)))
        probe.send(.change(MirrorChange(change)))
        let answered = probe.wait { told in
            told.messages.count { if case .accepted = $0 { true } else { false } } == 2
        }
        let answers = answered.messages.compactMap { message -> MirrorAccepted? in
            if case .accepted(let answer) = message { answer } else { nil }
        }
        #expect(answers.map(\.isReplayed) == [false, true])
        let told = probe.stop()
        #expect(told.ends == [.closed])

        let last = try #require(synced.commits.last)
        let chain = try last.withView { try CommitView($0).chain }
        let epoch = server.store.read(\.state.epoch)
        let have = MirrorHave(position: Position(epoch: epoch, seq: 10_002), chain: chain)
        let again = try LinkProbe(Self.target(server.address))
        _ = again.wait { $0.server != nil }
        again.send(Self.hello(server, have: have))
        let resumed = again.wait { $0.commits.count >= 1 }
        #expect(resumed.commits == (try server.store.contents(from: 10_003)))
        again.stop()
        try server.stop()
    }

    @Test("A server that stops says so, and the link may come again")
    func restart() throws {
        let server = try Self.server()
        let probe = try LinkProbe(Self.target(server.address))
        _ = probe.wait { $0.server != nil }
        probe.send(Self.hello(server))
        _ = probe.wait { $0.welcome != nil }
        try server.stop()
        let end = try #require(probe.end())
        guard case .bye(1012, _) = end else {
            Issue.record("\(end)")
            return
        }
        #expect(end.mayRetry)
        #expect(probe.stop().ends == [end])
    }

    @Test("A link that is held takes nothing and stays, however long; it goes on from there")
    func held() throws {
        let server = try Self.server(heartbeatSeconds: 0.05)
        let probe = try LinkProbe(Self.target(server.address))
        _ = probe.wait { $0.server != nil }
        probe.send(Self.hello(server))
        _ = probe.wait { $0.commits.count >= 2 }
        let before = Condition<Int?>(nil)
        probe.execute { link in
            link.hold()
            before.signal { $0 = 0 }
        }
        before.wait(until: { $0 != nil }) { _ in }
        let change = Change(id: Self.id(9), operations: [Self.put("later")])
        _ = server.store.submit(change, by: Caller(user: "ben", device: "PC-07"))
        // Longer than two heartbeats, by the server's own clock of heads.
        let silent = try TestMirror(server.address)
        _ = try silent.begin(TestMirror.hello(server.store, device: "d-2"))
        var heads = 0
        while heads < 4 { if case .head = try #require(try silent.next()) { heads += 1 } }
        probe.execute { $0.resume() }
        let told = probe.wait { $0.commits.count >= 4 }
        #expect(told.ends.isEmpty)
        #expect(told.commits == (try server.store.contents()))
        probe.stop()
        try server.stop(withinSeconds: 0.1)
    }

    // MARK: Other servers

    @Test("Another application's server, and another database, learn nothing of the caller")
    func foreign() throws {
        let cases: [(UniqueID, String)] = [
            (Self.databaseID, "other"), (Self.id(99), "stockroom"),
        ]
        for (databaseID, application) in cases {
            let server = FakeServer { conversation in
                conversation.identify(databaseID: databaseID, application: application)
                conversation.drain()
            }
            let target = try Self.target(
                "127.0.0.1:\(server.port)",
                databaseID: Self.databaseID,
                token: "hf_secret"
            )
            let probe = try LinkProbe(target)
            let expected = LinkEnd.otherDatabase(found: databaseID, application: application)
            #expect(probe.end() == expected)
            #expect(!expected.mayRetry)
            probe.stop()
            server.join()
            #expect(
                server.text
                    == "GET /v1 HTTP/1.1\r\nhost: 127.0.0.1:\(server.port)\r\n"
                    + "accept: application/json\r\n\r\n"
            )
        }
    }

    @Test(
        "A token, or user and device, go to the right server, after it has shown who it is",
        arguments: ["hf_secret", nil]
    )
    func credentials(token: String?) throws {
        let head = Condition<String?>(nil)
        let server = FakeServer { conversation in
            conversation.identify(databaseID: Self.databaseID, application: "stockroom")
            let upgrade = conversation.upgrade()
            head.signal { $0 = upgrade ?? "" }
            conversation.drain()
        }
        let target = try Self.target("127.0.0.1:\(server.port)", token: token)
        let probe = try LinkProbe(target)
        let told = probe.wait { $0.server != nil }
        #expect(told.server?.databaseID == Self.databaseID)
        let text = head.wait(until: { $0 != nil }) { $0 } ?? ""
        #expect(text.hasPrefix("GET /v1/mirror HTTP/1.1\r\n"))
        // Whoever shows a token is who it says.
        #expect(text.contains("holdfast-user: %C3%A4nna\r\n") == (token == nil))
        #expect(text.contains("holdfast-device: d-1\r\n") == (token == nil))
        #expect(text.contains("authorization: Bearer hf_secret\r\n") == (token != nil))
        #expect(text.contains("holdfast-database: \(Self.databaseID)\r\n"))
        probe.stop()
        server.join()
    }

    @Test("A server that falls silent is noticed by two heartbeats without a byte")
    func silent() throws {
        let server = FakeServer { conversation in
            conversation.identify(databaseID: Self.databaseID, application: "stockroom")
            conversation.upgrade()
            conversation.welcome(
                databaseID: Self.databaseID,
                application: "stockroom",
                heartbeatSeconds: 0.1
            )
            conversation.drain()
        }
        let probe = try LinkProbe(Self.target("127.0.0.1:\(server.port)"))
        let end = try #require(probe.end())
        #expect(end == .silent)
        #expect(end.mayRetry)
        probe.stop()
        server.join()
        // It was asked: a masked ping of no bytes.
        let seen = server.seen.withLock { $0 }
        #expect(seen.firstRange(of: [0x89, 0x80]) != nil)
    }

    @Test("Pings are answered, and unknown kinds passed over")
    func pings() throws {
        let server = FakeServer { conversation in
            conversation.identify(databaseID: Self.databaseID, application: "stockroom")
            conversation.upgrade()
            conversation.send([0x89, 2, 7, 8, 0x82, 1, 0x99])
            conversation.send(.head(MirrorHead(seq: 1, chain: .zero)))
            for _ in 0..<8 { _ = conversation.next() }
        }
        let probe = try LinkProbe(Self.target("127.0.0.1:\(server.port)"))
        let told = probe.wait { !$0.messages.isEmpty }
        #expect(told.messages == [.head(MirrorHead(seq: 1, chain: .zero))])
        server.join()
        let seen = server.seen.withLock { $0 }
        #expect(seen.suffix(8).first == 0x8A)
        #expect(probe.end() == .lost)
        probe.stop()
    }

    @Test("What is no Holdfast server, or breaks the protocol, ends the link with the reason")
    func garbled() throws {
        let good: @Sendable (FakeServer.Conversation) -> Void = { conversation in
            conversation.identify(databaseID: Self.databaseID, application: "stockroom")
        }
        let cases: [(String, @Sendable (FakeServer.Conversation) -> Void)] = [
            (
                "no HTTP",
                { conversation in
                    _ = conversation.read(until: "\r\n\r\n")
                    conversation.send("SSH-2.0-OpenSSH\r\n\r\n")
                }
            ),
            (
                "no document",
                { conversation in
                    _ = conversation.read(until: "\r\n\r\n")
                    conversation.reply("200 OK", "[]")
                }
            ),
            (
                "another key",
                { conversation in
                    good(conversation)
                    conversation.upgrade(acceptance: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
                }
            ),
            (
                "a masked frame",
                { conversation in
                    good(conversation)
                    conversation.upgrade()
                    conversation.send([0x82, 0x81, 0, 0, 0, 0, 1])
                }
            ),
            (
                "text",
                { conversation in
                    good(conversation)
                    conversation.upgrade()
                    conversation.send([0x81, 1, 65])
                }
            ),
            (
                "a cut message",
                { conversation in
                    good(conversation)
                    conversation.upgrade()
                    conversation.send([0x82, 3, 0x82, 9, 0])
                }
            ),
        ]
        for (what, talk) in cases {
            let server = FakeServer { conversation in
                talk(conversation)
                conversation.drain()
            }
            let probe = try LinkProbe(Self.target("127.0.0.1:\(server.port)"))
            let end = probe.end()
            guard case .garbled = end else {
                Issue.record("\(what): \(String(describing: end))")
                continue
            }
            #expect(probe.stop().ends.count == 1, "\(what)")
            server.join()
        }
    }

    @Test("A refused handshake gives status and detail; a bye its code")
    func refused() throws {
        let problem = #"{"code":"busy","status":503,"title":"T","detail":"Come again."}"#
        let server = FakeServer { conversation in
            conversation.identify(databaseID: Self.databaseID, application: "stockroom")
            _ = conversation.read(until: "\r\n\r\n")
            conversation.reply("503 Service Unavailable", problem)
            conversation.drain()
        }
        let probe = try LinkProbe(Self.target("127.0.0.1:\(server.port)"))
        let end = try #require(probe.end())
        #expect(end == .refused(status: 503, detail: "Come again."))
        #expect(end.mayRetry)
        probe.stop()
        server.join()
        #expect(!LinkEnd.refused(status: 401, detail: "").mayRetry)
        #expect(!LinkEnd.bye(code: MirrorEnd.diverged, detail: "").mayRetry)
        #expect(LinkEnd.bye(code: MirrorEnd.stalled, detail: "").mayRetry)
    }

    @Test("Who was told of a healing, and then that the histories differ, asks again")
    func healedMeanwhile() throws {
        let restored = Position(epoch: Epoch(rawValue: 1), seq: 0)
        for (healing, code) in [
            (HealingDocument(restored: restored, ahead: []), MirrorEnd.healing),
            (nil, MirrorEnd.diverged),
        ] {
            let server = FakeServer { conversation in
                conversation.identify(
                    databaseID: Self.databaseID,
                    application: "stockroom",
                    healing: healing
                )
                conversation.upgrade()
                conversation.send(.bye(MirrorBye(code: MirrorEnd.diverged, detail: "They differ.")))
                conversation.drain()
            }
            let probe = try LinkProbe(Self.target("127.0.0.1:\(server.port)"))
            let end = try #require(probe.end())
            guard case .bye(code, _) = end else {
                Issue.record("\(end)")
                continue
            }
            #expect(end.mayRetry == (healing != nil) && end.needsNewCopy == (healing == nil))
            #expect(end.asksForAnother == (healing != nil))
            probe.stop()
            server.join()
        }
    }

    @Test("Who was told of a healing, and is welcomed then, asks again in which epochs it goes on")
    func welcomedMeanwhile() throws {
        let origin = Position(epoch: Epoch(rawValue: 1), seq: 0)
        let server = FakeServer { conversation in
            conversation.identify(
                databaseID: Self.databaseID,
                application: "stockroom",
                healing: HealingDocument(restored: origin, ahead: [])
            )
            conversation.upgrade()
            conversation.welcome(
                databaseID: Self.databaseID,
                application: "stockroom",
                heartbeatSeconds: 10
            )
            conversation.drain()
        }
        let probe = try LinkProbe(Self.target("127.0.0.1:\(server.port)"))
        let end = try #require(probe.end())
        #expect(end.mayRetry && !end.needsNewCopy)
        #expect(probe.stop().messages.isEmpty)
        server.join()
    }

    @Test("Nobody there, and a peer that never answers, have their own ends")
    func unreachable() throws {
        let gone = FakeServer { _ in }
        let port = gone.port
        let other = try TestClient("127.0.0.1:\(port)")
        gone.join()
        let probe = try LinkProbe(Self.target("127.0.0.1:\(port)"))
        guard case .unreachable = probe.end() else {
            Issue.record("reached")
            return
        }
        probe.stop()
        withExtendedLifetime(other) {}
        let mute = FakeServer { $0.drain() }
        var target = try Self.target("127.0.0.1:\(mute.port)")
        target.openingMilliseconds = 100
        let slow = try LinkProbe(target)
        #expect(slow.end() == .timedOut)
        slow.stop()
        mute.join()
    }
}
