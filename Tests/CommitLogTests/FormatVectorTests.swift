// The test vectors of FORMAT.md, which a program of another language has computed, against what the
// product computes.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct FormatVectorTests {
    private let document: FormatDocument

    init() throws { document = try FormatDocument(section: "Test vectors") }

    @Test("CRC-32C is the documented one, with and without CPU instructions")
    func checksums() throws {
        for row in try document.rows("crc32c", columns: 3) {
            let seed = try #require(UInt32(row[0], radix: 16))
            let data = try bytes(hexadecimal: row[2])
            data.withView {
                #expect(CRC32C.extend(seed, $0) == UInt32(row[1], radix: 16))
                #expect(CRC32C.extendPortably(seed, $0) == UInt32(row[1], radix: 16))
            }
        }
    }

    @Test("FoldHash is the documented one")
    func folds() throws {
        for row in try document.rows("fold", columns: 3) {
            var hash = FoldHash(seed: try #require(UInt64(row[0], radix: 16)))
            try bytes(hexadecimal: row[2]).withView { hash.combine($0) }
            #expect(hash.value == UInt64(row[1], radix: 16), "\(row)")
        }
    }

    @Test("The encoder writes the documented bytes")
    func encoder() throws {
        let dumps = try document.dumps("commit")
        #expect(dumps.count == 3)
        var encoder = CommitEncoder()
        var chain = Hash128.zero
        // The third has extensions, which this version only reads.
        for commit in [DocumentedCommits.first, DocumentedCommits.second] {
            var buffer = ByteBuffer()
            chain = encoder.encode(commit, after: chain, into: &buffer)
            let expected = try #require(dumps[String(commit.seq)])
            try #require(buffer.count == expected.count)
            for (offset, byte) in buffer.array.enumerated() {
                try #require(byte == expected[offset], "commit \(commit.seq), byte \(offset)")
            }
        }
    }

    @Test("The documented commits verify one after the other, and their hashes are as listed")
    func hashes() throws {
        let chains = try document.rows("chain", columns: 2)
        let sections = try document.rows("section", columns: 3)
        var chain = Hash128.zero
        for seq in 1...3 {
            let content = try #require(try document.dumps("commit")[String(seq)])
            try content.withView { bytes in
                let view = try CommitView(bytes)
                #expect(view.seq == UInt64(seq))
                try view.verify(after: chain)
                chain = view.chain
                #expect(chains.contains([String(seq), chain.description]))
                // Where each section's hash stands is known from its name in the listing.
                for row in sections where row[0] == String(seq) {
                    let hash = try HoldfastTestSupport.bytes(hexadecimal: row[1])
                    #expect(content.firstRange(of: hash) != nil, "\(row)")
                }
            }
        }
        #expect(sections.count == 6)
    }

    @Test("Projections have the documented bytes")
    func projections() throws {
        let rows = try document.rows("projection", columns: 4)
        #expect(rows.count == 9)
        for row in rows {
            let content = try #require(try document.dumps("commit")[row[0]])
            let projected = try content.withView { bytes in
                try CommitView(bytes).project { $0.text == row[3] }
            }
            #expect(String(projected.count) == row[2], "\(row)")
            let digest = projected.withView { SHA256.digest($0) }
            #expect(digest.description.hasPrefix(row[1]), "\(row)")
        }
    }

    @Test("Record hashes are the documented ones, and their sum is the tree's")
    func treeHashes() throws {
        let records = try document.rows("record", columns: 4)
        let trees = try document.rows("tree", columns: 3)
        var found: [[String]] = []
        var live: [String: [String: Hash128]] = [:]
        for seq in 1...3 {
            let content = try #require(try document.dumps("commit")[String(seq)])
            var changed: [String] = []
            try content.withView { bytes in
                try CommitView(bytes).forEachBlock { block, _ in
                    let name = block.name.text
                    changed.append(name)
                    try block.forEachEffect { effect in
                        let key = effect.key.description
                        live[name, default: [:]][key] = nil
                        guard effect.isSet else { return }
                        let hash = TreeHash.record(effect, block: block.name, seq: UInt64(seq))
                        live[name]?[key] = hash
                        found.append([String(seq), hash.description, name, key])
                    }
                }
            }
            for name in changed {
                let sum = (live[name] ?? [:]).values.reduce(.zero) { $0 &+ $1 }
                #expect(trees.contains([String(seq), sum.description, name]), "\(name)")
            }
        }
        #expect(found == records)
        #expect(trees.count == 5)
    }
}

