// Mirrors of chosen trees over real sockets: every commit comes and verifies, and no byte of what
// stands in other trees.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

private typealias Operation = HoldfastRecords.Operation

@Suite(.serialized) struct ChosenTreesTests {
    private static let bins = MirrorServerTests.bins
    private static let parts = MirrorServerTests.parts
    private static let secrets = TreeName(any: "secrets") ?? .trees
    private static let vault = TreeName(any: "vault") ?? .trees
    private static let caller = MirrorServerTests.caller
    /// In everything a mirror of `bins` must not be told.
    private static let marker = "Pl4nted"

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// A server with a tree the mirror has, and two it has not, full of the marker.
    private struct Scene {
        let server: TestServer
        private let next = Counter()
        /// Stands on a record of `secrets`, one ended there, one waits in its line.
        let borrow: UniqueID
        let ended: UniqueID
        let waiting: UniqueID
        /// Of a change in `vault` alone.
        let change: UniqueID
        let secret: RecordKey
        let locked: RecordKey

        final class Counter {
            var number: UInt64 = 1000
        }

        init(heartbeatSeconds: Double = 15) throws {
            server = try MirrorServerTests.server(heartbeatSeconds: heartbeatSeconds)
            let number = Field(name: "number", type: .string, isUnique: true)
            let schema = Descriptor(version: SchemaVersion(1, 0), fields: [number])
            MirrorServerTests.define(server, secrets, TreeDefinition(keys: .name))
            MirrorServerTests.define(
                server,
                vault,
                TreeDefinition(keys: .id, borrow: .required, schema: schema)
            )
            secret = RecordKey(name: marker + "-name")
            (borrow, ended, waiting) = (
                MirrorServerTests.id(90), MirrorServerTests.id(91), MirrorServerTests.id(92)
            )
            change = MirrorServerTests.id(93)
            locked = RecordKey(number: 1)
            try write(put(secrets, secret, "{\"number\":\"\(marker)-value\"}"))
            try write(put(vault, nil, "{\"number\":\"\(marker)-unique\"}"), id: change)
            try write(take(ended, "\(marker)-note"))
            try write([.return(ended)])
            try write(take(borrow, "\(marker)-held"))
            try write(
                take(waiting, "\(marker)-line", queue: true),
                by: Caller(user: "carl", device: "PC-3", app: marker + "-app")
            )
            try write(put(bins, RecordKey(name: "first"), "{\"row\":1}"), why: "shown")
            // One commit in both: its reason is shown, its other block is not.
            try write(
                put(bins, RecordKey(name: "both"), "{\"row\":2}")
                    + put(secrets, RecordKey(name: marker + "-both"), "\"\(marker)\""),
                why: "of both"
            )
            try write(put(secrets, RecordKey(name: marker + "-last"), "1"))
        }

        func put(_ tree: TreeName, _ key: RecordKey?, _ value: String) -> [Operation] {
            [.put(WriteOperation(tree: tree, key: key, expects: .absent, value: bytes(value)))]
        }

        func take(_ id: UniqueID, _ note: String, queue: Bool = false) -> [Operation] {
            [
                .borrow(
                    BorrowOperation(
                        tree: secrets,
                        key: secret,
                        borrow: id,
                        note: note,
                        queue: queue
                    )
                )
            ]
        }

        func write(
            _ operations: [Operation],
            id: UniqueID? = nil,
            by caller: Caller? = nil,
            why: String? = nil
        ) throws {
            next.number += 1
            // Whoever is shown a block is shown the application.
            let isShown = operations.contains { $0.tree == bins }
            let app = isShown ? "openly" : marker + "-app"
            let caller = caller ?? Caller(user: "ben", device: "PC-07", app: app)
            let change = Change(
                id: id ?? MirrorServerTests.id(next.number),
                digest: Hash128(high: 1, low: next.number),
                why: why ?? (isShown ? "" : marker + "-why"),
                operations: operations
            )
            guard case .accepted = server.store.submit(change, by: caller) else {
                throw Disagreement("the scene cannot be set: \(operations)")
            }
        }

