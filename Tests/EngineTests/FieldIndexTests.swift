// What indexes of fields name, against a look at every record.
import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import HoldfastEngine

@Suite struct FieldIndexTests {
    private static let names = TreeName("shelves").unsafelyUnwrapped
    private static let numbers = TreeName("parts").unsafelyUnwrapped

    private static func descriptor(_ minor: UInt16, isPriced: Bool) -> Descriptor {
        Descriptor(
            version: SchemaVersion(1, minor),
            fields: [
                Field(name: "title", type: .string, isOptional: true, isIndexed: true),
                Field(
                    name: "stock",
                    type: .int(bits: 64),
                    defaultValue: Array("5".utf8),
                    isIndexed: true
                ),
                Field(name: "price", type: .decimal, isOptional: true, isIndexed: isPriced),
                Field(name: "made", type: .date, isOptional: true, isIndexed: true),
            ]
        )
    }

    /// A database in which things happen at random.
    private final class Warehouse {
        let bench: EngineBench
        let random: SeededRandom
        /// Heads at which nothing was declared since.
        var floor: UInt64 = 0
        var minor: UInt16 = 0

        init(_ seed: UInt64) {
            bench = EngineBench(seed: seed)
            random = SeededRandom(seed: seed ^ 0xF1E1D)
            define(isPriced: false)
        }

        func define(isPriced: Bool) {
            let schema = FieldIndexTests.descriptor(minor, isPriced: isPriced)
            minor += 1
            bench.submit([
                .defineTree(FieldIndexTests.names, TreeDefinition(keys: .name, schema: schema)),
                .defineTree(
                    FieldIndexTests.numbers,
                    TreeDefinition(
                        keys: .id,
                        isVersioned: true,
                        borrow: .optional,
                        schema: schema
                    )
                ),
            ])
            floor = bench.state.head
        }

        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

        func title() -> String {
            switch pick(6) {
            case 0: ""
            case 1: String(repeating: "long ", count: 60) + "\(pick(3))"
            case 2: "\u{0}" + String(repeating: "\u{1}", count: pick(3))
            case 3: "bolt"
            default: String("abc".prefix(1 + pick(3))) + (pick(2) == 0 ? "\u{0}" : "")
            }
        }

        func value() -> [UInt8] {
            var members: [String] = []
            if pick(5) > 0 {
                let text = title().unicodeScalars.map {
                    $0.value < 32 ? "\\u000\($0.value)" : String($0)
                }
                members.append("\"title\":\"\(text.joined())\"")
            }
            if pick(4) > 0 { members.append("\"stock\":\(pick(9) - 4)") }
            if pick(2) > 0 { members.append("\"price\":\"\(pick(3)).\(pick(3))0\"") }
            if pick(2) > 0 { members.append("\"made\":\"2026-01-0\(1 + pick(4))T00:00:00Z\"") }
            return Array(("{" + members.joined(separator: ",") + "}").utf8)
        }

        func tree(_ name: TreeName) -> TreeState {
            bench.state.tree(name).unsafelyUnwrapped
        }

        func keys(_ name: TreeName) -> [(key: RecordKey, location: Location)] {
            var found: [(RecordKey, Location)] = []
            _ = bench.state.scan(
                tree(name),
                after: nil,
                prefix: nil,
                from: nil,
                before: nil,
                .all,
                at: bench.state.head,
                entryCountMax: .max
            ) { key, location in
                found.append((key, location))
                return true
            }
            return found
        }

        func step() {
            let name = pick(2) == 0 ? FieldIndexTests.names : FieldIndexTests.numbers
            let known = keys(name)
            func version(_ location: Location) -> HoldfastRecords.Expectation {
                .version(
                    bench.state.position(
                        of: bench.log.withCommit(at: location.frameOffset, \.seq)
                    )
                )
            }
            switch pick(8) {
            case 0...2:
                let key =
                    name == FieldIndexTests.names
                    ? RecordKey(name: "\(title().filter { $0 >= " " })x\(pick(40))") : nil
                bench.submit([
                    .put(WriteOperation(tree: name, key: key, expects: .absent, value: value()))
                ])
            case 3, 4:
                guard !known.isEmpty else { return }
                let (key, location) = known[pick(known.count)]
                bench.submit([
                    .put(
                        WriteOperation(
                            tree: name,
                            key: key,
                            expects: version(location),
                            value: value()
                        )
                    )
                ])
            case 5:
                guard !known.isEmpty else { return }
                let (key, location) = known[pick(known.count)]
                let target = RecordOperation(tree: name, key: key, expects: version(location))
                bench.submit([pick(2) == 0 ? .delete(target) : .release(target, number: 0)])
            case 6:
                guard name == FieldIndexTests.numbers, !known.isEmpty else { return }
                bench.submit([.revise(tree: name, key: known[pick(known.count)].key, hold: nil)])
            default:
                _ = bench.state.growFieldIndexes(entryCountMax: 1 + pick(20))
            }
        }

