// Lists that take many slices: what they show, what they hold on to, and who else gets a turn.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastServer

@Suite(.serialized) struct ListTests {
    private static let tree = MirrorServerTests.bins
    private static let descriptor = Descriptor(
        version: SchemaVersion(1, 0),
        fields: [
            Field(name: "number", type: .string, isUnique: true),
            Field(name: "stock", type: .int(bits: 64)),
        ]
    )

    private static func value(_ name: String, _ stock: Int) -> [UInt8] {
        Array("{\"number\":\"\(name)\",\"stock\":\(stock)}".utf8)
    }

    private static func name(_ number: Int) -> String { "r" + String(10_000 + number) }

    /// A store, and what it must hold.
    private final class Shelf {
        let store: Store
        var stocks: [String: (version: Position, stock: Int)] = [:]
        private var changeCount: UInt64 = 0

        init(_ store: Store) throws {
            self.store = store
            let definition = TreeDefinition(keys: .name, schema: ListTests.descriptor)
            try submit([.defineTree(ListTests.tree, definition)])
        }

        func submit(_ operations: [HoldfastRecords.Operation]) throws {
            changeCount += 1
            let change = Change(id: MirrorServerTests.id(changeCount), operations: operations)
            let submission = store.submit(change, by: MirrorServerTests.caller)
            switch submission {
            case .accepted, .unchanged: return
            default: throw StoreTestError(what: "\(submission)")
            }
        }

        /// Sets or makes records in one commit.
        func put(_ changes: [(name: String, stock: Int)]) throws {
            try submit(
                changes.map { name, stock in
                    .put(
                        WriteOperation(
                            tree: ListTests.tree,
                            key: RecordKey(name: name),
                            expects: stocks[name].map { .version($0.version) } ?? .absent,
                            value: ListTests.value(name, stock)
                        )
                    )
                }
            )
            for (name, stock) in changes { stocks[name] = (try version(name), stock) }
        }

        private func version(_ name: String) throws -> Position {
            try store.read { reader in
                let tree = try #require(reader.state.tree(ListTests.tree))
                let key = RecordKey(name: name)
                let location = try #require(reader.state.location(tree, key))
                return reader.withEffect(at: location) { reader.state.position(of: $1.seq) }
            }
        }

        func remove(_ name: String) throws {
            guard let version = stocks[name]?.version else { return }
            try submit([
                .delete(
                    RecordOperation(
                        tree: ListTests.tree,
                        key: RecordKey(name: name),
                        expects: .version(version)
                    )
                )
            ])
            stocks[name] = nil
        }
    }

    private struct StoreTestError: Error { let what: String }

    private struct Found: Equatable {
        let name: String
        let value: String
    }

