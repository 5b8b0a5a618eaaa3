// The life of the database in Tests/Fixtures/log-v1: every kind of operation once at least.
//
// It was written by this story and stays as it is; the story shows what is in it, and writes the
// fixture of the next format.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

/// Writes a database with all that the format has.
struct FixtureStory {
    private static let parts = StockModel.parts
    private static let bins = StockModel.bins
    private static let footprints = StockModel.footprints

    /// A change that is sent again after every opening.
    static let resent = Change(
        id: UniqueID(high: 0x0198_C5F2_7B1E_7C3A, low: 0x9D55_0000_0000_00AA),
        digest: Hash128(high: 0x1122_3344_5566_7788, low: 0x99AA_BBCC_DDEE_FF00),
        jobID: UniqueID(high: 0x0198_C5F2_7B1E_7C3A, low: 0x9D55_0000_0000_00BB),
        madeAt: 1_767_225_599_000,
        deviceSeq: 3,
        why: "stocktaking \u{2713}",
        operations: [
            StoreBench.name("SOT-23"),
            .put(
                WriteOperation(
                    tree: bins,
                    key: nil,
                    expects: .absent,
                    value: Array(#"{"label":"A 1"}"#.utf8)
                )
            ),
        ]
    )

    /// Who sends it.
    static let author = Caller(user: "anna", device: "PC-1", app: "stockroom")

    private let bench: StoreBench

    /// Writes the database into an empty disk.
    @discardableResult
    init(_ disk: any Disk) throws {
        bench = try StoreBench(
            disk,
            seed: 20_261_121,
            options: LogOptions(segmentByteCount: 8192, growByteCount: 1024)
        )
        try declare()
        try names()
        try lifecycle()
        try borrows()
        try schemas()
        try bulk()
        try bench.store.close()
    }

    @discardableResult
    private func accept(
        _ operations: HoldfastRecords.Operation...,
        by caller: Caller = StoreBench.anna
    ) throws -> [OperationResult] {
        bench.time.advance(milliseconds: 1000)
        let answer = bench.submit(operations, by: caller)
        guard case .accepted(_, let results) = answer else {
            throw Disagreement("\(operations): \(answer)")
        }
        bench.sync()
        return results
    }

    private func put(
        _ tree: TreeName,
        _ key: RecordKey,
        _ value: String,
        expects: HoldfastRecords.Expectation? = nil,
        borrow: UniqueID? = nil,
        hold: UniqueID? = nil
    ) -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: tree,
                key: key,
                expects: expects,
                borrow: borrow,
                hold: hold,
                value: Array(value.utf8)
            )
        )
    }

    private func target(_ tree: TreeName, _ key: RecordKey) throws -> RecordOperation {
        RecordOperation(
            tree: tree,
            key: key,
            expects: .version(try bench.version(key, of: tree))
        )
    }

    private func partSchema(
        _ version: SchemaVersion,
        _ more: [Field] = []
    ) -> HoldfastRecords.Operation {
        .defineTree(
            Self.parts,
            TreeDefinition(
                keys: .id,
                isVersioned: true,
                schema: Descriptor(
                    version: version,
                    fields: [Field(name: "number", type: .string, isUnique: true)] + more
                )
            )
        )
    }

    // MARK: Chapters

    private func declare() throws {
        let stock = Field(name: "stock", type: .int(bits: 64), isOptional: true)
        try accept(partSchema(SchemaVersion(1, 0), [stock]))
        try accept(.defineTree(Self.bins, TreeDefinition(keys: .id)))
        try accept(.defineTree(Self.footprints, TreeDefinition(keys: .name)))
        try accept(.reserve(tree: Self.parts, range: bench.id(), count: 50))
        try accept(
            .reserve(tree: Self.bins, range: bench.id(), count: 20),
            .reserve(tree: Self.bins, range: bench.id(), count: 5),
            by: StoreBench.bert
        )
        let device = DeviceRecord(
            id: "PC-1",
            name: "front desk",
            user: "anna",
            app: "stockroom",
            appVersion: "1.0",
            schemaVersions: [Self.parts: SchemaVersion(1, 0)],
            confirmedDeviceSeq: 0,
            firstSeen: 0
        )
        try #require(bench.store.introduce(device).isAccepted)
        var later = device
        later.confirmedDeviceSeq = 2
        later.appVersion = "1.1"
        try #require(bench.store.introduce(later).isAccepted)
    }

    /// Names of every kind; one deleted, one deleted and made again.
    private func names() throws {
        let names = ["R_0805", "a b/c", "\u{B5}\u{2603}", "e\u{301}", "\u{E9}", "gone", "again"]
        for name in names { try accept(StoreBench.name(name)) }
        try accept(.delete(target(Self.footprints, RecordKey(name: "gone"))))
        try accept(.delete(target(Self.footprints, RecordKey(name: "again"))))
        try accept(
            put(Self.footprints, RecordKey(name: "again"), #"{"pads":[1,2]}"#, expects: .absent)
        )
        bench.time.advance(milliseconds: 1000)
        try #require(bench.store.submit(Self.resent, by: Self.author).isAccepted)
        bench.sync()
    }

    private func lifecycle() throws {
        let one = RecordKey(number: 1)
        let two = RecordKey(number: 2)
        try accept(put(Self.parts, one, #"{"number":"n1","stock":5}"#, expects: .absent))
        try accept(put(Self.parts, two, #"{"number":"n2"}"#, expects: .absent))
        try accept(StoreBench.create("n3"), by: StoreBench.carl)
        try accept(
            .patch(
                WriteOperation(
                    tree: Self.parts,
                    key: one,
                    expects: .version(try bench.version(one)),
                    value: Array(#"{"stock":6}"#.utf8)
                )
            )
        )
        try accept(bench.rename(two, "n2b"))
        // A unique value moves, in one change.
        try accept(bench.rename(one, "n2b"), bench.rename(two, "n1"))
        try accept(.setState(target(Self.parts, one), .draft(4)))
        try accept(.release(target(Self.parts, one), number: 1))
        try accept(.setState(target(Self.parts, one), .released(2)))
        let hold = bench.id()
        try accept(.revise(tree: Self.parts, key: one, hold: hold))
        try accept(bench.rename(RecordKey(number: 1, revision: 1), "n2b", under: hold))
        // An id that is gone is never used again.
        let gone = RecordKey(number: 3)
        try accept(put(Self.parts, gone, #"{"number":"n4"}"#, expects: .absent))
        try accept(.delete(target(Self.parts, gone)))
    }

    private func take(_ key: RecordKey, by caller: Caller, queue: Bool = false) throws -> UniqueID {
        let id = bench.id()
        let taking = BorrowOperation(
            tree: Self.parts,
            key: key,
            borrow: id,
            note: "shelf \u{201C}4\u{201D}",
            dueAt: queue ? nil : 1_767_312_000_000,
            queue: queue
        )
        try accept(.borrow(taking), by: caller)
        return id
    }

    private func borrows() throws {
        let two = RecordKey(number: 2)
        let first = try take(two, by: StoreBench.anna)
        _ = try take(two, by: StoreBench.bert, queue: true)
        let third = try take(two, by: StoreBench.carl, queue: true)
        // Bert is granted and does not confirm: the grant lapses, and Carl is served.
        try accept(.return(first))
        bench.time.advance(milliseconds: Limits.grantMilliseconds + 1)
        bench.store.tick()
        bench.sync()
        try accept(
            .borrow(BorrowOperation(tree: Self.parts, key: two, borrow: third, queue: true)),
            by: StoreBench.carl
        )
        let fourth = try take(two, by: StoreBench.bert, queue: true)
        try accept(.cancel(fourth), by: StoreBench.bert)
        _ = try take(two, by: StoreBench.anna, queue: true)
        _ = try take(two, by: StoreBench.bert, queue: true)
        // A record with a holder and a line is deleted: all of them end.
        let hold = bench.id()
        let five = RecordKey(number: 5)
        try accept(
            put(Self.parts, five, #"{"number":"n5"}"#, expects: .absent, hold: hold)
        )
        _ = try take(five, by: StoreBench.bert, queue: true)
        try accept(.delete(RecordOperation(tree: Self.parts, key: five, borrow: hold)))
        // And a grant that stands unconfirmed at the end.
        let six = RecordKey(number: 6)
        try accept(put(Self.parts, six, #"{"number":"n6"}"#, expects: .absent))
        let holder = try take(six, by: StoreBench.anna)
        _ = try take(six, by: StoreBench.bert, queue: true)
        try accept(.return(holder))
    }

    /// A minor version, then a major one; records of each.
    private func schemas() throws {
        let stock = Field(name: "stock", type: .int(bits: 64), isOptional: true)
        let footprint = Field(
            name: "footprint",
            type: .key(tree: Self.footprints),
            isOptional: true
        )
        try accept(partSchema(SchemaVersion(1, 1), [stock, footprint]))
        try accept(
            put(
                Self.parts,
                RecordKey(number: 7),
                #"{"number":"n7","footprint":"R_0805.0"}"#,
                expects: .absent
            )
        )
        let counted = Field(name: "stock", type: .dictionary(.int(bits: 64)))
        try accept(partSchema(SchemaVersion(2, 0), [counted, footprint]))
        try accept(
            put(
                Self.parts,
                RecordKey(number: 8),
                #"{"number":"n8","stock":{"A 1":4}}"#,
                expects: .absent
            )
        )
    }

    /// Commits that are large: many effects, and a long value.
    private func bulk() throws {
        let first: UInt64 = 1
        let many = (0..<20).map { index in
            put(
                Self.bins,
                RecordKey(number: first + UInt64(index)),
                #"{"label":"bin \#(index)"}"#,
                expects: .absent
            )
        }
        bench.time.advance(milliseconds: 1000)
        try #require(bench.submit(many, by: StoreBench.bert).isAccepted)
        bench.sync()
        let text = String(repeating: "0123456789abcdef", count: 640)
        try accept(put(Self.footprints, RecordKey(name: "long"), "\"\(text)\"", expects: .absent))
    }
}
