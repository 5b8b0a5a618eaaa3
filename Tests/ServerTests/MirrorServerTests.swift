// The server's end of mirrors over real sockets: first sync, resuming, changes, and the ends.
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

@Suite(.serialized) struct MirrorServerTests {
    static let bins = TreeName(any: "bins") ?? .trees
    static let parts = TreeName(any: "parts") ?? .trees
    static let caller = Caller(user: "ben", device: "PC-07")

    static func id(_ number: UInt64) -> UniqueID { UniqueID(high: 7, low: number) }

    static func put(_ name: String, _ value: String = "1") -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: bins,
                key: RecordKey(name: name),
                expects: .absent,
                value: Array(value.utf8)
            )
        )
    }

    static func server(
        heartbeatSeconds: Double = 15,
        commitCount: Int = 0,
        value: String = "1"
    ) throws -> TestServer {
        let server = try TestServer { $0.heartbeatSeconds = heartbeatSeconds }
        define(server, bins, TreeDefinition(keys: .name))
        define(server, parts, TreeDefinition(keys: .id, isVersioned: true))
        for number in 0..<commitCount { write(server, "r\(number)", value) }
        return server
    }

    static func define(_ server: TestServer, _ name: TreeName, _ definition: TreeDefinition) {
        let id = UniqueID.version7(milliseconds: 1, random: SystemRandom())
        let change = Change(id: id, operations: [.defineTree(name, definition)])
        _ = server.store.submit(change, by: caller)
    }

    static func write(_ server: TestServer, _ name: String, _ value: String = "1") {
        let id = UniqueID.version7(milliseconds: 1, random: SystemRandom())
        _ = server.store.submit(Change(id: id, operations: [put(name, value)]), by: caller)
    }

    static func refusal(_ message: MirrorDown?) -> Refusal? {
        if case .refused(let answer) = message { answer.problem.refusal } else { nil }
    }

    static func accepted(_ message: MirrorDown?) -> MirrorAccepted? {
        if case .accepted(let answer) = message { answer } else { nil }
    }

    // MARK: Commits

    @Test("The first sync gives the log, byte for byte, and every commit of it verifies")
    func firstSync() throws {
        let server = try Self.server(commitCount: 10_000)
        let mirror = try TestMirror(server.address)
        #expect(mirror.status == 101)
        let welcome = try #require(try mirror.begin(TestMirror.hello(server.store)))
        #expect(welcome.databaseID == server.store.identity.databaseID)
        #expect(welcome.oldest.seq == 0)
        // Two trees, the records, and the device's own commit.
        let got = try mirror.commits(through: 10_003)
        #expect(got == (try server.store.contents()))
        var chain = Hash128.zero
        for content in got {
            try content.withView { view in
                let commit = try CommitView(view)
                try commit.verify(after: chain)
                chain = commit.chain
            }
        }
        #expect(server.store.device("d-1")?.user == "anna")
        let pages = mirror.messages.count { if case .commits = $0 { true } else { false } }
        #expect(pages > 5)
        // What comes later comes too.
        Self.write(server, "later")
        #expect(try mirror.commits(through: 10_004) == (try server.store.contents(from: 10_004)))
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A mirror goes on after the commit it names, and its device is known already")
    func resume() throws {
        let server = try Self.server(commitCount: 50)
        let first = try TestMirror(server.address)
        _ = try first.begin(TestMirror.hello(server.store))
        let got = try first.commits(through: 53)
        let last = try #require(got.last)
        let chain = try last.withView { try CommitView($0).chain }
        let epoch = server.store.read(\.state.epoch)
        let have = MirrorHave(position: Position(epoch: epoch, seq: 53), chain: chain)
        Self.write(server, "a")
        Self.write(server, "b")
        let second = try TestMirror(server.address)
        let welcome = try second.begin(TestMirror.hello(server.store, have: have))
        #expect(welcome != nil)
        #expect(try second.commits(through: 55) == (try server.store.contents(from: 54)))
        #expect(server.store.progress.durable == 55)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A commit larger than a page is a page of its own, in its place")
    func largeCommit() throws {
        let server = try Self.server()
        Self.write(server, "small")
        Self.write(server, "large", "\"" + String(repeating: "x", count: 700_000) + "\"")
        Self.write(server, "after")
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        #expect(try mirror.commits(through: 6) == (try server.store.contents()))
        try server.stop(withinSeconds: 0.1)
    }

    @Test("Another history, database, application or protocol is told so, and leaves no trace")
    func strangers() throws {
        let server = try Self.server(commitCount: 5)
        while server.store.progress.durable < 7 {}
        let epoch = server.store.read(\.state.epoch)
        let chain = Hash128(high: 1, low: 2)
        func have(_ epoch: Epoch, _ seq: UInt64, _ chain: Hash128) -> MirrorHello {
            let place = MirrorHave(position: Position(epoch: epoch, seq: seq), chain: chain)
            return TestMirror.hello(server.store, have: place)
        }
        var database = TestMirror.hello(server.store)
        database.databaseID = Self.id(1)
        var application = TestMirror.hello(server.store)
        application.application = "other"
        var version = TestMirror.hello(server.store)
        version.version = 2
        let cases: [(MirrorHello, UInt16)] = [
            (have(epoch, 3, chain), 4409), (have(epoch, 1000, chain), 4409),
            (have(Epoch(rawValue: 9), 3, chain), 4409), (database, 4421), (application, 4421),
            (version, 4426),
        ]
        for (hello, code) in cases {
            let mirror = try TestMirror(server.address)
            mirror.send(.hello(hello))
            #expect(try mirror.bye() == code)
            #expect(try mirror.next() == nil)
            #expect(mirror.closeCode == code)
        }
        #expect(server.store.device("d-1") == nil)
        #expect(server.store.progress.durable == 7)
        try server.stop(withinSeconds: 0.1)
    }

    // MARK: Changes

    @Test("A change is accepted when it is durable, and replayed when it comes again")
    func accepted() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        let change = Change(
            id: Self.id(1),
            madeAt: 1_700_000_000_000,
            deviceSeq: 1,
            why: "first",
            operations: [Self.put("a")]
        )
        let first = try #require(Self.accepted(try mirror.propose(change)))
        #expect(first.change == MirrorChange.Name(id: Self.id(1), deviceSeq: 1))
        #expect(first.results == [.key(RecordKey(name: "a"))])
        #expect(!first.isReplayed)
        #expect(server.store.progress.durable >= first.position.seq)
        let again = try #require(Self.accepted(try mirror.propose(change)))
        #expect(again.isReplayed)
        #expect(again.position == first.position)
        let content = try #require(try server.store.contents(from: first.position.seq).first)
        try content.withView { view in
            let commit = try CommitView(view)
            #expect(commit.user.text == "anna")
            #expect(commit.device.text == "d-1")
            #expect(commit.deviceSeq == 1)
            #expect(commit.madeAt == 1_700_000_000_000)
            #expect(try commit.details().app.text == "test")
            #expect(try commit.details().why.text == "first")
        }
        var other = change
        other.operations = [Self.put("b")]
        #expect(Self.refusal(try mirror.propose(other))?.code == .idempotencyMismatch)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A refusal carries what an application needs: the holder, the record, the operation")
    func refused() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        Self.write(server, "a", "{\"stock\":1}")
        let exists = try mirror.propose(Change(id: Self.id(1), operations: [Self.put("a")]))
        guard case .refused(let answer) = exists else {
            Issue.record("not refused: \(String(describing: exists))")
            return
        }
        #expect(answer.problem.refusal.code == .exists)
        #expect(answer.problem.refusal.operation == 0)
        let current = String(decoding: answer.problem.current ?? [], as: UTF8.self)
        #expect(current.contains("\"value\":{\"stock\":1}"))
        let taking = BorrowOperation(
            tree: Self.bins,
            key: RecordKey(name: "a"),
            borrow: Self.id(90),
            note: "mine"
        )
        _ = server.store.submit(
            Change(id: Self.id(2), operations: [.borrow(taking)]),
            by: Self.caller
        )
        var second = taking
        second.borrow = Self.id(91)
        let borrowed = try mirror.propose(Change(id: Self.id(3), operations: [.borrow(second)]))
        #expect(Self.refusal(borrowed)?.code == .borrowed)
        #expect(Self.refusal(borrowed)?.borrow?.user == "ben")
        #expect(Self.refusal(borrowed)?.borrow?.note == "mine")
        second.queue = true
        let queued = try mirror.propose(Change(id: Self.id(4), operations: [.borrow(second)]))
        #expect(Self.accepted(queued)?.results == [.place(1)])
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A range is given out once for a change, whatever is sent again")
    func reserve() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        let reserve = HoldfastRecords.Operation.reserve(
            tree: Self.parts,
            range: Self.id(50),
            count: 100
        )
        let change = Change(id: Self.id(1), operations: [reserve])
        let answer = try #require(Self.accepted(try mirror.propose(change)))
        guard case .range(let range) = answer.results.first else {
            Issue.record("no range: \(answer.results)")
            return
        }
        #expect(range.id == Self.id(50))
        #expect(range.device == "d-1")
        #expect(range.end - range.first == 100)
        #expect(Self.accepted(try mirror.propose(change))?.isReplayed == true)
        let thief = Change(id: Self.id(2), operations: [reserve])
        #expect(Self.refusal(try mirror.propose(thief))?.code == .idTaken)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A change that builds on one nobody accepted is refused, and taken after it")
    func requires() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        let base = Change(id: Self.id(1), deviceSeq: 1, operations: [Self.put("a")])
        let dependent = Change(
            id: Self.id(2),
            deviceSeq: 2,
            requires: [Self.id(1)],
            operations: [Self.put("b")]
        )
        let refusal = Self.refusal(try mirror.propose(dependent))
        #expect(refusal?.code == .requirementMissing)
        #expect(refusal?.operation == nil)
        #expect(Self.accepted(try mirror.propose(base)) != nil)
        #expect(Self.accepted(try mirror.propose(dependent))?.isReplayed == false)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A change of a wrong shape that names itself is refused; the mirror goes on")
    func wrongShape() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        let text = #"{"id":"\#(Self.id(1))","deviceSeq":5,"operations":[{"fly":{}}]}"#
        mirror.send([0x02] + Array(text.utf8))
        let answer = try mirror.first { if case .refused(let answer) = $0 { answer } else { nil } }
        #expect(answer?.change == MirrorChange.Name(id: Self.id(1), deviceSeq: 5))
        #expect(answer?.problem.refusal.code == .badBody)
        let open =
            #"{"id":"\#(Self.id(2))","operations":[{"delete":{"tree":"parts","key":{"id":1},"#
            + #""expects":"change:\#(Self.id(1))"}}]}"#
        mirror.send([0x02] + Array(open.utf8))
        let revision = try mirror.first {
            if case .refused(let answer) = $0 { answer.problem.refusal } else { nil }
        }
        #expect(revision?.code == .revisionRequired)
        let good = Change(id: Self.id(3), operations: [Self.put("a")])
        #expect(Self.accepted(try mirror.propose(good)) != nil)
        try server.stop(withinSeconds: 0.1)
    }

    // MARK: Heartbeat and devices

    @Test("A heartbeat names the head and the hashes of every tree at exactly that seq")
    func heads() throws {
        let server = try Self.server(heartbeatSeconds: 0.02, commitCount: 20)
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        let head = try #require(
            try mirror.first { message in
                if case .head(let head) = message, head.seq == 23 { head } else { nil }
            }
        )
        let hashes = try #require(head.hashes)
        let (expected, chain) = server.store.read { reader in
            (reader.state.hashes.filter { $0.hash != .zero }, reader.state.chain)
        }
        #expect(head.chain == chain)
        #expect(hashes == Dictionary(uniqueKeysWithValues: expected.map { ($0.block, $0.hash) }))
        #expect(hashes[BlockName(tree: Self.bins)] != nil)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("Confirmed outcomes are logged by the hundred, and the rest when the mirror goes")
    func settled() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        let welcome = try mirror.begin(TestMirror.hello(server.store))
        #expect(welcome?.settled == 0)
        // The welcome does not wait for the commit that makes the device known.
        while server.store.device("d-1") == nil {}
        let before = server.store.read(\.state.head)
        for through in 1...250 { mirror.send(.settled(through: UInt64(through))) }
        mirror.send([], .close)
        while try mirror.next() != nil {}
        while server.store.device("d-1")?.confirmedDeviceSeq != 250 {}
        #expect(server.store.read(\.state.head) == before + 3)
        let again = try TestMirror(server.address)
        #expect(try again.begin(TestMirror.hello(server.store))?.settled == 250)
        // Nobody takes back what was confirmed.
        again.send(.settled(through: 10))
        let change = Change(id: Self.id(1), operations: [Self.put("a")])
        #expect(Self.accepted(try again.propose(change)) != nil)
        #expect(server.store.device("d-1")?.confirmedDeviceSeq == 250)
        try server.stop(withinSeconds: 0.1)
    }

    // MARK: Ends

    @Test("A server that stops says so")
    func stops() throws {
        let server = try Self.server()
        let mirror = try TestMirror(server.address)
        _ = try mirror.begin(TestMirror.hello(server.store))
        try server.stop(withinSeconds: 0.1)
        #expect(try mirror.bye() == 1012)
        #expect(try mirror.next() == nil)
        #expect(mirror.closeCode == 1012)
    }

    @Test("What is none of the protocol's messages ends the connection with its code; others go on")
    func badFrames() throws {
        let server = try Self.server()
        let good = try TestMirror(server.address)
        _ = try good.begin(TestMirror.hello(server.store))
        var hello = ByteBuffer()
        MirrorUp.hello(TestMirror.hello(server.store)).append(to: &hello)
        let bytes = hello.array
        let change = [0x02] + Array("{\"operations\":[]}".utf8)
        let settled = [0x03] + Array("{\"through\":1}".utf8)
        let cases: [(String, [[UInt8]], WebSocketOpcode)] = [
            ("nothing", [[]], .binary), ("an unknown kind", [[0x7F]], .binary),
            ("a kind of the other way", [[0x81] + bytes.dropFirst()], .binary),
            ("text", [bytes], .text), ("a cut hello", [Array(bytes.dropLast())], .binary),
            ("no JSON", [[0x01, 0xFF, 0xFE]], .binary),
            ("a change first", [change], .binary), ("settled first", [settled], .binary),
            ("two hellos", [bytes, bytes], .binary),
            ("a change without an id", [bytes, change], .binary),
            ("a negative number", [bytes, [0x03] + Array("{\"through\":-1}".utf8)], .binary),
        ]
        for (what, messages, opcode) in cases {
            let mirror = try TestMirror(server.address)
            for message in messages { mirror.send(message, opcode) }
            #expect(try mirror.bye() == 4001, "\(what)")
            while try mirror.next() != nil {}
            #expect(mirror.closeCode == 4001, "\(what)")
        }
        let raw: [(String, [UInt8], UInt16)] = [
            ("an unmasked frame", [0x82, 1, 0x01], 1002),
            ("a reserved opcode", [0x83, 0x80, 0, 0, 0, 0], 1002),
            ("too large", [0x82, 0xFF, 0, 0, 0, 0, 2, 0, 0, 0, 1, 1, 1, 1], 1009),
        ]
        for (what, bytes, code) in raw {
            let mirror = try TestMirror(server.address)
            mirror.sendRaw(bytes)
            while try mirror.next() != nil {}
            #expect(mirror.closeCode == code, "\(what)")
        }
        let answer = try good.propose(Change(id: Self.id(1), operations: [Self.put("a")]))
        #expect(Self.accepted(answer) != nil)
        #expect(try server.send("GET", "/v1").status == 200)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A mirror that is too busy to introduce itself is asked to come again")
    func silent() throws {
        let server = try TestServer { $0.headSeconds = 0.1 }
        let mirror = try TestMirror(server.address)
        #expect(try mirror.bye() == 4408)
        while try mirror.next() != nil {}
        #expect(mirror.closeCode == 4408)
        try server.stop(withinSeconds: 0.1)
    }

    @Test("The handshake: a stranger's page, another subprotocol and two names are refused")
    func handshake() throws {
        let server = try Self.server()
        let page = try TestMirror(server.address, headers: [("Origin", "http://evil.example")])
        #expect(page.status == 403)
        let foreign = Self.id(9).description
        let other = try TestMirror(server.address, headers: [("Holdfast-Database", foreign)])
        #expect(other.status == 421)
        #expect(try server.send("GET", "/v1/mirror").status == 426)
        #expect(try server.send("POST", "/v1/mirror").status == 405)
        let mirror = try TestMirror(
            server.address,
            headers: [("Holdfast-User", "ben"), ("Holdfast-Device", "d-1")]
        )
        mirror.send(.hello(TestMirror.hello(server.store)))
        #expect(try mirror.bye() == 4001)
        let named = try TestMirror(
            server.address,
            headers: [("Holdfast-User", "anna"), ("Holdfast-Device", "d-1")]
        )
        #expect(try named.begin(TestMirror.hello(server.store)) != nil)
        #expect(try server.send("GET", "/metrics").text.contains("holdfast_mirror_clients 1"))
        try server.stop(withinSeconds: 0.1)
    }

    @Test("A mirror that reads nothing delays nobody, and gets everything when it reads on")
    func frozen() throws {
        let server = try Self.server()
        let frozen = try TestMirror(server.address)
        frozen.send(.hello(TestMirror.hello(server.store, device: "d-frozen")))
        let reading = try TestMirror(server.address)
        _ = try reading.begin(TestMirror.hello(server.store))
        let value = "\"" + String(repeating: "y", count: 100_000) + "\""
        for number in 0..<300 { Self.write(server, "v\(number)", value) }
        let head = server.store.read(\.state.head)
        let got = try reading.commits(through: head)
        #expect(got == (try server.store.contents()))
        let late = try frozen.commits(through: head)
        #expect(late == got)
        try server.stop(withinSeconds: 0.1)
    }
}
