// Commits the tests of the content share.
import HoldfastBasics
import HoldfastRecords

/// Commits with all that the format has.
enum Samples {
    static let chainBefore = Hash128(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)
    private static let stamp = Stamp(at: 1_795_168_800_123, user: "anna", device: "PC-1")

    private static func block(_ name: String, _ effects: [Effect]) -> Block {
        guard let name = BlockName(name) else { preconditionFailure("\(name) is no block's name") }
        return Block(name: name, salt: Hash128(high: 0xA1A2, low: 0xA3A4), effects: effects)
    }

    private static func set(
        _ key: RecordKey,
        _ value: String,
        state: RecordState = .plain,
        schema: SchemaVersion = .none
    ) -> Effect {
        let image = PostImage(
            state: state,
            schema: schema,
            created: stamp,
            value: Array(value.utf8)
        )
        return Effect(key: key, label: .put, previousSeq: 40, image: image)
    }

    /// Three blocks: a released and a removed part, a footprint, a borrow.
    static let commit = Commit(
        seq: 41,
        epochIndex: 2,
        at: 1_795_168_900_000,
        madeAt: 1_795_168_899_000,
        changeID: UniqueID(high: 1, low: 2),
        jobID: UniqueID(high: 3, low: 4),
        digest: Hash128(high: 5, low: 6),
        deviceSeq: 7,
        user: "bert",
        device: "PC-2",
        app: "stockroom",
        why: "recount",
        detailsSalt: Hash128(high: 8, low: 9),
        blocks: [
            block(
                "parts",
                [
                    set(
                        RecordKey(number: 7, revision: 2),
                        #"{"number":"R 0805"}"#,
                        state: .released(3),
                        schema: SchemaVersion(1, 2)
                    ),
                    Effect(
                        key: RecordKey(number: 8),
                        label: .delete,
                        previousSeq: 39,
                        image: nil
                    ),
                ]
            ),
            block("footprints", [set(RecordKey(name: "R_0805 \u{B5}"), "{}")]),
            block(
                "_borrows/parts",
                [set(RecordKey(UniqueID(high: 1, low: 9)), #"{"note":"secret"}"#)]
            ),
        ]
    )

    /// One block with one effect, and no details.
    static let small = Commit(
        seq: 1,
        epochIndex: 0,
        at: 1_795_168_800_123,
        changeID: UniqueID(high: 1, low: 2),
        user: "anna",
        device: "PC-1",
        blocks: [block("footprints", [set(RecordKey(name: "R_0805"), #"{"pads":2}"#)])]
    )

    /// What is read of a commit's effects, those of the blocks with a wanted name.
    static func effects(
        of commit: Commit,
        where isWanted: (String) -> Bool = { _ in true }
    ) -> [FoundEffect] {
        commit.blocks.filter { isWanted($0.name.description) }.flatMap { block in
            block.effects.map { FoundEffect(block: block.name.description, effect: $0) }
        }
    }
}

/// An effect and where it was found.
struct FoundEffect: Hashable {
    let block: String
    let effect: Effect
}

/// The content of a commit that follows `Samples.chainBefore`.
func encoded(_ commit: Commit) throws -> [UInt8] {
    var encoder = CommitEncoder()
    var buffer = ByteBuffer()
    let chain = encoder.encode(commit, after: Samples.chainBefore, into: &buffer)
    let content = buffer.array
    guard try content.withView({ try CommitView($0).chain }) == chain else {
        throw ContentError.hashMismatch(offset: 96)
    }
    return content
}

/// Every visible effect as a value.
@discardableResult
func effects(_ view: CommitView) throws -> [FoundEffect] {
    var found: [FoundEffect] = []
    try view.forEachBlock { block, _ in
        try block.forEachEffect { effect in
            let value = Effect(
                key: effect.key,
                label: effect.label ?? .create,
                previousSeq: effect.previousSeq,
                image: effect.image
            )
            found.append(FoundEffect(block: block.name.text, effect: value))
        }
    }
    return found
}
