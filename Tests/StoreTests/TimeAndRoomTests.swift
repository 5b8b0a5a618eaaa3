// What a store does as time passes, pins gather, and the disk fills or fails.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct TimeTests {
    /// A part that anna gave back and that bert was granted, carl waiting.
    private func granted() throws -> (bench: StoreBench, key: RecordKey, ids: [UniqueID]) {
        let bench = try StoreBench()
        try bench.declareTrees()
        let key = try bench.part("a")
        let ids = (0..<3).map { _ in bench.id() }
        for (id, caller) in zip(ids, [StoreBench.anna, StoreBench.bert, StoreBench.carl]) {
            #expect(bench.take(key, id, by: caller, queue: true).isAccepted)
        }
        #expect(bench.store.tick() == nil)
        #expect(bench.submit([.return(ids[0])]).isAccepted)
        return (bench, key, ids)
    }

    @Test("A grant nobody confirms lapses by a commit when the clock says so, not before")
    func lapse() throws {
        let (bench, key, ids) = try granted()
        let head = bench.store.read { $0.state.head }
        #expect(bench.store.tick() == Limits.grantMilliseconds)
        bench.time.advance(milliseconds: Limits.grantMilliseconds - 1)
        #expect(bench.store.tick() == 1)
        #expect(bench.store.read { $0.state.head } == head)
        bench.time.advance(milliseconds: 1)
        #expect(bench.store.tick() == Limits.grantMilliseconds)
        #expect(bench.store.read { $0.state.head } == head + 1)
        #expect(bench.holder(key)?.id == ids[2])
        #expect(bench.store.progress.durable == 0)
        try bench.reopen()
        #expect(bench.holder(key)?.id == ids[2])
        #expect(bench.holder(key)?.state == .granted)
        // Time went on while the store was closed.
        bench.time.advance(milliseconds: Limits.grantMilliseconds)
        #expect(bench.store.tick() == nil)
        #expect(bench.holder(key) == nil)
    }

    @Test("A wall clock that jumps ahead by more than an hour ends nobody's grant")
    func clockJump() throws {
        let (bench, key, ids) = try granted()
        let start = bench.time.wallMilliseconds()
        bench.time.set(wallMilliseconds: start + Limits.clockJumpMilliseconds + 1)
        #expect(bench.store.tick() == nil)
        #expect(bench.holder(key)?.id == ids[1])
        // Everything else goes on.
        _ = try bench.part("b")
        // Set right again, the rules run again.
        bench.time.set(wallMilliseconds: start + Limits.grantMilliseconds)
        bench.store.tick()
        #expect(bench.holder(key)?.id == ids[2])
    }

    @Test("A wall clock that goes back makes no commit older than the one before it")
    func clockBack() throws {
        let bench = try StoreBench()
        try bench.declareTrees()
        let last = bench.store.read { $0.state.lastTime }
        bench.time.set(wallMilliseconds: last - 1_000_000)
        _ = try bench.part("a")
        #expect(bench.store.read { $0.state.lastTime } == last)
    }
}

@Suite struct PinTests {
    @Test("Pins are counted and limited")
    func limit() throws {
        let bench = try StoreBench()
        var pins: [Pin] = []
        while pins.count < 1000 { pins.append(try bench.store.pin()) }
        #expect(bench.store.pinCount == 1000)
        #expect {
            try bench.store.pin()
        } throws: { error in
            guard case StoreError.tooManyPins(limit: 1000) = error else { return false }
            return true
        }
        bench.store.unpin(pins[500])
        _ = try bench.store.pin()
        #expect(bench.store.pinCount == 1000)
        for pin in pins { bench.store.unpin(pin) }
        #expect(bench.store.pinCount == 1)
    }

    @Test("A pin whose reader makes no progress for a minute ends; a touched one stays")
    func expiry() throws {
        let bench = try StoreBench()
        let (idle, live) = (try bench.store.pin(), try bench.store.pin())
        for _ in 0..<5 {
            bench.time.advance(milliseconds: 20_000)
            #expect(bench.store.touch(live))
            bench.store.tick()
        }
        #expect(!bench.store.touch(idle))
        #expect(bench.store.pinCount == 1)
        // Letting go of a pin that ended already is nothing.
        bench.store.unpin(idle)
        bench.store.unpin(live)
        #expect(bench.store.pinCount == 0)
    }
}

@Suite struct RoomTests {
    @Test("Writes are refused before the reserve is touched; reads go on, with room writes too")
    func full() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk)
        try bench.declareTrees()
        bench.sync()
        let accepted = bench.id()
        let first = bench.submit([StoreBench.create("a0")], id: accepted)
        var made: RecordKey?
        if case .accepted(_, let results) = first, case .created(_, let key)? = results.first {
            made = key
        }
        let key = try #require(made)
        disk.limit(byteCount: disk.byteCount + Int(Limits.diskReserveByteCount) - 1)
        // The commit that had gathered is safe: the reserve is there for it.
        bench.sync()
        #expect(bench.store.progress.durable == 4)
        #expect(bench.submit([StoreBench.create("b")]).refusal == .full)
        // What was accepted before is answered again: nothing is written for it.
        #expect(bench.submit([StoreBench.create("a0")], id: accepted).isReplayed)
        #expect(bench.store.read { $0.state.head } == 4)
        #expect(try bench.version(key).seq == 4)
        bench.time.advance(milliseconds: 1000)
        #expect(bench.store.tick() != nil)
        #expect(bench.submit([StoreBench.create("b")]).refusal == .full)
        disk.heal()
        bench.store.tick()
        #expect(bench.store.tick() == nil)
        _ = try bench.part("b")
        bench.sync()
        #expect(bench.store.progress.durable == 5)
        #expect(bench.store.progress.failure == nil)
    }

    @Test("A disk that is full when a database is opened lets it be read, and not written")
    func fullAtOpening() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk)
        try bench.declareTrees()
        try bench.store.close()
        disk.limit(byteCount: disk.byteCount + 1000)
        let again = try StoreBench(disk)
        #expect(again.store.read { $0.state.head } == 3)
        #expect(again.submit([StoreBench.create("a")]).refusal == .full)
    }

    @Test("A disk that fills in the middle of a write loses nothing durable")
    func fullInWrite() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk)
        try bench.declareTrees()
        bench.sync()
        let before = try LogCopy(bench.store.logReader()).changes
        while bench.store.read({ $0.logByteCount }) < 20 << 10 {
            _ = try bench.part("p\(bench.random.next())")
        }
        disk.limit(byteCount: disk.byteCount + 100)
        bench.sync()
        #expect(bench.store.progress.failure != nil)
        #expect(bench.store.progress.durable == 3)
        try bench.store.compareWithFreshFold()
        disk.heal()
        try bench.reopen()
        let after = try LogCopy(bench.store.logReader()).changes
        #expect(Array(after.prefix(3)) == before)
        try bench.store.compareWithFreshFold()
        _ = try bench.part("again")
        bench.sync()
        #expect(bench.store.progress.failure == nil)
    }

    @Test("A store opened for reading takes no writes and changes nothing")
    func readOnly() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk)
        try bench.declareTrees()
        bench.sync()
        let options = LogOptions(
            segmentByteCount: StoreBench.small.segmentByteCount,
            isWritable: false
        )
        let reading = try StoreBench(disk, options: options)
        #expect(reading.store.read { $0.state.head } == 3)
        #expect(reading.submit([StoreBench.create("a")]).refusal == .readOnly)
        #expect(reading.store.tick() == nil)
        #expect(reading.store.read { $0.state.head } == 3)
        _ = try bench.part("a")
    }
}
