// The rules of the model, row by row, over an engine without a disk.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

/// An engine with the trees of a stockroom.
struct Stockroom {
    let bench: EngineBench
    static let parts = Self.name("parts")
    static let bins = Self.name("bins")
    static let footprints = Self.name("footprints")

    private static func name(_ text: String) -> TreeName {
        guard let name = TreeName(text) else { preconditionFailure("no tree name: \(text)") }
        return name
    }

    init(seed: UInt64 = 1) {
        bench = EngineBench(seed: seed)
        let number = Field(name: "number", type: .string, isUnique: true)
        let stock = Field(name: "stock", type: .int(bits: 64), isOptional: true)
        let schema = Descriptor(version: SchemaVersion(1, 0), fields: [number, stock])
        define(
            Self.parts,
            TreeDefinition(keys: .id, isVersioned: true, schema: schema)
        )
        define(Self.bins, TreeDefinition(keys: .id))
        define(Self.footprints, TreeDefinition(keys: .name))
    }

    func define(_ name: TreeName, _ definition: TreeDefinition) {
        bench.submit([.defineTree(name, definition)])
    }

    static func part(_ number: String, stock: Int = 0) -> [UInt8] {
        Array("{\"number\":\"\(number)\",\"stock\":\(stock)}".utf8)
    }

    /// Creates a part and gives its key.
    @discardableResult
    func create(_ number: String, by user: String = "anna") throws -> RecordKey {
        let write = WriteOperation(
            tree: Self.parts,
            key: nil,
            expects: .absent,
            value: Self.part(number)
        )
        let decision = bench.submit([.put(write)], by: user)
        guard case .commit(_, let results) = decision, case .created(_, let key) = results.last
        else { throw Unexpected(decision) }
        return key
    }

    func version(_ key: RecordKey, in tree: TreeName = Self.parts) throws -> Position {
        let tree = try #require(bench.state.tree(tree))
        let location = try #require(bench.state.location(tree, key))
        return bench.log.withEffect(at: location) { bench.state.position(of: $1.seq) }
    }

    func value(_ key: RecordKey, in tree: TreeName = Self.parts) throws -> String {
        let tree = try #require(bench.state.tree(tree))
        let location = try #require(bench.state.location(tree, key))
        return bench.log.withEffect(at: location) { effect, _ in effect.value.text }
    }

    func state(_ key: RecordKey) throws -> RecordState {
        let tree = try #require(bench.state.tree(Self.parts))
        let location = try #require(bench.state.location(tree, key))
        return bench.log.withEffect(at: location) { effect, _ in effect.state }
    }

    func put(
        _ key: RecordKey,
        _ value: [UInt8],
        expects: HoldfastRecords.Expectation? = nil,
        borrow: UniqueID? = nil,
        by user: String = "anna"
    ) -> Decision {
        bench.submit(
            [
                .put(
                    WriteOperation(
                        tree: Self.parts,
                        key: key,
                        expects: expects,
                        borrow: borrow,
                        value: value
                    )
                )
            ],
            by: user
        )
    }

    func take(
        _ key: RecordKey,
        _ id: UniqueID,
        by user: String = "anna",
        queue: Bool = false
    ) -> Decision {
        bench.submit(
            [
                .borrow(BorrowOperation(tree: Self.parts, key: key, borrow: id, queue: queue))
            ],
            by: user
        )
    }

    func target(_ key: RecordKey, _ expects: HoldfastRecords.Expectation?) -> RecordOperation {
        RecordOperation(tree: Self.parts, key: key, expects: expects)
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ decision: Decision) { description = "\(decision)" }
}

extension Decision {
    var refusal: RefusalCode? {
        if case .refused(let refusal) = self { return refusal.code }
        return nil
    }

    var isCommit: Bool {
        if case .commit = self { return true }
        return false
    }
}

@Suite struct CreateTests {
    @Test("The server chooses ids from a range of its own and never gives one twice")
    func chosenIDs() throws {
        let room = Stockroom()
        var seen: Set<RecordKey> = []
        for index in 0..<2500 {
            let key = try room.create("p\(index)")
            #expect(seen.insert(key).inserted)
        }
        let tree = try #require(room.bench.state.tree(Stockroom.parts))
        #expect(tree.keyRanges.count == 3)
        #expect(tree.keyRanges.allSatisfy { $0.device == "_system" })
    }

