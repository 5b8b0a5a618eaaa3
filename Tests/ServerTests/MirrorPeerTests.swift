// The server's end of a mirror without sockets: what it sends, and when it sends nothing.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

/// Takes messages, and has room as a test says.
private final class Sink: MirrorOutput {
    var messages: [MirrorDown] = []
    var room = Int.max
    var code: UInt16?

    var hasRoom: Bool { room > 0 }
    var isDrained: Bool { true }

    func send(_ message: ByteView) {
        room -= 1
        do {
            messages.append(try MirrorDown(message))
        } catch {
            Issue.record("a message nobody can read: \(error)")
        }
    }

    func end(_ code: UInt16) { self.code = code }

    var commits: [[UInt8]] {
        messages.flatMap { message -> [[UInt8]] in
            if case .commits(let contents) = message { contents } else { [] }
        }
    }
}

@Suite struct MirrorPeerTests {
    private static func store(
        _ disk: SimulatedDisk,
        options: LogOptions = LogOptions()
    ) throws -> Store {
        let time = FakeTime()
        try Store.create(on: disk, application: "stockroom", options: options, time: time)
        let store = try Store(
            disk: disk,
            application: "stockroom",
            options: options,
            time: time,
            logger: Logger(level: .error, time: time) { _ in }
        )
        let define = HoldfastRecords.Operation.defineTree(
            MirrorServerTests.bins,
            TreeDefinition(keys: .name)
        )
        _ = store.submit(
            Change(id: MirrorServerTests.id(1), operations: [define]),
            by: MirrorServerTests.caller
        )
        store.syncStep()
        return store
    }

    private static func peer(_ store: Store, _ sink: Sink) -> MirrorPeer {
        let time = FakeTime()
        return MirrorPeer(
            store: store,
            caller: nil,
            heartbeatSeconds: 15,
            time: time,
            logger: Logger(level: .error, time: time) { _ in },
            output: sink
        )
    }

    private static func tell(_ peer: MirrorPeer, _ message: MirrorUp) {
        var buffer = ByteBuffer()
        message.append(to: &buffer)
        peer.received(buffer.view)
    }

    private static func put(_ number: UInt64, _ value: String = "1") -> Change {
        Change(
            id: MirrorServerTests.id(100 + number),
            operations: [MirrorServerTests.put("r\(number)", value)]
        )
    }

    @Test("Nothing is sent that is not durable: no commit, no acceptance, no refusal by it")
    func durable() throws {
        let store = try Self.store(SimulatedDisk())
        let sink = Sink()
        let peer = Self.peer(store, sink)
        Self.tell(peer, .hello(TestMirror.hello(store)))
        store.syncStep()
        peer.advance(store.logReader())
        let count = sink.messages.count
        Self.tell(peer, .change(MirrorChange(Self.put(1))))
        var other = Self.put(2)
        other.operations = Self.put(1).operations
        Self.tell(peer, .change(MirrorChange(other)))
        peer.advance(store.logReader())
        peer.synced(store.progress)
        #expect(sink.messages.count == count)
        #expect(peer.hasWaitingAnswers)
        store.syncStep()
        peer.synced(store.progress)
        #expect(sink.messages.count == count + 2)
        #expect(MirrorServerTests.accepted(sink.messages[count]) != nil)
        #expect(MirrorServerTests.refusal(sink.messages[count + 1])?.code == .exists)
        peer.advance(store.logReader())
        #expect(sink.commits.count == 3)
    }

    @Test("A failed sync leaves the outcome open, and the change pending")
    func failedSync() throws {
        let disk = SimulatedDisk()
        let store = try Self.store(disk)
        let sink = Sink()
        let peer = Self.peer(store, sink)
        Self.tell(peer, .hello(TestMirror.hello(store)))
        store.syncStep()
        disk.fail(SimulatedDisk.Fault(.sync))
        Self.tell(peer, .change(MirrorChange(Self.put(1))))
        store.syncStep()
        peer.synced(store.progress)
        let refusal = MirrorServerTests.refusal(sink.messages.last)
        #expect(refusal?.code == .outcomeUnknown)
        #expect(refusal?.code.isVerdict == false)
        Self.tell(peer, .change(MirrorChange(Self.put(2))))
        #expect(MirrorServerTests.refusal(sink.messages.last)?.code == .readOnly)
        #expect(peer.isRunning)
    }

