// Who may change what, and who gives out tokens: the rules, row by row.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

private typealias Operation = HoldfastRecords.Operation

@Suite struct RightsTests {
    private let room = Stockroom()
    private var bench: EngineBench { room.bench }

    private func decide(
        _ operation: Operation,
        _ rights: Rights?,
        role: Role = .authority
    ) -> Decision {
        bench.state.decide(
            Change(id: bench.id(), operations: [operation]),
            DecisionContext(
                caller: Caller(user: "anna", device: "PC-1"),
                now: bench.now,
                random: bench.random,
                role: role,
                rights: rights
            )
        )
    }

    private static func code(_ decision: Decision) -> RefusalCode? {
        if case .refused(let refusal) = decision { refusal.code } else { nil }
    }

    /// One operation of each kind, all of which nobody refuses who has every right.
    private func operations() throws -> [Operation] {
        let key = try room.create("R-1")
        let other = try room.create("R-2")
        let held = bench.id()
        let version = try room.version(key)
        bench.submit([.borrow(BorrowOperation(tree: Stockroom.parts, key: other, borrow: held))])
        let target = RecordOperation(tree: Stockroom.parts, key: key, expects: .version(version))
        var write = WriteOperation(
            tree: Stockroom.parts,
            key: key,
            expects: .version(version),
            value: Stockroom.part("R-1", stock: 2)
        )
        let patch = Operation.patch(write)
        let put = Operation.put(write)
        write.key = nil
        write.expects = .absent
        write.value = Stockroom.part("R-3")
        return [
            put, patch, .put(write), .delete(target), .release(target, number: 0),
            .setState(target, .draft(1)),
            .borrow(BorrowOperation(tree: Stockroom.parts, key: key, borrow: bench.id())),
            .return(held), .reserve(tree: Stockroom.parts, range: bench.id(), count: 5),
        ]
    }

