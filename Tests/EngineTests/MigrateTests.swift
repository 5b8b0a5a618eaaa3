// Rewriting what an older major version wrote, past those who have borrowed it.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct MigrateTests {
    private let room = Stockroom()
    private let next = Array(#"{"title":"R-1"}"#.utf8)

    /// A part of version 1.0, held by bea, in a tree that has version 2.0 since.
    private func held() throws -> (key: RecordKey, version: Position) {
        let key = try room.create("R-1")
        #expect(room.take(key, room.bench.id(), by: "bea").isCommit)
        room.define(
            Stockroom.parts,
            TreeDefinition(
                keys: .id,
                isVersioned: true,
                schema: Descriptor(
                    version: SchemaVersion(2, 0),
                    fields: [Field(name: "title", type: .string)]
                )
            )
        )
        return (key, try room.version(key))
    }

    private func migration(
        _ key: RecordKey?,
        _ expects: HoldfastRecords.Expectation?,
        value: [UInt8]? = nil
    ) -> WriteOperation {
        WriteOperation(
            tree: Stockroom.parts,
            key: key,
            expects: expects,
            isMigration: true,
            value: value ?? next
        )
    }

    private func holder(of key: RecordKey) throws -> String? {
        try #require(room.bench.state.tree(Stockroom.parts)).holder(of: key)?.user
    }

    @Test("A record that somebody holds is rewritten, and stays held")
    func rewrites() throws {
        let (key, version) = try held()
        var plain = migration(key, .version(version))
        plain.isMigration = false
        #expect(room.bench.submit([.put(plain)]).refusal == .borrowed)
        #expect(room.bench.submit([.put(migration(key, .version(version)))]).isCommit)
        #expect(try room.value(key) == #"{"title":"R-1"}"#)
        #expect(try holder(of: key) == "bea")
        // Once more there is nothing to rewrite.
        let again = migration(key, .version(try room.version(key)))
        #expect(room.bench.submit([.put(again)]).refusal == .badBody)
    }

    @Test("It names the version it saw, and nothing that would stand for it")
    func conditions() throws {
        let (key, version) = try held()
        let held = try #require(
            room.bench.state.tree(Stockroom.parts)?.holder(of: key)?.id
        )
        var underBorrow = migration(key, .version(version))
        underBorrow.borrow = held
        var holding = migration(key, .version(version))
        holding.hold = room.bench.id()
        let first = Position(epoch: version.epoch, seq: 1)
        for (write, code) in [
            (migration(nil, .version(version)), RefusalCode.badBody),
            (migration(key, nil), .badBody),
            (migration(key, .absent), .badBody), (underBorrow, .badBody), (holding, .badBody),
            (migration(key, .version(first)), .stale),
            (migration(RecordKey(number: 999), .version(version)), .notFound),
            (migration(key, .version(version), value: Stockroom.part("R-1")), .unknownField),
        ] {
            #expect(room.bench.submit([.put(write)], by: "bea").refusal == code, "\(write)")
        }
        #expect(try room.version(key) == version)
    }

    @Test("What was released is never rewritten, and what has no schema is none of it")
    func others() throws {
        let released = try room.create("R-2")
        let target = room.target(released, .version(try room.version(released)))
        #expect(room.bench.submit([.release(target, number: 1)]).isCommit)
        _ = try held()
        let write = migration(released, .version(try room.version(released)))
        #expect(room.bench.submit([.put(write)]).refusal == .released)

        let bin = WriteOperation(
            tree: Stockroom.bins,
            key: nil,
            expects: .absent,
            value: Array("1".utf8)
        )
        guard case .commit(_, let results) = room.bench.submit([.put(bin)]),
            case .created(_, let key) = results.last
        else { return #expect(Bool(false), "no bin") }
        var rewrite = migration(key, .version(try room.version(key, in: Stockroom.bins)))
        rewrite.tree = Stockroom.bins
        #expect(room.bench.submit([.put(rewrite)]).refusal == .badBody)
    }

    @Test("It takes the right `migrate`, and no other", arguments: Right.allCases)
    func rights(right: Right) throws {
        let (key, version) = try held()
        let decision = room.bench.state.decide(
            Change(id: room.bench.id(), operations: [.put(migration(key, .version(version)))]),
            DecisionContext(
                caller: Caller(user: "anna", device: "PC-1"),
                now: room.bench.now,
                random: room.bench.random,
                rights: Rights(trees: [Stockroom.parts: [right]])
            )
        )
        #expect(decision.refusal == (right == .migrate ? nil : .forbidden))
    }
}