        var head: UInt64 { server.store.read(\.state.head) }

        func stop() throws { try server.stop(withinSeconds: 0.1) }
    }

    /// Every commit of a mirror: dense, verified, ending in the server's chain.
    @discardableResult
    private func verify(
        _ contents: [[UInt8]],
        after seq: UInt64 = 0,
        _ scene: Scene
    ) throws -> Hash128 {
        var (seq, chain) = (seq, scene.server.store.read { $0.chain(atSeq: seq) } ?? .zero)
        for content in contents {
            try content.withView { view in
                let commit = try CommitView(view)
                try commit.verify(after: chain)
                #expect(commit.seq == seq + 1)
                (seq, chain) = (commit.seq, commit.chain)
            }
        }
        #expect(scene.server.store.read { $0.chain(atSeq: seq) } == chain)
        return chain
    }

    private func expectClean(_ mirror: TestMirror, _ what: String = "") {
        let found = mirror.received.firstRange(of: Self.bytes(Self.marker))
        let around = found.map { range in
            let start = max(0, range.lowerBound - 60)
            let end = min(mirror.received.count, range.upperBound + 60)
            return String(decoding: mirror.received[start..<end], as: UTF8.self)
        }
        #expect(found == nil, "\(what): \(around ?? "")")
    }

    // MARK: Commits

    @Test("Every commit comes and verifies; of other trees not a byte")
    func projections() throws {
        let scene = try Scene()
        let mirror = try TestMirror(scene.server.address)
        _ = try mirror.begin(TestMirror.hello(scene.server.store, trees: [Self.bins]))
        let got = try mirror.commits(through: scene.head)
        let chain = try verify(got, scene)
        expectClean(mirror)
        var blocks: Set<String> = []
        var reasons: Set<String> = []
        for content in got {
            try content.withView { view in
                let commit = try CommitView(view)
                reasons.insert(try commit.details().why.text)
                try commit.forEachBlock { block, _ in blocks.insert(block.name.text) }
            }
        }
        #expect(blocks == ["_trees", "_devices", "bins"])
        #expect(reasons == ["", "shown", "of both"])
        // The whole log holds the marker: the search would find it.
        let whole = try scene.server.store.contents().flatMap(\.self)
        #expect(whole.firstRange(of: Self.bytes(Self.marker)) != nil)
        // What comes later, and what comes after another connection, goes on in the same chain.
        try scene.write(scene.put(Self.secrets, RecordKey(name: Self.marker), "1"))
        let more = try mirror.commits(through: scene.head)
        try verify(more, after: scene.head - 1, scene)
        let epoch = scene.server.store.read(\.state.epoch)
        let have = MirrorHave(position: Position(epoch: epoch, seq: scene.head - 1), chain: chain)
        let again = try TestMirror(scene.server.address)
        let hello = TestMirror.hello(scene.server.store, trees: [Self.bins], have: have)
        #expect(try again.begin(hello) != nil)
        #expect(try again.commits(through: scene.head) == more)
        expectClean(again)
        try scene.stop()
    }

    @Test("Borrows and key ranges come with the trees they are about, and with no others")
    func subjects() throws {
        let scene = try Scene()
        let mirror = try TestMirror(scene.server.address)
        let trees: Set<TreeName> = [Self.secrets, TreeName(any: "undeclared") ?? .trees]
        _ = try mirror.begin(TestMirror.hello(scene.server.store, trees: trees))
        var blocks: Set<String> = []
        for content in try mirror.commits(through: scene.head) {
            try content.withView { view in
                try CommitView(view).forEachBlock { block, _ in blocks.insert(block.name.text) }
            }
        }
        #expect(blocks == ["_trees", "_devices", "secrets", "_borrows/secrets"])
        #expect(mirror.received.firstRange(of: Self.bytes("\(Self.marker)-held")) != nil)
        #expect(mirror.received.firstRange(of: Self.bytes("\(Self.marker)-unique")) == nil)
        try scene.stop()
    }