    @Test("Without room no page is made; with room for one, one")
    func room() throws {
        let store = try Self.store(SimulatedDisk())
        let value = "\"" + String(repeating: "z", count: 100_000) + "\""
        for number in 0..<40 {
            _ = store.submit(Self.put(UInt64(number), value), by: MirrorServerTests.caller)
        }
        store.syncStep()
        let sink = Sink()
        // For the welcome alone.
        sink.room = 1
        let peer = Self.peer(store, sink)
        Self.tell(peer, .hello(TestMirror.hello(store)))
        store.syncStep()
        peer.advance(store.logReader())
        #expect(sink.messages.count == 1)
        sink.room = 1
        peer.advance(store.logReader())
        #expect(sink.messages.count == 2)
        #expect((1...3).contains(sink.commits.count))
        #expect(peer.isBehind(store.logReader()))
        sink.room = .max
        peer.advance(store.logReader())
        #expect(sink.commits == (try store.contents()))
        #expect(!peer.isBehind(store.logReader()))
    }

    @Test("A mirror the log was cut under is sent away, and is not one of another history")
    func compacted() throws {
        let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)
        let store = try Self.store(SimulatedDisk(), options: options)
        let sink = Sink()
        let peer = Self.peer(store, sink)
        Self.tell(peer, .hello(TestMirror.hello(store)))
        store.syncStep()
        peer.advance(store.logReader())
        let have = store.read { ($0.confirmedPosition, $0.confirmedChain) }
        sink.room = 0
        for number in 0..<100 {
            _ = store.submit(Self.put(UInt64(number)), by: MirrorServerTests.caller)
            store.syncStep()
        }
        peer.advance(store.logReader())
        #expect(peer.isRunning && sink.code == nil)
        let report = try #require(try store.compact())
        #expect(report.oldest > have.0.seq + 1)
        sink.room = .max
        peer.advance(store.logReader())
        #expect(sink.code == MirrorEnd.compacted && !peer.isRunning)
        // So is one that comes back with what it had, and one that has nothing.
        for position in [MirrorHave(position: have.0, chain: have.1), nil] {
            let sink = Sink()
            var hello = TestMirror.hello(store)
            hello.have = position
            Self.tell(Self.peer(store, sink), .hello(hello))
            #expect(sink.code == MirrorEnd.compacted)
        }
        // One that took the snapshot goes on from it.
        let manifest = try #require(store.manifest)
        let later = Sink()
        let next = Self.peer(store, later)
        var hello = TestMirror.hello(store)
        hello.have = MirrorHave(
            position: store.read { $0.state.position(of: manifest.seq) },
            chain: manifest.chain
        )
        Self.tell(next, .hello(hello))
        #expect(later.code == nil && next.isRunning)
    }

    @Test("Hashes of a state that is ahead are not sent as those of what is durable")
    func hashes() throws {
        let store = try Self.store(SimulatedDisk())
        let sink = Sink()
        let peer = Self.peer(store, sink)
        Self.tell(peer, .hello(TestMirror.hello(store)))
        store.syncStep()
        peer.advance(store.logReader())
        _ = store.submit(Self.put(1), by: MirrorServerTests.caller)
        peer.beat()
        guard case .head(let bare) = sink.messages.last else {
            Issue.record("no head")
            return
        }
        #expect(bare.seq == 2)
        #expect(bare.hashes == nil)
        // They follow when the state and what is durable meet.
        store.syncStep()
        peer.advance(store.logReader())
        guard case .head(let whole) = sink.messages.last else {
            Issue.record("no head after the sync")
            return
        }
        #expect(whole.seq == 3)
        #expect(whole.hashes?[BlockName(tree: MirrorServerTests.bins)] != nil)
        #expect(whole.hashes?[BlockName(tree: .devices)] != nil)
    }

    @Test("After the end nothing is taken and nothing is sent")
    func end() throws {
        let store = try Self.store(SimulatedDisk())
        let sink = Sink()
        let peer = Self.peer(store, sink)
        Self.tell(peer, .hello(TestMirror.hello(store)))
        peer.bye(MirrorEnd.restart, "The server stops.")
        #expect(sink.code == 1012)
        let count = sink.messages.count
        Self.tell(peer, .change(MirrorChange(Self.put(1))))
        peer.beat()
        store.syncStep()
        peer.advance(store.logReader())
        peer.synced(store.progress)
        #expect(sink.messages.count == count)
        #expect(store.read(\.state.head) == 2)
    }
}
