// Values whose JSON stands in 3-api and in openapi/examples, and what tests do with bytes.
import HoldfastBasics
import HoldfastJSONCoding
import HoldfastRecords
import HoldfastWire
import Testing

func time(_ text: String) -> Int64 {
    Array(text.utf8).withView { Timestamp.milliseconds($0) ?? -1 }
}

func id(_ text: String) -> UniqueID { UniqueID(text) ?? .none }

enum Sample {
    static let epoch = Array("7t3k9x2m4q8wr".utf8).withView { Epoch($0) } ?? Epoch(rawValue: 0)
    static func position(_ seq: UInt64) -> Position { Position(epoch: epoch, seq: seq) }

    static let chain =
        Hash128("5f0d1c9be2a84736a1b0c9d8e7f60512") ?? .zero
    static let borrowID = id("0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10")
    static let otherBorrowID = id("0193c2a0-6f02-7a55-8e19-4b7d33c0aa21")
    static let endedBorrowID = id("0193c2a1-0c44-7b90-a1f2-6d5e8c9b7f32")
    static let changeID = id("0193c2a2-11d8-7e64-b3a5-92c41f7e0d43")
    static let databaseID = id("0193c29f-0000-7abc-8def-0123456789ab")
    static let created = time("2026-11-20T10:00:00.123Z")
    static let modified = time("2026-11-20T10:04:31.900Z")
    static let value =
        #"{"number":"R-100K-0603","stock":42,"footprint":"R_0603.0","pins":[{"number":"1"},{"number":"2"}]}"#

    static func tree(_ name: String) -> TreeName { TreeName(any: name) ?? .trees }

    static let part = RecordKey(number: 12)

    static let facts = BorrowFacts(
        id: borrowID,
        user: "anna",
        device: "PC-12",
        takenAt: created,
        dueAt: nil,
        note: "shelf 4",
        queue: 1,
        isYours: false
    )

    static let factsJSON =
        #"{"id":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","holder":{"user":"anna","device":"PC-12"},"#
        + #""takenAt":"2026-11-20T10:00:00.123Z","dueAt":null,"note":"shelf 4","queue":1,"#
        + #""yours":false}"#

    static let envelopeJSON =
        #"{"tree":"parts","key":{"id":12,"revision":0},"state":{"draft":0},"#
        + #""version":"7t3k9x2m4q8wr:48213","schema":"1.0","#
        + #""created":{"at":"2026-11-20T10:00:00.123Z","by":"anna","device":"PC-12"},"#
        + #""modified":{"at":"2026-11-20T10:04:31.900Z","by":"ben","device":"PC-07"},"#
        + #""borrow":"# + factsJSON + #","value":"# + value + "}"

    static let held = BorrowRecord(
        id: borrowID,
        tree: tree("parts"),
        key: part,
        kind: .held,
        state: .held,
        order: 7,
        user: "anna",
        device: "PC-12",
        takenAt: created,
        grantedAt: nil,
        dueAt: nil,
        termSeconds: nil,
        note: "shelf 4",
        recalled: nil
    )

    static let range = RangeRecord(
        id: endedBorrowID,
        tree: tree("parts"),
        device: "PC-12",
        first: 5000,
        end: 6000,
        at: created
    )

    static let rangeJSON =
        #"{"id":"0193c2a1-0c44-7b90-a1f2-6d5e8c9b7f32","tree":"parts","device":"PC-12","#
        + #""first":5000,"end":6000,"at":"2026-11-20T10:00:00.123Z"}"#

    static func image(
        _ value: String,
        _ state: RecordState = .draft(0),
        _ schema: SchemaVersion = SchemaVersion(1, 0)
    ) -> PostImage {
        PostImage(
            state: state,
            schema: schema,
            created: Stamp(at: created, user: "anna", device: "PC-12"),
            value: Array(value.utf8)
        )
    }

    /// The commit of openapi/examples/Commit.json, without its chain.
    static let commit = Commit(
        seq: 48213,
        epochIndex: 0,
        at: modified,
        changeID: changeID,
        user: "ben",
        device: "PC-07",
        app: "stockroom",
        why: "recount",
        blocks: [
            block(
                "parts",
                [Effect(key: part, label: .put, previousSeq: 48190, image: image(value))]
            ),
            block(
                "_borrows/parts",
                [
                    Effect(
                        key: RecordKey(endedBorrowID),
                        label: .return,
                        previousSeq: 48200,
                        image: nil
                    )
                ]
            ),
        ]
    )

    static func block(_ name: String, _ effects: [Effect]) -> Block {
        Block(
            name: BlockName(name) ?? BlockName(tree: .trees),
            salt: Hash128(high: 1, low: 2),
            effects: effects
        )
    }

    static let commitHead =
        #""id":"0193c2a2-11d8-7e64-b3a5-92c41f7e0d43","at":"2026-11-20T10:04:31.900Z","by":"ben","#
        + #""device":"PC-07","app":"stockroom","why":"recount""#

    static let setJSON =
        #"{"set":{"tree":"parts","key":{"id":12,"revision":0},"label":"put","#
        + #""state":{"draft":0},"schema":"1.0","value":"# + value + "}}"

    static let removeJSON =
        #"{"remove":{"tree":"_borrows","key":{"name":"0193c2a1-0c44-7b90-a1f2-6d5e8c9b7f32","#
        + #""revision":0},"label":"return"}}"#
}

/// Runs `body` with a commit as it stands in the log.
func withView<T>(_ commit: Commit, _ body: (CommitView) throws -> T) throws -> T {
    var encoder = CommitEncoder()
    var bytes = ByteBuffer()
    _ = encoder.encode(commit, after: .zero, into: &bytes)
    return try body(CommitView(bytes.view))
}

/// Runs `body` with the first effect of a commit.
func withFirstEffect(_ commit: Commit, _ body: (EffectView, CommitView) throws -> Void) throws {
    try withView(commit) { view in
        var isFirst = true
        try view.forEachBlock { block, _ in
            try block.forEachEffect { effect in
                if isFirst { try body(effect, view) }
                isFirst = false
            }
        }
        #expect(!isFirst)
    }
}

/// What a writer writes, checked to be normalised JSON.
func written(_ write: (inout ByteBuffer) throws -> Void) throws -> String {
    var buffer = ByteBuffer()
    try write(&buffer)
    let document = try JSONNormalizer.normalized(buffer.view)
    #expect(document == buffer.array)
    return buffer.view.text
}

/// Text as bytes.
func reading<T>(
    _ text: String,
    _ read: (ByteView) throws(ShapeRefusal) -> T
) throws(ShapeRefusal) -> T {
    let result: Result<T, ShapeRefusal> = Array(text.utf8).withView { view in
        do throws(ShapeRefusal) { return .success(try read(view)) } catch { return .failure(error) }
    }
    return try result.get()
}

/// The refusal of a text.
func refusal<T>(_ text: String, _ read: (ByteView) throws(ShapeRefusal) -> T) -> Refusal? {
    do throws(ShapeRefusal) {
        _ = try reading(text, read)
        return nil
    } catch {
        return error.refusal
    }
}