    @Test("A name that a change deletes can be created anew by the same change")
    func createdAnew() throws {
        let room = Stockroom()
        let write = WriteOperation(
            tree: Stockroom.footprints,
            key: RecordKey(name: "f"),
            expects: .absent,
            value: Array("1".utf8)
        )
        #expect(room.bench.submit([.put(write)]).isCommit)
        let version = try room.version(RecordKey(name: "f"), in: Stockroom.footprints)
        let delete = RecordOperation(
            tree: Stockroom.footprints,
            key: RecordKey(name: "f"),
            expects: .version(version)
        )
        #expect(room.bench.submit([.put(write), .delete(delete)]).refusal == .exists)
        #expect(room.bench.submit([.delete(delete), .put(write)]).isCommit)
    }

    @Test("Several creations of one change get keys of their own")
    func severalInOne() throws {
        let room = Stockroom()
        let writes = (0..<1500).map { index in
            HoldfastRecords.Operation.put(
                WriteOperation(
                    tree: Stockroom.parts,
                    key: nil,
                    expects: .absent,
                    value: Stockroom.part("n\(index)")
                )
            )
        }
        guard case .commit(_, let results) = room.bench.submit(writes) else {
            Issue.record("refused")
            return
        }
        #expect(Set(results).count == 1500)
    }

    @Test("An id outside the device's ranges is refused, one inside is taken once")
    func ranges() throws {
        let room = Stockroom()
        let bins = Stockroom.bins
        func create(_ number: UInt64, on device: String) -> Decision {
            room.bench.submit(
                [
                    .put(
                        WriteOperation(
                            tree: bins,
                            key: RecordKey(number: number),
                            expects: .absent,
                            value: Array("{}".utf8)
                        )
                    )
                ],
                on: device
            )
        }
        #expect(create(1, on: "PC-1").refusal == .outsideRange)
        let range = room.bench.id()
        room.bench.submit([.reserve(tree: bins, range: range, count: 10)], on: "PC-1")
        #expect(create(1, on: "PC-2").refusal == .outsideRange)
        #expect(create(1, on: "PC-1").isCommit)
        #expect(create(1, on: "PC-1").refusal == .exists)
        #expect(create(11, on: "PC-1").refusal == .outsideRange)
        let key = RecordKey(number: 1)
        let version = try room.version(key, in: bins)
        let delete = RecordOperation(tree: bins, key: key, expects: .version(version))
        #expect(room.bench.submit([.delete(delete)]).isCommit)
        #expect(create(1, on: "PC-1").refusal == .idTaken)
    }

    @Test("A deleted name may be created anew")
    func namesComeBack() throws {
        let room = Stockroom()
        let key = RecordKey(name: "R_0603")
        let write = WriteOperation(
            tree: Stockroom.footprints,
            key: key,
            expects: .absent,
            value: Array("1".utf8)
        )
        #expect(room.bench.submit([.put(write)]).isCommit)
        #expect(room.bench.submit([.put(write)]).refusal == .exists)
        let version = try room.version(key, in: Stockroom.footprints)
        let delete = RecordOperation(
            tree: Stockroom.footprints,
            key: key,
            expects: .version(version)
        )
        #expect(room.bench.submit([.delete(delete)]).isCommit)
        #expect(room.bench.submit([.delete(delete)]).refusal == .deleted)
        #expect(room.bench.submit([.put(write)]).isCommit)
    }
}