    @Test("What is walked through is what stood at the position, whatever is written meanwhile")
    func walk() throws {
        try Seed.each(Seed.count(usually: 2)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 1 << 10)
            try Store.create(on: disk, application: "a", options: options)
            let logger = Logger(level: .error, time: SystemTime()) { _ in }
            let shelf = try Shelf(
                Store(disk: disk, application: "a", options: options, logger: logger)
            )
            for start in stride(from: 0, to: 600, by: 60) {
                try shelf.put((start..<start + 60).map { (Self.name($0), random.below(50)) })
            }
            shelf.store.syncStep()
            for order in [nil, "stock", "-stock"] {
                try compare(shelf, order, random)
            }
        }
    }

    /// Walks in slices, with writes and compactions between them, and compares.
    private func compare(_ shelf: Shelf, _ order: String?, _ random: SeededRandom) throws {
        let store = shelf.store
        let pin = try store.pin()
        defer { store.unpin(pin) }
        var expected = shelf.stocks.filter { $0.value.stock >= 10 }
            .map { (name: $0.key, stock: $0.value.stock) }
            .sorted { $0.name < $1.name }
        // Swift's sort need not be stable.
        expected.sort { a, b in
            if order == nil || a.stock == b.stock { return a.name < b.name }
            return order == "stock" ? a.stock < b.stock : a.stock > b.stock
        }
        var choice = ListChoice(tree: Self.tree)
        choice.filter = RecordFilter(
            conditions: [try FieldCondition("stock:ge:10", in: Self.descriptor)]
        )
        choice.order = try order.map { try RecordOrder($0, in: Self.descriptor) }
        let walk = ListWalk(
            choice,
            at: pin.position.seq,
            after: nil,
            candidates: nil,
            batchCount: 128
        )
        var found: [Found] = []
        var isFirst = true
        while !walk.isEnd {
            #expect(store.touch(pin))
            store.read { reader in
                walk.step(reader) { key, location in
                    let value = reader.withEffect(at: location) { effect, _ in effect.value.text }
                    found.append(Found(name: key.id.text, value: value))
                    return !random.oneIn(40)
                }
            }
            if isFirst {
                // Nothing is younger than the position: what lies in the log moves to parts.
                isFirst = false
                let report = try store.compact()
                #expect(report?.isHeld == false)
                continue
            }
            let names = Set((0..<3).map { _ in Self.name(random.below(640)) })
            try shelf.put(names.map { ($0, random.below(50)) })
            try shelf.remove(Self.name(random.below(640)))
            store.syncStep()
            if random.oneIn(4) { _ = try store.compact() }
        }
        let wanted = expected.map { one in
            Found(
                name: one.name,
                value: String(decoding: Self.value(one.name, one.stock), as: UTF8.self)
            )
        }
        #expect(found == wanted, "order \(order ?? "of keys")")
    }

    private func fill(_ server: TestServer, _ count: Int) throws {
        let shelf = try Shelf(server.store)
        for start in stride(from: 0, to: count, by: 2000) {
            try shelf.put((start..<min(count, start + 2000)).map { (Self.name($0), $0) })
        }
    }

    @Test("A search lets go of its position when it is answered, and when nobody waits for it")
    func pins() throws {
        let server = try TestServer()
        try fill(server, 3000)
        let path = "/v1/records/bins?where=stock:lt:0"
        #expect(try server.send("GET", path).text == "{\"records\":[]}")
        #expect(try server.send("HEAD", path).status == 200)
        #expect(try server.send("GET", path + "&where=number:eq:r10007").status == 200)
        #expect(server.store.pinCount == 0)
        for accept in ["application/json", "application/x-ndjson"] {
            let client = try TestClient(server.address)
            let head =
                "GET \(path) HTTP/1.1\r\nHost: \(server.address)\r\nAccept: \(accept)\r\n\r\n"
            client.write(Array(head.utf8))
        }
        // Answered on the same loop, so behind both.
        #expect(try server.send("GET", path).status == 200)
        let end = Date.now + 20
        while server.store.pinCount > 0, Date.now < end { usleep(1000) }
        #expect(server.store.pinCount == 0)
        try server.stop()
    }

    @Test(
        "Others get their turn while one searches, and a connection's own replies keep their order"
    )
    func turns() throws {
        let server = try TestServer()
        try fill(server, 32_000)
        let searcher = try TestClient(server.address)
        let other = try TestClient(server.address)
        for path in ["/v1/records/bins?where=stock:lt:0", "/v1/records/bins/r10007"] {
            let head = "GET \(path) HTTP/1.1\r\nHost: \(server.address)\r\n\r\n"
            searcher.write(Array(head.utf8))
        }
        var answered = 0
        let end = Date.now + 20
        while server.store.pinCount == 0, Date.now < end { usleep(100) }
        while server.store.pinCount > 0 {
            #expect(try other.send("GET", "/v1/records/bins/r10001").status == 200)
            answered += 1
        }
        #expect(answered > 2, "answered while a search of 125 slices went on")
        #expect(try searcher.read().text == "{\"records\":[]}")
        #expect(try searcher.read().text == "{\"number\":\"r10007\",\"stock\":7}")
        try server.stop()
    }
}