        func condition() -> String {
            var prefix = title()
            prefix = String(prefix.prefix(1 + pick(3)))
            switch pick(8) {
            case 0: return "title:eq:\(title())"
            case 1: return "title:prefix:\(prefix)"
            case 2: return "title:\(["lt", "le", "gt", "ge"][pick(4)]):\(title())"
            case 3: return "stock:\(["eq", "lt", "le", "gt", "ge"][pick(5)]):\(pick(9) - 4)"
            case 4: return "stock:in:\(pick(9) - 4),5,\(pick(9) - 4)"
            case 5: return "price:\(["eq", "lt", "ge"][pick(3)]):\(pick(3)).\(pick(3))"
            case 6: return "title:in:bolt,abc,a"
            default:
                return "made:\(["eq", "lt", "le", "gt"][pick(4)]):2026-01-0\(1 + pick(4))T00:00:00Z"
            }
        }
    }

    @Test("An index names every record that passes, whatever happened", arguments: 1...60)
    func superset(_ seed: UInt64) throws {
        let warehouse = Warehouse(seed)
        let (bench, state) = (warehouse.bench, warehouse.bench.state)
        var lookedUp = 0
        for round in 0..<6 {
            for _ in 0..<60 { warehouse.step() }
            if round == 3 { warehouse.define(isPriced: seed % 2 == 0) }
            if round % 2 == 1 {
                let depth = UInt64(warehouse.pick(20))
                try state.rollback(to: max(warehouse.floor, state.head - min(depth, state.head)))
                bench.log.cut(to: Int(state.head))
            }
            if round > 1 { while state.growFieldIndexes(entryCountMax: 7) {} }
            for _ in 0..<40 {
                lookedUp += try check(warehouse, countMax: 1 + warehouse.pick(30)) ? 1 : 0
            }
        }
        #expect(lookedUp > 60, "seed \(seed)")
    }

    /// Whether one question was looked up; what it names is checked.
    private func check(_ warehouse: Warehouse, countMax: Int) throws -> Bool {
        let name = warehouse.pick(2) == 0 ? Self.names : Self.numbers
        let state = warehouse.bench.state
        let tree = warehouse.tree(name)
        let texts = (0...warehouse.pick(2)).map { _ in warehouse.condition() }
        let filter = RecordFilter(
            conditions: try texts.map { try FieldCondition($0, in: tree.declaration.current) }
        )
        let keys = warehouse.keys(name)
        var scratch = ByteBuffer()
        var passing: Set<RecordID> = []
        for (key, location) in keys {
            warehouse.bench.log.withEffect(at: location) { effect, _ in
                if filter.passes(effect, &scratch) { passing.insert(key.id) }
            }
        }
        var ids = keys.map(\.key.id)
        ids = ids.sorted()
        let first = warehouse.pick(3) == 0 && !ids.isEmpty ? ids[warehouse.pick(ids.count)] : nil
        guard let found = state.candidates(for: filter, in: tree, from: first, countMax: countMax)
        else { return false }
        #expect(found.ids == Set(found.ids).sorted() && found.ids.count <= countMax)
        // Whatever an index names was made some time.
        #expect(Set(found.ids).isSubset(of: ids))
        let wanted = passing.filter { id in
            (first.map { id >= $0 } ?? true)
                && (found.isAll || found.ids.last.map { id <= $0 } ?? false)
        }
        #expect(wanted.isSubset(of: found.ids), "\(texts) of \(name)")
        return true
    }