@Suite struct ReplaceTests {
    @Test("A replacement needs the version that stands, or a borrow")
    func versions() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let version = try room.version(key)
        #expect(room.put(key, Stockroom.part("b")).refusal == .preconditionRequired)
        // Asked for before what stands is told: there is nothing of this key.
        let none = RecordKey(number: 999_999)
        #expect(room.put(none, Stockroom.part("b")).refusal == .preconditionRequired)
        let old = Position(epoch: version.epoch, seq: version.seq - 1)
        #expect(room.put(key, Stockroom.part("b"), expects: .version(old)).refusal == .stale)
        #expect(room.put(key, Stockroom.part("b"), expects: .version(version)).isCommit)
        #expect(room.put(key, Stockroom.part("c"), expects: .version(version)).refusal == .stale)
        #expect(try room.value(key) == "{\"number\":\"b\",\"stock\":0}")
    }

    @Test("An expectation by change holds while that change is the last")
    func changes() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let id = room.bench.id()
        let version = try room.version(key)
        let write = WriteOperation(
            tree: Stockroom.parts,
            key: key,
            expects: .version(version),
            value: Stockroom.part("b")
        )
        #expect(room.bench.submit([.put(write)], id: id).isCommit)
        #expect(room.put(key, Stockroom.part("c"), expects: .change(id)).isCommit)
        #expect(room.put(key, Stockroom.part("d"), expects: .change(id)).refusal == .stale)
    }

    @Test("A patch merges and is logged as the whole value")
    func patches() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let write = WriteOperation(
            tree: Stockroom.parts,
            key: key,
            expects: .version(try room.version(key)),
            value: Array("{\"stock\":7}".utf8)
        )
        #expect(room.bench.submit([.patch(write)]).isCommit)
        #expect(try room.value(key) == "{\"number\":\"a\",\"stock\":7}")
    }

    @Test("A value the schema does not allow changes nothing")
    func schema() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let version = try room.version(key)
        let rows: [(String, RefusalCode)] = [
            ("{\"number\":1}", .invalidField), ("{\"number\":\"a\",\"x\":1}", .unknownField),
            ("{}", .invalidField), ("[]", .invalidField),
            ("{\"number\":\"a\",\"stock\":1.5}", .invalidField),
        ]
        let head = room.bench.state.head
        for (value, code) in rows {
            #expect(room.put(key, Array(value.utf8), expects: .version(version)).refusal == code)
        }
        #expect(room.bench.state.head == head)
    }

    @Test("A change is accepted or refused as a whole")
    func whole() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let head = room.bench.state.head
        let good = HoldfastRecords.Operation.put(
            WriteOperation(
                tree: Stockroom.parts,
                key: nil,
                expects: .absent,
                value: Stockroom.part("b")
            )
        )
        let bad = HoldfastRecords.Operation.delete(room.target(key, .change(room.bench.id())))
        let decision = room.bench.submit([good, bad])
        guard case .refused(let refusal) = decision else { throw Unexpected(decision) }
        #expect(refusal.operation == 1)
        #expect(refusal.code == .stale)
        #expect(room.bench.state.head == head)
        #expect(room.bench.submit([good]).isCommit)
    }

    @Test("A resend is not done twice, and another request under the same id is refused")
    func idempotency() throws {
        let room = Stockroom()
        let id = room.bench.id()
        let write = WriteOperation(
            tree: Stockroom.parts,
            key: nil,
            expects: .absent,
            value: Stockroom.part("a")
        )
        let digest = Hash128(high: 1, low: 2)
        #expect(room.bench.submit([.put(write)], id: id, digest: digest).isCommit)
        let head = room.bench.state.head
        guard case .replayed = room.bench.submit([.put(write)], id: id, digest: digest) else {
            Issue.record("done twice")
            return
        }
        let other = room.bench.submit([.put(write)], id: id, digest: Hash128(high: 3, low: 4))
        #expect(other.refusal == .idempotencyMismatch)
        #expect(room.bench.state.head == head)
    }
}

@Suite struct UniqueTests {
    @Test("A unique value belongs to an id, may move, and may be swapped in one change")
    func moves() throws {
        let room = Stockroom()
        let a = try room.create("a")
        let b = try room.create("b")
        #expect(
            room.put(b, Stockroom.part("a"), expects: .version(try room.version(b))).refusal
                == .unique
        )
        func write(_ key: RecordKey, _ number: String) throws -> HoldfastRecords.Operation {
            .put(
                WriteOperation(
                    tree: Stockroom.parts,
                    key: key,
                    expects: .version(try room.version(key)),
                    value: Stockroom.part(number)
                )
            )
        }
        #expect(room.bench.submit([try write(a, "b"), try write(b, "a")]).isCommit)
        #expect(try room.value(a) == "{\"number\":\"b\",\"stock\":0}")
        // What was swapped belongs to those who have it now.
        #expect(throws: Unexpected.self) { try room.create("a") }
        #expect(throws: Unexpected.self) { try room.create("b") }
        #expect(room.bench.submit([try write(a, "c"), try write(b, "c")]).refusal == .unique)
        #expect(
            room.bench.submit([.delete(room.target(a, .version(try room.version(a))))]).isCommit
        )
        _ = try room.create("b")
    }

    @Test("A value that is freed by a later operation of the same change belongs to the new record")
    func freedLater() throws {
        let room = Stockroom()
        let a = try room.create("a")
        let create = HoldfastRecords.Operation.put(
            WriteOperation(
                tree: Stockroom.parts,
                key: nil,
                expects: .absent,
                value: Stockroom.part("a")
            )
        )
        let delete = HoldfastRecords.Operation.delete(
            room.target(a, .version(try room.version(a)))
        )
        #expect(room.bench.submit([create]).refusal == .unique)
        let head = room.bench.state.head
        #expect(room.bench.submit([create, delete]).isCommit)
        #expect(room.bench.submit([create]).refusal == .unique)
        #expect(try dump(room.bench.refold()) == dump(room.bench.state))
        try room.bench.state.rollback(to: head)
        #expect(try dump(room.bench.refold(count: Int(head))) == dump(room.bench.state))
        #expect(room.bench.submit([create]).refusal == .unique)
    }

    @Test("A tree that stands is declared anew by a change of its own, so that no record slips by")
    func declaredBesides() throws {
        let room = Stockroom()
        let put = { (name: String) in
            HoldfastRecords.Operation.put(
                WriteOperation(
                    tree: Stockroom.footprints,
                    key: RecordKey(name: name),
                    expects: .absent,
                    value: Array("{\"label\":\"x\"}".utf8)
                )
            )
        }
        let schema = Descriptor(
            version: SchemaVersion(1, 0),
            fields: [Field(name: "label", type: .string, isUnique: true)]
        )
        let define = HoldfastRecords.Operation.defineTree(
            Stockroom.footprints,
            TreeDefinition(keys: .name, schema: schema)
        )
        #expect(room.bench.submit([put("a"), put("b"), define]).refusal == .unsupported)
        #expect(room.bench.submit([define, put("a"), put("b")]).refusal == .unsupported)
        #expect(room.bench.submit([define]).isCommit)
        #expect(room.bench.submit([put("a"), put("b")]).refusal == .unique)
    }

    @Test("Revisions of one id may carry the same value; another id may not")
    func revisions() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let version = HoldfastRecords.Expectation.version(try room.version(key))
        #expect(room.bench.submit([.release(room.target(key, version), number: 0)]).isCommit)
        #expect(
            room.bench.submit([.revise(tree: Stockroom.parts, key: key, hold: nil)]).isCommit
        )
        let next = RecordKey(key.id, revision: 1)
        let change = room.put(
            next,
            Stockroom.part("z"),
            expects: .version(try room.version(next))
        )
        #expect(change.isCommit)
        #expect(throws: Unexpected.self) { try room.create("a") }
        #expect(throws: Unexpected.self) { try room.create("z") }
    }
}

