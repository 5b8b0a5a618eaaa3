// Readers that hold the state: it does not change under them, and nobody starves.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Synchronization
import Testing

@Suite(.serialized) struct HoldTests {
    typealias Operation = HoldfastRecords.Operation

    private static let caller = Caller(user: "anna", device: "PC-1")

    private static func create(_ number: UInt64) -> Change {
        Change(
            id: UniqueID(high: number + 1, low: 1),
            operations: [
                .put(
                    WriteOperation(
                        tree: StockModel.footprints,
                        key: RecordKey(name: "f\(number)"),
                        expects: .absent,
                        value: Array("{}".utf8)
                    )
                )
            ]
        )
    }

    private func store(_ disk: SimulatedDisk = SimulatedDisk()) throws -> Store {
        let bench = try StoreBench(disk)
        for definition in StockModel.definitions { bench.submit([definition]) }
        return bench.store
    }

    private static func head(_ store: Store) -> UInt64 { store.read { $0.state.head } }

    @Test("Many readers and writers: a held state never changes, and all of them come through")
    func sharing() throws {
        let store = try store()
        let runner = StoreRunner(store)
        let changes = Atomic<UInt64>(0)
        let torn = Atomic<Int>(0)
        let readers = (0..<4).map { reader in
            Worker {
                for round in 0..<300 {
                    store.hold(durable: reader % 2 == 0) {
                        let before = Self.head(store)
                        let inner = store.hold(durable: round % 2 == 0) { Self.head(store) }
                        let isDurable = store.progress.durable == before
                        if before != inner || before != Self.head(store)
                            || reader % 2 == 0 && !isDurable
                        {
                            torn.add(1, ordering: .relaxed)
                        }
                    }
                }
            }
        }
        let writers = (0..<3).map { _ in
            Worker {
                for _ in 0..<300 {
                    let number = changes.add(1, ordering: .relaxed).oldValue
                    _ = store.submit(Self.create(number), by: Self.caller)
                }
            }
        }
        for worker in readers + writers { worker.join() }
        try runner.close()
        #expect(torn.load(ordering: .relaxed) == 0)
        #expect(Self.head(store) == UInt64(StockModel.definitions.count + 900))
    }

    @Test("While a change waits, a new reader waits too, and one that is inside comes in again")
    func noStarvation() throws {
        let store = try store()
        let order = Lock<[String]>([])
        func note(_ what: String) { order.withLock { $0.append(what) } }
        let isChangeWaiting = Atomic<Bool>(false)
        var workers: [Worker] = []
        store.hold {
            workers.append(
                Worker {
                    _ = store.submit(Self.create(1), by: Self.caller)
                    order.withLock { $0.append("change") }
                }
            )
            // The change has arrived when a reader is no more let in at once.
            while !isChangeWaiting.load(ordering: .acquiring) {
                isChangeWaiting.store(store.isChangeWaiting, ordering: .releasing)
            }
            workers.append(
                Worker {
                    store.hold {
                        let head = Self.head(store)
                        order.withLock { $0.append("reader at \(head)") }
                    }
                }
            )
            store.hold { note("inside again") }
        }
        for worker in workers { worker.join() }
        let head = UInt64(StockModel.definitions.count + 1)
        #expect(order.withLock { $0 }.first == "inside again")
        #expect(order.withLock { $0 }.contains("reader at \(head)"))
    }

    /// Everything that makes commits, each of which makes one.
    private static let acts: [(name: String, act: @Sendable (Store) -> Void)] = [
        ("submit", { _ = $0.submit(create(1), by: caller) }),
        ("submit and look", { $0.submit(create(1), by: caller, rights: nil) { _, _ in } }),
        (
            "introduce",
            { store in
                let device = DeviceRecord(
                    id: "desk",
                    name: "desk",
                    user: "anna",
                    app: "",
                    appVersion: "",
                    schemaVersions: [:],
                    confirmedDeviceSeq: 0,
                    firstSeen: 0
                )
                _ = store.introduce(device)
            }
        ),
    ]

    @Test("Whatever makes commits waits for a reader that holds the state", arguments: acts.indices)
    func everyAct(index: Int) throws {
        let store = try store()
        let before = Self.head(store)
        let act = Self.acts[index].act
        let worker = store.hold {
            let worker = Worker { act(store) }
            while !store.isChangeWaiting, Self.head(store) == before {}
            #expect(Self.head(store) == before, "\(Self.acts[index].name)")
            return worker
        }
        worker.join()
        #expect(Self.head(store) == before + 1)
    }

    @Test("A reader that waits for durability is let in when the sync failed")
    func failedSync() throws {
        let disk = SimulatedDisk()
        let store = try store(disk)
        store.syncStep()
        let durable = Self.head(store)
        _ = store.submit(Self.create(1), by: Self.caller)
        disk.fail(SimulatedDisk.Fault(.write))
        let seen = Atomic<UInt64>(0)
        let reader = Worker {
            store.hold(durable: true) { seen.store(Self.head(store), ordering: .releasing) }
        }
        store.syncStep()
        reader.join()
        #expect(seen.load(ordering: .acquiring) == durable)
        #expect(store.progress.failure != nil)
    }

    @Test("A body's own error comes out, and the state is free again")
    func thrown() throws {
        struct Own: Error {}
        let store = try store()
        #expect(throws: Own.self) { try store.hold { throw Own() } }
        let answer = store.submit(Self.create(1), by: Self.caller)
        #expect(answer.isAccepted)
    }
}