    @Test("An order by an index is that of a sort of all, page after page", arguments: 1...60)
    func ordered(_ seed: UInt64) throws {
        let warehouse = Warehouse(seed)
        let state = warehouse.bench.state
        for _ in 0..<150 { warehouse.step() }
        while state.growFieldIndexes(entryCountMax: 50) {}
        for name in [Self.names, Self.numbers] {
            let tree = warehouse.tree(name)
            let text = ["title", "-title", "stock", "-stock", "made", "-made"][warehouse.pick(6)]
            let order = try RecordOrder(text, in: tree.declaration.current)
            let condition = warehouse.condition()
            let filter =
                warehouse.pick(2) == 0
                ? RecordFilter()
                : RecordFilter(
                    conditions: [try FieldCondition(condition, in: tree.declaration.current)]
                )
            let revisions: RevisionChoice = [.latest, .released, .all][warehouse.pick(3)]
            var scratch = ByteBuffer()
            var wanted: [RecordOrder.Place] = []
            _ = state.scan(
                tree,
                after: nil,
                prefix: nil,
                revisions,
                at: state.head,
                entryCountMax: .max
            ) { key, location in
                warehouse.bench.log.withEffect(at: location) { effect, _ in
                    guard filter.passes(effect, &scratch) else { return }
                    wanted.append(order.place(of: effect, key, &scratch))
                }
                return true
            }
            wanted.sort(by: order.precedes)
            let limit = 1 + warehouse.pick(7)
            var found: [RecordOrder.Place] = []
            while true {
                let page = try #require(
                    state.orderedPlaces(
                        EngineState.OrderedQuestion(order, after: found.last, filter, revisions),
                        in: tree,
                        countMax: limit,
                        lookCountMax: .max,
                        includes: { _ in true }
                    )
                )
                found += page.places
                #expect(page.places.count <= limit)
                #expect(page.isAll == (found.count == wanted.count))
                if page.isAll || page.places.isEmpty { break }
            }
            #expect(found == wanted, "seed \(seed), \(text) of \(name), \(revisions)")
        }
    }

    @Test("A condition alone names no record that does not pass, unless it is an open bound")
    func precision() throws {
        let warehouse = Warehouse(3)
        for _ in 0..<200 { warehouse.step() }
        while warehouse.bench.state.growFieldIndexes(entryCountMax: 100) {}
        let tree = warehouse.tree(Self.names)
        #expect(tree.growingFieldIndexCount == 0 && tree.fieldIndexByteCount > 0)
        for text in ["stock:eq:5", "title:eq:bolt", "title:prefix:ab", "stock:in:1,2,3"] {
            let condition = try FieldCondition(text, in: tree.declaration.current)
            let filter = RecordFilter(conditions: [condition])
            let found = try #require(
                warehouse.bench.state.candidates(for: filter, in: tree, from: nil, countMax: 999)
            )
            var scratch = ByteBuffer()
            let passing = warehouse.keys(Self.names).filter { _, location in
                warehouse.bench.log.withEffect(at: location) { effect, _ in
                    filter.passes(effect, &scratch)
                }
            }
            #expect(!passing.isEmpty && found.isAll)
            #expect(found.ids == passing.map(\.key.id), "\(text)")
        }
    }

    @Test("Two bounds of one field narrow each other, and too many are not gathered")
    func bounds() throws {
        let warehouse = Warehouse(5)
        for number in 0..<300 {
            warehouse.bench.submit([
                .put(
                    WriteOperation(
                        tree: Self.names,
                        key: RecordKey(name: "n\(number)"),
                        expects: .absent,
                        value: Array("{\"stock\":\(number)}".utf8)
                    )
                )
            ])
        }
        while warehouse.bench.state.growFieldIndexes(entryCountMax: 64) {}
        let tree = warehouse.tree(Self.names)
        func count(_ texts: [String]) throws -> Int? {
            let filter = RecordFilter(
                conditions: try texts.map { try FieldCondition($0, in: tree.declaration.current) }
            )
            return warehouse.bench.state.candidates(for: filter, in: tree, from: nil, countMax: 50)?
                .ids.count
        }
        #expect(try count(["stock:ge:100"]) == nil)
        #expect(try count(["stock:lt:140"]) == nil)
        #expect(try count(["stock:ge:100", "stock:lt:140"]) == 41)
        #expect(try count(["stock:ge:280"]) == 20)
        #expect(try count(["stock:ne:1"]) == nil)
    }
}