    @Test("A page is filled with what is shown, however long the commits are")
    func pages() throws {
        let scene = try Scene()
        let long = "\"" + String(repeating: Self.marker, count: 40_000) + "\""
        for number in 0..<12 {
            try scene.write(scene.put(Self.secrets, RecordKey(name: "long\(number)"), long))
            let value = "\"" + String(repeating: "x", count: 100_000) + "\""
            try scene.write(scene.put(Self.bins, RecordKey(name: "x\(number)"), value))
        }
        let mirror = try TestMirror(scene.server.address)
        _ = try mirror.begin(TestMirror.hello(scene.server.store, trees: [Self.bins]))
        try verify(try mirror.commits(through: scene.head), scene)
        let pages = mirror.messages.count { if case .commits = $0 { true } else { false } }
        #expect(pages >= 6 && pages <= 12, "\(pages)")
        expectClean(mirror)
        try scene.stop()
    }

    @Test("The heartbeat has the hashes of what is shown, which are those of the whole database")
    func hashes() throws {
        let scene = try Scene(heartbeatSeconds: 0.05)
        let mirror = try TestMirror(scene.server.address)
        _ = try mirror.begin(TestMirror.hello(scene.server.store, trees: [Self.bins]))
        let head = try #require(
            try mirror.first { message in
                if case .head(let head) = message, head.hashes != nil { head } else { nil }
            }
        )
        let whole = scene.server.store.read { reader in
            Dictionary(uniqueKeysWithValues: reader.state.hashes.map { ($0.block, $0.hash) })
        }
        let names = Set((head.hashes ?? [:]).keys.map(\.description))
        #expect(names == ["_trees", "_devices", "bins"])
        for (block, hash) in head.hashes ?? [:] { #expect(whole[block] == hash, "\(block)") }
        try scene.stop()
    }

    // MARK: Changes

