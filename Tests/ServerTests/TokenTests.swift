// Mirrors that show tokens, over real sockets: what they are given, what they are refused, and when
// they end.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@Suite(.serialized) struct TokenTests {
    private static let bins = MirrorServerTests.bins
    private static let parts = MirrorServerTests.parts
    /// In everything that must not leave the server.
    private static let marker = "Pl4nted"

    /// A server with tokens, whose makers left the marker in every commit of them.
    private struct Scene {
        let server: TestServer
        let admin: String

        init() throws {
            server = try MirrorServerTests.server(commitCount: 3)
            let everything = Rights(everywhere: Set(Right.allCases))
            admin = try Self.give(server, user: marker, everything).text
        }

        @discardableResult
        static func give(
            _ server: TestServer,
            user: String,
            _ rights: Rights,
            id: UniqueID? = nil
        ) throws -> TokenSecret {
            let secret = TokenSecret(random: SystemRandom())
            let id = id ?? .version7(milliseconds: 1, random: SystemRandom())
            let token = TokenRecord(
                id: id,
                hash: secret.hash,
                user: user,
                bearer: .device(marker + "-device"),
                rights: rights
            )
            let change = Change(id: id, why: marker + "-why", operations: [])
            let caller = Caller(user: "op", device: "desk", app: marker + "-app")
            let submission = server.store.submit(.create(token), change, by: caller, rights: nil)
            guard case .accepted = submission else { throw Disagreement("\(submission)") }
            return secret
        }

        func give(_ user: String, _ rights: Rights, id: UniqueID? = nil) throws -> String {
            let secret = try Self.give(server, user: user, rights, id: id).text
            // Whoever is refused with it now would be so by mistake.
            while try mirror(secret).status != 101 {}
            return secret
        }

        func mirror(_ secret: String?) throws -> TestMirror {
            let fields = secret.map { [("Authorization", "Bearer " + $0)] } ?? []
            return try TestMirror(server.address, headers: fields)
        }

        func stop() throws { try server.stop(withinSeconds: 0.1) }
    }

    @Test("A mirror of everything is given every commit, and no byte of tokens")
    func withheld() throws {
        let scene = try Scene()
        let secret = try scene.give("anna", Rights(everywhere: [.read]))
        let mirror = try scene.mirror(secret)
        let store = scene.server.store
        _ = try mirror.begin(TestMirror.hello(store))
        let head = store.read(\.state.head)
        let got = try mirror.commits(through: head)
        var chain = Hash128.zero
        for content in got {
            try content.withView { view in
                let commit = try CommitView(view)
                try commit.verify(after: chain)
                #expect(try !commit.holds(.tokens))
                chain = commit.chain
            }
        }
        #expect(UInt64(got.count) == head)
        #expect(chain == store.read { $0.chain(atSeq: head) })
        #expect(mirror.received.firstRange(of: Array(Self.marker.utf8)) == nil)
        #expect(mirror.received.firstRange(of: Array("_tokens".utf8)) == nil)
        try scene.stop()
    }

    @Test("Without a token, or with one that opens nothing, no mirror is opened")
    func refused() throws {
        let scene = try Scene()
        while try scene.mirror(nil).status != 401 {}
        #expect(try scene.mirror("hf_nothing").status == 401)
        let named = try TestMirror(
            scene.server.address,
            headers: [("Authorization", "Bearer " + scene.admin), ("Holdfast-User", "anna")]
        )
        #expect(named.status == 400)
        try scene.stop()
    }

    @Test("Who the token is and what it opens is asked of the hello")
    func hello() throws {
        let scene = try Scene()
        let store = scene.server.store
        let secret = try scene.give("anna", Rights(trees: [Self.bins: [.write]]))
        let before = store.read(\.state.head)
        for (user, trees) in [
            ("ben", [Self.bins]), ("anna", nil), ("anna", [Self.bins, Self.parts]),
            ("anna", [Self.parts]),
        ] as [(String, Set<TreeName>?)] {
            let mirror = try scene.mirror(secret)
            mirror.send(.hello(TestMirror.hello(store, user: user, trees: trees)))
            #expect(try mirror.bye() == 4403, "\(user) \(String(describing: trees))")
        }
        #expect(store.read(\.state.head) == before)
        let mirror = try scene.mirror(secret)
        #expect(try mirror.begin(TestMirror.hello(store, trees: [Self.bins])) != nil)
        // Somebody else's token does not take the device over.
        let other = try scene.mirror(try scene.give("ben", Rights(everywhere: [.write])))
        other.send(.hello(TestMirror.hello(store, user: "ben")))
        #expect(try other.bye() == 4403)
        try scene.stop()
    }

    @Test("A mirror's changes go as far as its token's rights")
    func changes() throws {
        let scene = try Scene()
        let store = scene.server.store
        let put = Change(
            id: MirrorServerTests.id(500),
            operations: [MirrorServerTests.put("by a mirror")]
        )
        let reader = try scene.mirror(try scene.give("anna", Rights(trees: [Self.bins: [.read]])))
        _ = try reader.begin(TestMirror.hello(store, trees: [Self.bins]))
        #expect(MirrorServerTests.refusal(try reader.propose(put))?.code == .forbidden)
        let writer = try scene.mirror(try scene.give("ben", Rights(trees: [Self.bins: [.write]])))
        _ = try writer.begin(
            TestMirror.hello(store, device: "d-2", user: "ben", trees: [Self.bins])
        )
        #expect(MirrorServerTests.accepted(try writer.propose(put)) != nil)
        let unseen = Change(
            id: MirrorServerTests.id(501),
            operations: [.reserve(tree: Self.parts, range: MirrorServerTests.id(502), count: 1)]
        )
        #expect(MirrorServerTests.refusal(try writer.propose(unseen))?.code == .unknownTree)
        try scene.stop()
    }

    @Test("A mirror ends with its token; one taken at its word ends with the first token")
    func ends() throws {
        let server = try MirrorServerTests.server()
        let open = try TestMirror(server.address)
        #expect(try open.begin(TestMirror.hello(server.store)) != nil)
        try Scene.give(server, user: "op", Rights(everywhere: [.admin]))
        #expect(try open.bye() == 4401)
        try server.stop(withinSeconds: 0.1)
        let scene = try Scene()
        let id = MirrorServerTests.id(600)
        let secret = try scene.give("anna", Rights(everywhere: [.read]), id: id)
        let mirror = try scene.mirror(secret)
        #expect(try mirror.begin(TestMirror.hello(scene.server.store)) != nil)
        let reply = try scene.server.send(
            "DELETE",
            "/v1/tokens/\(id)",
            headers: [("Authorization", "Bearer " + scene.admin)]
        )
        #expect(reply.status == 204)
        // From the reply on, on every loop.
        #expect(try scene.mirror(secret).status == 401)
        #expect(try mirror.bye() == 4401)
        try scene.stop()
    }
}