@Suite struct LifecycleTests {
    @Test("A released record refuses every change of its value, and its next revision is made once")
    func released() throws {
        let room = Stockroom()
        let key = try room.create("a")
        func version(_ key: RecordKey) throws -> HoldfastRecords.Expectation {
            .version(try room.version(key))
        }
        #expect(
            room.bench.submit([.revise(tree: Stockroom.parts, key: key, hold: nil)]).refusal
                == .notReleased
        )
        #expect(
            room.bench.submit([.release(room.target(key, try version(key)), number: 3)]).isCommit
        )
        #expect(try room.state(key) == .released(3))
        #expect(room.put(key, Stockroom.part("b"), expects: try version(key)).refusal == .released)
        #expect(
            room.bench.submit([.delete(room.target(key, try version(key)))]).refusal == .released
        )
        #expect(
            room.bench.submit([.release(room.target(key, try version(key)), number: 4)]).refusal
                == .released
        )
        let borrow = room.bench.id()
        #expect(room.take(key, borrow).isCommit)
        #expect(room.put(key, Stockroom.part("b"), borrow: borrow).refusal == .released)
        #expect(room.bench.submit([.return(borrow)]).isCommit)
        let state = HoldfastRecords.Operation.setState(
            room.target(key, try version(key)),
            .released(9)
        )
        #expect(room.bench.submit([state]).isCommit)
        #expect(try room.state(key) == .released(9))
        let revise = HoldfastRecords.Operation.revise(tree: Stockroom.parts, key: key, hold: nil)
        #expect(room.bench.submit([revise]).isCommit)
        #expect(room.bench.submit([revise]).refusal == .notReleased)
        let next = RecordKey(key.id, revision: 1)
        #expect(room.bench.submit([.delete(room.target(next, try version(next)))]).isCommit)
        #expect(room.bench.submit([revise]).isCommit)
        #expect(try room.state(RecordKey(key.id, revision: 2)) == .draft(0))
    }

    @Test("One change may make, release and revise a record again and again, without a gap")
    func revisedWithin() throws {
        let room = Stockroom()
        let key = try room.create("a")
        let own = HoldfastRecords.Expectation.change(room.bench.id())
        guard case .change(let id) = own else { return }
        func release(
            _ key: RecordKey,
            _ expects: HoldfastRecords.Expectation
        )
            -> HoldfastRecords.Operation
        { .release(room.target(key, expects), number: 0) }
        func revise(_ key: RecordKey) -> HoldfastRecords.Operation {
            .revise(tree: Stockroom.parts, key: key, hold: nil)
        }
        let (first, second) = (RecordKey(key.id, revision: 1), RecordKey(key.id, revision: 2))
        let operations = [
            release(key, .version(try room.version(key))), revise(key), release(first, own),
            revise(first),
        ]
        #expect(room.bench.submit(operations + [revise(second)], id: id).refusal == .notReleased)
        #expect(room.bench.submit(operations, id: id).isCommit)
        #expect(try room.state(key) == .released(0))
        #expect(try room.state(first) == .released(0))
        #expect(try room.state(second) == .draft(0))
    }
}