    @Test("What it proposes in other trees is refused, and no answer tells of them")
    func proposals() throws {
        let scene = try Scene(heartbeatSeconds: 0.05)
        let mirror = try TestMirror(scene.server.address)
        let hello = TestMirror.hello(
            scene.server.store,
            device: Self.caller.device,
            user: Self.caller.user,
            trees: [Self.bins]
        )
        _ = try mirror.begin(hello)
        let (bins, secrets, vault) = (Self.bins, Self.secrets, Self.vault)
        let first = RecordKey(name: "first")
        let number = Field(name: "number", type: .string, isUnique: true)
        let schema = Descriptor(version: SchemaVersion(2, 0), fields: [number])
        func target(_ borrow: UniqueID?, _ tree: TreeName, _ key: RecordKey) -> RecordOperation {
            RecordOperation(
                tree: tree,
                key: key,
                expects: .version(Position(epoch: Epoch(rawValue: 1), seq: 1)),
                borrow: borrow
            )
        }
        func taking(_ id: UniqueID) -> Operation {
            .borrow(BorrowOperation(tree: bins, key: first, borrow: id))
        }
        func held(_ id: UniqueID) -> Operation {
            .put(
                WriteOperation(
                    tree: bins,
                    key: RecordKey(name: "h"),
                    expects: .absent,
                    hold: id,
                    value: Self.bytes("1")
                )
            )
        }
        let cases: [(String, [Operation], RefusalCode)] = [
            ("create", scene.put(secrets, scene.secret, "1"), .unknownTree),
            ("create by number", scene.put(vault, nil, "{\"number\":\"1\"}"), .unknownTree),
            ("delete", [.delete(target(nil, secrets, scene.secret))], .unknownTree),
            ("release", [.release(target(nil, vault, scene.locked), number: 1)], .unknownTree),
            ("state", [.setState(target(nil, vault, scene.locked), .draft(2))], .unknownTree),
            ("revise", [.revise(tree: vault, key: scene.locked, hold: nil)], .unknownTree),
            ("borrow", scene.take(scene.borrow, ""), .unknownTree),
            ("queue", scene.take(Self.id(1), "", queue: true), .unknownTree),
            ("reserve", [.reserve(tree: vault, range: Self.id(2), count: 5)], .unknownTree),
            (
                "declare",
                [.defineTree(secrets, TreeDefinition(keys: .name, schema: schema))], .unknownTree
            ),
            (
                "one of two",
                scene.put(bins, RecordKey(name: "mine"), "1")
                    + scene.put(secrets, scene.secret, "1"), .unknownTree
            ),
            ("return", [.return(scene.borrow)], .unknownBorrow),
            ("return what waits", [.return(scene.waiting)], .unknownBorrow),
            ("return what ended", [.return(scene.ended)], .unknownBorrow),
            ("cancel", [.cancel(scene.waiting)], .unknownBorrow),
            ("cancel what holds", [.cancel(scene.borrow)], .unknownBorrow),
            ("write under it", [.delete(target(scene.borrow, bins, first))], .unknownBorrow),
            ("write under an ended", [.delete(target(scene.ended, bins, first))], .unknownBorrow),
            ("take its id", [taking(scene.borrow)], .borrowMismatch),
            ("take an ended one's id", [taking(scene.ended)], .borrowMismatch),
            ("hold by its id", [held(scene.borrow)], .borrowMismatch),
            ("hold by an ended one's id", [held(scene.ended)], .borrowMismatch),
        ]
        let head = scene.head
        for (index, (what, operations, code)) in cases.enumerated() {
            let change = Change(id: Self.id(100 + UInt64(index)), operations: operations)
            let refusal = MirrorServerTests.refusal(try mirror.propose(change))
            #expect(refusal?.code == code, "\(what): \(refusal?.detail ?? "accepted")")
        }
        // Another's change, or one nobody gave a digest: what came of it is not told.
        let other = Change(id: scene.change, operations: scene.put(vault, nil, "{}"))
        let refusal = MirrorServerTests.refusal(try mirror.propose(other))
        #expect(refusal?.code == .idempotencyMismatch)
        #expect(scene.head == head)
        expectClean(mirror, "answers")
        // Its own trees it changes like any mirror.
        let own = Change(id: Self.id(200), operations: scene.put(bins, RecordKey(name: "m"), "1"))
        #expect(MirrorServerTests.accepted(try mirror.propose(own)) != nil)
        #expect(MirrorServerTests.accepted(try mirror.propose(own))?.isReplayed == true)
        let declaring = Change(
            id: Self.id(201),
            operations: [.defineTree(bins, TreeDefinition(keys: .name, borrow: .required))]
        )
        #expect(MirrorServerTests.refusal(try mirror.propose(declaring))?.code != .unknownTree)
        expectClean(mirror, "all")
        try scene.stop()
    }

    @Test("A change from the time it had all trees is answered as before, also when sent again")
    func narrowed() throws {
        let scene = try Scene()
        let change = Change(
            id: Self.id(1),
            deviceSeq: 1,
            operations: scene.put(Self.secrets, RecordKey(name: "mine"), "1")
        )
        let whole = try TestMirror(scene.server.address)
        _ = try whole.begin(TestMirror.hello(scene.server.store))
        let first = try #require(MirrorServerTests.accepted(try whole.propose(change)))
        let chosen = try TestMirror(scene.server.address)
        _ = try chosen.begin(TestMirror.hello(scene.server.store, trees: [Self.bins]))
        let again = try #require(MirrorServerTests.accepted(try chosen.propose(change)))
        #expect(again.isReplayed)
        #expect(again.position == first.position)
        // Of another device it is another change.
        let stranger = try TestMirror(scene.server.address)
        _ = try stranger.begin(
            TestMirror.hello(scene.server.store, device: "d-2", trees: [Self.bins])
        )
        let refusal = MirrorServerTests.refusal(try stranger.propose(change))
        #expect(refusal?.code == .idempotencyMismatch)
        try scene.stop()
    }

    private static func id(_ number: UInt64) -> UniqueID { MirrorServerTests.id(number) }
}