/// The commits that FORMAT.md shows byte by byte, as values.
enum DocumentedCommits {
    private static let anna = Stamp(at: 1_795_168_800_123, user: "anna", device: "PC-1")
    private static let bert = Stamp(at: 1_795_168_860_000, user: "bert", device: "PC-2")

    private static func id(_ number: UInt64) -> UniqueID {
        UniqueID(high: 0x0198_C5F2_7B1E_7C3A, low: 0x9D55_0000_0000_0000 | number)
    }

    private static func block(_ name: String, salt: UInt8, _ effects: [Effect]) -> Block {
        let half = UInt64(salt) * 0x0101_0101_0101_0101
        guard let name = BlockName(name) else { preconditionFailure("\(name) is no block's name") }
        return Block(name: name, salt: Hash128(high: half, low: half), effects: effects)
    }

    private static func image(
        _ value: String,
        by stamp: Stamp,
        state: RecordState = .plain,
        schema: SchemaVersion = .none
    ) -> PostImage {
        PostImage(state: state, schema: schema, created: stamp, value: Array(value.utf8))
    }

    static let first = Commit(
        seq: 1,
        epochIndex: 0,
        at: anna.at,
        changeID: id(0x10),
        user: "anna",
        device: "PC-1",
        app: "stockroom",
        why: "first parts",
        detailsSalt: Hash128(high: 0xD1D1_D1D1_D1D1_D1D1, low: 0xD1D1_D1D1_D1D1_D1D1),
        blocks: [
            block(
                "parts",
                salt: 0xA1,
                [
                    Effect(
                        key: RecordKey(number: 7, revision: 1),
                        label: .release,
                        previousSeq: 0,
                        image: image(
                            #"{"number":"R 0805","pins":2}"#,
                            by: anna,
                            state: .released(3),
                            schema: SchemaVersion(1, 2)
                        )
                    ),
                    Effect(
                        key: RecordKey(number: 8),
                        label: .create,
                        previousSeq: 0,
                        image: image(
                            "[]",
                            by: anna,
                            state: .draft(0),
                            schema: SchemaVersion(2, 0)
                        )
                    ),
                ]
            ),
            block(
                "footprints",
                salt: 0xA2,
                [
                    Effect(
                        key: RecordKey(name: "R_0805 (2012 \u{B5}m)"),
                        label: .put,
                        previousSeq: 0,
                        image: image("{}", by: anna)
                    )
                ]
            ),
        ]
    )

    static let second = Commit(
        seq: 2,
        epochIndex: 0,
        at: bert.at,
        madeAt: bert.at - 5000,
        changeID: id(0x11),
        jobID: id(0x12),
        digest: Hash128(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF),
        deviceSeq: 17,
        user: "bert",
        device: "PC-2",
        blocks: [
            block(
                "footprints",
                salt: 0xB1,
                [
                    Effect(
                        key: RecordKey(name: "R_0805 (2012 \u{B5}m)"),
                        label: .delete,
                        previousSeq: 1,
                        image: nil
                    )
                ]
            ),
            block(
                "_borrows/parts",
                salt: 0xB2,
                [
                    Effect(
                        key: RecordKey(id(1)),
                        label: .borrow,
                        previousSeq: 0,
                        image: image(#"{"tree":"parts"}"#, by: bert)
                    )
                ]
            ),
        ]
    )
}
