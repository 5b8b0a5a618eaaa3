// The body of POST /v1/changes: what it means, and what is refused with which member.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct ChangeRequestTests {
    static func read(_ body: ByteView) throws(ShapeRefusal) -> ChangeRequest {
        try ChangeRequest(body, newID: { Sample.databaseID })
    }

    @Test("The contract's example is read as it is meant")
    func example() throws {
        let body = """
            {"id":"0193c2a2-11d8-7e64-b3a5-92c41f7e0d43", "why":"recount", "operations":[
              {"put":{"tree":"parts","key":{"id":12,"revision":0},"expects":"7t3k9x2m4q8wr:48190",
                      "value":{ "number": "R-100K", "stock": 42.0 }}},
              {"put":{"tree":"moves","expects":"absent","value":{"part":"12.0","count":-1},
                      "hold":"0193c2a0-6f02-7a55-8e19-4b7d33c0aa21"}},
              {"borrow":{"tree":"parts","key":{"id":13,"revision":0},
                         "borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","note":"shelf 4"}},
              {"return":{"borrow":"0193c2a1-0c44-7b90-a1f2-6d5e8c9b7f32"}}]}
            """
        let request = try reading(body, Self.read)
        let change = request.change(id: Sample.changeID, digest: .zero, why: "other")
        let expected = Change(
            id: Sample.changeID,
            why: "recount",
            operations: [
                .put(
                    WriteOperation(
                        tree: Sample.tree("parts"),
                        key: Sample.part,
                        expects: .version(Sample.position(48190)),
                        value: Array(#"{"number":"R-100K","stock":42.0}"#.utf8)
                    )
                ),
                .put(
                    WriteOperation(
                        tree: Sample.tree("moves"),
                        key: nil,
                        expects: .absent,
                        hold: Sample.otherBorrowID,
                        value: Array(#"{"part":"12.0","count":-1}"#.utf8)
                    )
                ),
                .borrow(
                    BorrowOperation(
                        tree: Sample.tree("parts"),
                        key: RecordKey(number: 13),
                        borrow: Sample.borrowID,
                        note: "shelf 4"
                    )
                ),
                .return(Sample.endedBorrowID),
            ]
        )
        #expect(request.id == Sample.changeID)
        #expect(change == expected)
    }

    static let operations: [(String, HoldfastRecords.Operation)] = [
        (
            #"{"patch":{"tree":"bins","key":{"name":"a","revision":3},"schema":"1.2","value":null,"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}}"#,
            .patch(
                WriteOperation(
                    tree: Sample.tree("bins"),
                    key: RecordKey(name: "a", revision: 3),
                    borrow: Sample.borrowID,
                    schema: SchemaVersion(1, 2),
                    value: Array("null".utf8)
                )
            )
        ),
        (
            #"{"delete":{"tree":"bins","key":{"id":3},"expects":"change:0193c2a2-11d8-7e64-b3a5-92c41f7e0d43","borrow":null}}"#,
            .delete(
                RecordOperation(
                    tree: Sample.tree("bins"),
                    key: RecordKey(number: 3),
                    expects: .change(Sample.changeID)
                )
            )
        ),
        (
            #"{"release":{"tree":"parts","key":{"id":12,"revision":0},"released":4,"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}}"#,
            .release(
                RecordOperation(
                    tree: Sample.tree("parts"),
                    key: Sample.part,
                    borrow: Sample.borrowID
                ),
                number: 4
            )
        ),
        (
            #"{"release":{"tree":"parts","key":{"id":12,"revision":0}}}"#,
            .release(
                RecordOperation(tree: Sample.tree("parts"), key: Sample.part),
                number: 0
            )
        ),
        (
            #"{"revise":{"tree":"parts","key":{"id":12,"revision":0},"hold":"0193c2a0-6f02-7a55-8e19-4b7d33c0aa21"}}"#,
            .revise(tree: Sample.tree("parts"), key: Sample.part, hold: Sample.otherBorrowID)
        ),
        (
            #"{"setState":{"tree":"parts","key":{"id":12,"revision":0},"state":{"draft":2},"expects":"7t3k9x2m4q8wr:48190"}}"#,
            .setState(
                RecordOperation(
                    tree: Sample.tree("parts"),
                    key: Sample.part,
                    expects: .version(Sample.position(48190))
                ),
                .draft(2)
            )
        ),
        (
            #"{"borrow":{"tree":"parts","key":{"id":12,"revision":0},"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","kind":"leased","termSeconds":30,"dueAt":"2026-11-20T10:00:00.123Z","queue":true}}"#,
            .borrow(
                BorrowOperation(
                    tree: Sample.tree("parts"),
                    key: Sample.part,
                    borrow: Sample.borrowID,
                    kind: .leased,
                    termSeconds: 30,
                    dueAt: Sample.created,
                    queue: true
                )
            )
        ),
        (
            #"{"cancel":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}}"#,
            .cancel(Sample.borrowID)
        ),
        (
            #"{"recall":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","note":"now"}}"#,
            .recall(Sample.borrowID, note: "now")
        ),
        (
            #"{"seize":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}}"#,
            .seize(Sample.borrowID)
        ),
        (
            #"{"setHolder":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","holder":{"user":"ben","device":"PC-7"}}}"#,
            .setHolder(Sample.borrowID, user: "ben", device: "PC-7")
        ),
        (
            #"{"reserve":{"tree":"parts","count":1000}}"#,
            .reserve(tree: Sample.tree("parts"), range: Sample.databaseID, count: 1000)
        ),
        (
            #"{"defineTree":{"tree":"moves","definition":{"keys":"id","borrow":"optional"}}}"#,
            .defineTree(Sample.tree("moves"), TreeDefinition(keys: .id, borrow: .optional))
        ),
    ]

    @Test("Every operation has its form", arguments: operations.indices)
    func everyOperation(_ index: Int) throws {
        let (text, expected) = Self.operations[index]
        let request = try reading(#"{"operations":[\#(text)]}"#, Self.read)
        #expect(request.operations == [expected])
        #expect(request.id == nil)
    }

    static let malformed: [(body: String, code: RefusalCode, field: String?, operation: Int?)] = [
        ("", .badJSON, nil, nil),
        ("{\"operations\":", .badJSON, nil, nil),
        (#"{"operations":[],"operations":[]}"#, .badJSON, nil, nil),
        ("{\"why\":\"\u{1}\"}", .badJSON, nil, nil),
        ("[]", .badBody, nil, nil),
        ("{}", .badBody, "operations", nil),
        (#"{"operations":[]}"#, .badBody, "operations", nil),
        (#"{"operations":{}}"#, .badBody, "operations", nil),
        (#"{"operations":[7]}"#, .badBody, "operations.0", 0),
        (#"{"operations":[{}]}"#, .badBody, "operations.0", 0),
        (#"{"id":7,"operations":[]}"#, .badBody, "id", nil),
        (
            #"{"id":"00000000-0000-0000-0000-000000000000","operations":[]}"#, .badBody, "id", nil
        ),
        (#"{"who":"me"}"#, .badBody, "who", nil),
        (#"{"why":[]}"#, .badBody, "why", nil),
        (#"{"madeAt":"today"}"#, .badBody, "madeAt", nil),
        (#"{"requires":[]}"#, .unsupported, "requires", nil),
        (#"{"deviceSeq":1}"#, .unsupported, "deviceSeq", nil),
        (#"{"operations":[{"steal":{}}]}"#, .badBody, "operations.0.steal", 0),
        (#"{"operations":[{"seize":{}}]}"#, .badBody, "operations.0.seize.borrow", 0),
        (#"{"operations":[{"recall":{}}]}"#, .badBody, "operations.0.recall.borrow", 0),
        (#"{"operations":[{"setHolder":{}}]}"#, .badBody, "operations.0.setHolder.borrow", 0),
        (
            #"{"operations":[{"setHolder":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","holder":{"user":"a"}}}]}"#,
            .badBody, "operations.0.setHolder.holder.device", 0
        ),
        (
            #"{"operations":[{"seize":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","note":"a"}}]}"#,
            .badBody, "operations.0.seize.note", 0
        ),
        (
            #"{"operations":[{"return":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"},"cancel":{}}]}"#,
            .badBody, "operations.0", 0
        ),
        (#"{"operations":[{"return":{}}]}"#, .badBody, "operations.0.return.borrow", 0),
        (
            #"{"operations":[{"return":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}},{"return":{"borrow":"x"}}]}"#,
            .badBody, "operations.1.return.borrow", 1
        ),
        (#"{"operations":[{"put":{"value":1}}]}"#, .badBody, "operations.0.put.tree", 0),
        (#"{"operations":[{"put":{"tree":"Parts"}}]}"#, .badBody, "operations.0.put.tree", 0),
        (#"{"operations":[{"put":{"tree":"parts"}}]}"#, .badBody, "operations.0.put.value", 0),
        (
            #"{"operations":[{"put":{"tree":"parts","expects":"now","value":1}}]}"#,
            .badBody, "operations.0.put.expects", 0
        ),
        (
            #"{"operations":[{"put":{"tree":"parts","key":{"id":0},"value":1}}]}"#,
            .badBody, "operations.0.put.key.id", 0
        ),
        (
            #"{"operations":[{"put":{"tree":"parts","key":{"id":1,"name":"a"},"value":1}}]}"#,
            .badBody, "operations.0.put.key", 0
        ),
        (
            #"{"operations":[{"put":{"tree":"parts","released":1,"value":1}}]}"#,
            .badBody, "operations.0.put.released", 0
        ),
        (
            #"{"operations":[{"put":{"tree":"parts","schema":"one","value":1}}]}"#,
            .badBody, "operations.0.put.schema", 0
        ),
        (
            #"{"operations":[{"patch":{"tree":"parts","value":1}}]}"#,
            .badBody, "operations.0.patch.key", 0
        ),
        (
            #"{"operations":[{"patch":{"tree":"parts","hold":null,"value":1}}]}"#,
            .badBody, "operations.0.patch.hold", 0
        ),
        (
            #"{"operations":[{"delete":{"tree":"parts","key":{"id":1},"value":1}}]}"#,
            .badBody, "operations.0.delete.value", 0
        ),
        (
            #"{"operations":[{"setState":{"tree":"parts","key":{"id":1}}}]}"#,
            .badBody, "operations.0.setState.state", 0
        ),
        (
            #"{"operations":[{"setState":{"tree":"parts","key":{"id":1},"state":"draft"}}]}"#,
            .badBody, "operations.0.setState.state", 0
        ),
        (
            #"{"operations":[{"borrow":{"tree":"parts","key":{"id":1},"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","kind":"own"}}]}"#,
            .badBody, "operations.0.borrow.kind", 0
        ),
        (
            #"{"operations":[{"reserve":{"tree":"parts","count":0}}]}"#,
            .badBody, "operations.0.reserve.count", 0
        ),
        (
            #"{"operations":[{"reserve":{"tree":"parts","count":1.0}}]}"#,
            .badBody, "operations.0.reserve.count", 0
        ),
        (
            #"{"operations":[{"defineTree":{"tree":"a","definition":{}}}]}"#,
            .badBody, "operations.0.defineTree.definition.keys", 0
        ),
        (
            #"{"operations":[{"defineTree":{"tree":"a","definition":{"keys":"id","schema":{"version":"1.0","fields":[{"name":"a","type":"int7"}]}}}}]}"#,
            .badDefinition, "operations.0.defineTree.definition.schema.fields.0.type", 0
        ),
    ]

    @Test("What is not a change is refused with its member", arguments: malformed.indices)
    func malformedBody(_ index: Int) {
        let row = Self.malformed[index]
        let found = refusal(row.body, Self.read)
        #expect(found?.code == row.code, "\(row.body)")
        #expect(found?.field == row.field, "\(row.body)")
        #expect(found?.operation == row.operation, "\(row.body)")
        #expect(found?.detail.isEmpty == false)
    }

    @Test("An open revision is refused where records have revisions, and is 0 elsewhere")
    func openRevisions() throws {
        let body =
            #"{"operations":[{"delete":{"tree":"bins","key":{"id":1}}},"#
            + #"{"delete":{"tree":"parts","key":{"id":2,"revision":1}}},"#
            + #"{"delete":{"tree":"parts","key":{"id":3}}}]}"#
        let request = try reading(body, Self.read)
        try request.checkRevisions { _ in false }
        let error = #expect(throws: ShapeRefusal.self) {
            try request.checkRevisions { $0 == Sample.tree("parts") }
        }
        #expect(error?.refusal.code == .revisionRequired)
        #expect(error?.refusal.operation == 2)
        #expect(error?.refusal.field == "operations.2.delete.key.revision")
    }

    @Test("A change of too many operations is too large")
    func tooMany() {
        let one = #"{"cancel":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}},"#
        let many = String(repeating: one, count: Limits.effectCountMax)
        let found = refusal("{\"operations\":[" + many + one.dropLast() + "]}", Self.read)
        #expect(found?.code == .tooLarge)
        #expect(found?.field == "operations")
    }

    @Test("Header and body may name the same id, not two")
    func ids() throws {
        let body =
            #"{"id":"0193c2a2-11d8-7e64-b3a5-92c41f7e0d43","madeAt":"2026-11-20T10:00:00.123Z","#
            + #""operations":[{"cancel":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}}]}"#
        let request = try reading(body, Self.read)
        #expect(request.madeAt == Sample.created)
        #expect(try request.id(key: nil) == Sample.changeID)
        #expect(try request.id(key: Sample.changeID) == Sample.changeID)
        let error = #expect(throws: ShapeRefusal.self) {
            _ = try request.id(key: Sample.borrowID)
        }
        #expect(error?.refusal.code == .badHeader)
    }
}