    @Test("Changing records needs write; a tree that may not be read is not there")
    func writes() throws {
        for operation in try operations() {
            #expect(Self.code(decide(operation, nil)) == nil, "\(operation)")
            let unseen = Rights(trees: [Stockroom.bins: Set(Right.allCases)])
            let isOfBorrow = operation.tree == nil
            #expect(
                Self.code(decide(operation, unseen)) == (isOfBorrow ? .unknownBorrow : .unknownTree)
            )
            for right in Right.allCases {
                let alone = Rights(trees: [Stockroom.parts: [right]])
                let expected: RefusalCode? = right == .write ? nil : .forbidden
                #expect(Self.code(decide(operation, alone)) == expected, "\(right) \(operation)")
                let everywhere = Rights(everywhere: [right])
                #expect(Self.code(decide(operation, everywhere)) == expected)
            }
        }
    }

    @Test("A tree nobody may see is refused in the words of one there is not")
    func sameWords() throws {
        let unseen = Rights(trees: [Stockroom.bins: [.write]])
        let nowhere = try #require(TreeName("nowhere"))
        func refusal(_ tree: TreeName) throws -> String {
            let put = Operation.put(
                WriteOperation(tree: tree, key: nil, expects: .absent, value: Array("1".utf8))
            )
            guard case .refused(let refusal) = decide(put, unseen) else {
                throw Unexpected(decide(put, unseen))
            }
            return refusal.detail
        }
        let words = try refusal(Stockroom.parts)
        #expect(words == (try refusal(nowhere)).replacing("nowhere", with: "parts"))
    }

    @Test("Declaring a tree needs admin; saying what stands needs nothing but to see it")
    func declarations() throws {
        let same = Operation.defineTree(Stockroom.bins, TreeDefinition(keys: .id))
        let schema = Descriptor(version: SchemaVersion(1, 0), fields: [])
        let more = Operation.defineTree(
            Stockroom.bins,
            TreeDefinition(keys: .id, schema: schema)
        )
        let new = Operation.defineTree(try #require(TreeName("new")), TreeDefinition(keys: .id))
        let reader = Rights(trees: [Stockroom.bins: [.read]])
        if case .unchanged = decide(same, reader) {} else { Issue.record("it is as it stands") }
        #expect(Self.code(decide(more, reader)) == .forbidden)
        #expect(Self.code(decide(new, reader)) == .unknownTree)
        #expect(Self.code(decide(same, Rights(trees: [Stockroom.parts: [.admin]]))) == .unknownTree)
        #expect(Self.code(decide(more, Rights(trees: [Stockroom.bins: [.admin]]))) == nil)
        #expect(Self.code(decide(new, Rights(everywhere: [.admin]))) == nil)
        #expect(Self.code(decide(new, Rights(everywhere: [.write]))) == .forbidden)
    }

    @Test("Every right includes read; a right on a tree is none on another, or on the system's")
    func inclusion() {
        for right in Right.allCases {
            let rights = Rights(trees: [Stockroom.parts: [right]])
            #expect(rights.reads(Stockroom.parts) && !rights.reads(Stockroom.bins))
            #expect(rights.readable == [Stockroom.parts])
            #expect(!rights.hasEverywhere(right) && !rights.reads(.trees))
            #expect(Rights(everywhere: [right]).readable == nil)
        }
        #expect(Rights(trees: [Stockroom.parts: []]).isEmpty)
    }

    // MARK: Tokens

    private func token(_ rights: Rights, ends: Int64? = nil) -> TokenRecord {
        TokenRecord(
            id: bench.id(),
            hash: TokenSecret(random: bench.random).hash,
            user: "anna",
            bearer: .device("PC-1"),
            rights: rights,
            ends: ends
        )
    }

    @discardableResult
    private func act(_ act: TokenAct, _ rights: Rights? = nil) -> Decision {
        let decision = bench.state.decideToken(
            act,
            Change(id: bench.id(), why: "a reason", operations: []),
            DecisionContext(
                caller: Caller(user: "anna", device: "PC-1"),
                now: bench.now,
                random: bench.random,
                rights: rights
            )
        )
        if case .commit(let commit, _) = decision { bench.append(commit) }
        return decision
    }

    private static let admin = Rights(everywhere: [.admin])

    @Test("Tokens come and go by commits of _tokens alone, of which a projection shows nothing")
    func commits() throws {
        let (first, second) = (token(Self.admin), token(Rights(trees: [Stockroom.parts: [.read]])))
        let before = bench.log.count
        #expect(Self.code(act(.create(first))) == nil)
        #expect(Self.code(act(.create(second), Self.admin)) == nil)
        #expect(Set(try bench.state.tokens()) == [first, second])
        #expect(Self.code(act(.revoke(second.id), Self.admin)) == nil)
        #expect(try bench.state.tokens() == [first])
        #expect(try bench.refold().tokens() == [first])
        #expect(bench.log.count == before + 3)
        for offset in UInt64(before)..<UInt64(before + 3) {
            try bench.log.withCommit(at: offset) { commit in
                #expect(try commit.holds(.tokens) && commit.blockCount == 1)
                let shown = BlockFilter(trees: nil)
                let bytes = try commit.project(permitting: shown.permits)
                #expect(bytes.firstRange(of: Array("a reason".utf8)) == nil)
                try bytes.withView { bytes in
                    #expect(try !CommitView(bytes).holds(.tokens))
                    // Whoever has all but this still has a whole log.
                    try CommitView(bytes).checkWhole()
                }
            }
        }
    }

    @Test("Who may not administer everything gives out nothing and takes nothing back")
    func mayAdminister() {
        let first = token(Self.admin)
        act(.create(first))
        for rights in [
            Rights(everywhere: [.read, .write, .seize, .migrate]),
            Rights(trees: [Stockroom.parts: Set(Right.allCases)]),
        ] {
            #expect(Self.code(act(.create(token(Self.admin)), rights)) == .forbidden)
            #expect(Self.code(act(.revoke(first.id), rights)) == .forbidden)
        }
    }

    @Test("There is always one that may administer everything, but where the directory is at hand")
    func lastAdmin() {
        #expect(Self.code(act(.create(token(Rights(everywhere: [.read]))))) == .lastAdmin)
        #expect(Self.code(act(.create(token(Self.admin, ends: bench.now + 5)))) == .lastAdmin)
        let (first, second) = (token(Self.admin), token(Self.admin, ends: bench.now + 5))
        act(.create(first))
        #expect(Self.code(act(.revoke(first.id), Self.admin)) == .lastAdmin)
        act(.create(second))
        bench.now += 5
        #expect(second.hasEnded(at: bench.now))
        #expect(Self.code(act(.revoke(first.id), Self.admin)) == .lastAdmin)
        #expect(Self.code(act(.revoke(first.id))) == nil)
        #expect(Self.code(act(.revoke(first.id))) == .unknownToken)
    }

    @Test("A token that is none is refused, and nothing is logged")
    func refused() {
        act(.create(token(Self.admin)))
        let count = bench.log.count
        var bad = token(Self.admin)
        for user in ["", "_system", "a\u{7}", String(repeating: "a", count: 257)] {
            bad.user = user
            #expect(Self.code(act(.create(bad))) == .badBody, "\(user)")
        }
        bad = token(Self.admin)
        bad.bearer = .integration("_rest")
        #expect(Self.code(act(.create(bad))) == .badBody)
        #expect(Self.code(act(.create(token(Rights())))) == .badBody)
        #expect(Self.code(act(.create(token(Self.admin, ends: bench.now)))) == .badBody)
        let once = token(Self.admin)
        act(.create(once))
        #expect(Self.code(act(.create(once))) == .idempotencyMismatch)
        #expect(bench.log.count == count + 1)
    }

    @Test("A device that one user's token introduced is nobody else's; an unnamed one's is free")
    func devices() {
        func introduce(_ user: String, isProven: Bool = true) -> RefusalCode? {
            let device = DeviceRecord(
                id: "d-1",
                name: "PC",
                user: user,
                app: "stockroom",
                appVersion: "",
                confirmedDeviceSeq: 0,
                firstSeen: 0
            )
            let decision = bench.state.decideDevice(
                device,
                isProven: isProven,
                now: bench.now,
                random: bench.random
            )
            if case .commit(let commit, _) = decision { bench.append(commit) }
            return Self.code(decision)
        }
        #expect(introduce("local", isProven: false) == nil)
        #expect(introduce("anna") == nil)
        #expect(introduce("ben") == .forbidden)
        #expect(introduce("anna") == nil)
        #expect(introduce("ben", isProven: false) == nil)
    }
}
