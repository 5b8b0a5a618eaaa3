// The bodies of the other routes, keys in paths, and the start of a feed.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct RequestBodyTests {
    @Test("A value is stored without white space and otherwise as it came")
    func value() throws {
        let text = "{ \"a\" : 1.0, \"b\":[ \"\\u0041 \" ] }"
        #expect(
            try reading(text, RequestBody.value) == Array(#"{"a":1.0,"b":["\u0041 "]}"#.utf8)
        )
        #expect(refusal("{\"a\":1,\"a\":2}", RequestBody.value)?.code == .badJSON)
        #expect(refusal("", RequestBody.value)?.code == .badJSON)
    }

    @Test("The contract's tree definition is read as it is meant")
    func treeDefinition() throws {
        let text = """
            {"keys":"id","versioned":true,"borrow":"required","schema":{"version":"1.0","fields":[
              {"name":"number","type":"string","unique":true},{"name":"stock","type":"int64"},
              {"name":"footprint","type":{"key":"footprints"},"optional":true},
              {"name":"pins","type":{"array":{"struct":[{"name":"number","type":"string"}]}}}]}}
            """
        let definition = try reading(text, RequestBody.treeDefinition)
        #expect(definition.keys == .id)
        #expect(definition.isVersioned)
        #expect(definition.borrow == .required)
        #expect(definition.schema?.fields.map(\.name) == ["number", "stock", "footprint", "pins"])
        let found = refusal(#"{"keys":"id","owner":"x"}"#, RequestBody.treeDefinition)
        #expect(found?.code == .badBody)
        #expect(found?.field == "owner")
    }

    @Test("The small bodies are read, and may be left out where the contract says so")
    func small() throws {
        #expect(try reading("", RequestBody.release) == 0)
        #expect(try reading("{}", RequestBody.release) == 0)
        #expect(try reading(#"{"released":3}"#, RequestBody.release) == 3)
        #expect(refusal(#"{"released":-1}"#, RequestBody.release)?.field == "released")
        #expect(refusal(#"{"draft":1}"#, RequestBody.release)?.field == "draft")
        #expect(try reading("", RequestBody.revise) == nil)
        #expect(
            try reading(#"{"hold":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}"#, RequestBody.revise)
                == Sample.borrowID
        )
        #expect(refusal(#"{"hold":1}"#, RequestBody.revise)?.field == "hold")
        #expect(try reading(#""plain""#, RequestBody.state) == .plain)
        #expect(try reading(#"{"draft":2}"#, RequestBody.state) == .draft(2))
        #expect(try reading(#"{"released":0}"#, RequestBody.state) == .released(0))
        #expect(refusal(#"{"draft":2,"released":1}"#, RequestBody.state)?.code == .badBody)
        #expect(refusal(#"{"draft":"2"}"#, RequestBody.state)?.field == "draft")
        try reading("", RequestBody.nothing)
        try reading("{}", RequestBody.nothing)
        #expect(refusal(#"{"a":1}"#, RequestBody.nothing)?.field == "a")
        let range = try reading(#"{"tree":"parts","count":1000}"#, RequestBody.range)
        #expect(range.tree == Sample.tree("parts"))
        #expect(range.count == 1000)
        #expect(refusal(#"{"tree":"parts"}"#, RequestBody.range)?.field == "count")
        #expect(refusal(#"{"count":1}"#, RequestBody.range)?.field == "tree")
        #expect(refusal(#"{"tree":"parts","count":0}"#, RequestBody.range)?.field == "count")
        #expect(refusal(#"{"tree":"parts","count":1}x"#, RequestBody.range)?.code == .badJSON)
    }

    @Test("A borrow request becomes the operation that is proposed")
    func borrow() throws {
        let text =
            #"{"tree":"parts","key":{"id":12},"kind":"held","note":"shelf 4","#
            + #""dueAt":null,"queue":true}"#
        let request = try reading(text, { body throws(ShapeRefusal) in try BorrowRequest(body) })
        let expected = BorrowOperation(
            tree: Sample.tree("parts"),
            key: Sample.part,
            borrow: Sample.borrowID,
            note: "shelf 4",
            queue: true
        )
        #expect(try request.operation(id: Sample.borrowID, isVersioned: false) == expected)
        let error = #expect(throws: ShapeRefusal.self) {
            try request.operation(id: Sample.borrowID, isVersioned: true)
        }
        #expect(error?.refusal.code == .revisionRequired)
        #expect(error?.refusal.field == "key.revision")
    }

    static let badBorrows: [(String, RefusalCode, String?)] = [
        ("null", .badBody, nil),
        ("{}", .badBody, "tree"),
        (#"{"tree":"parts"}"#, .badBody, "key"),
        (#"{"tree":"parts","key":12}"#, .badBody, "key"),
        (#"{"tree":"parts","key":{"revision":0}}"#, .badBody, "key"),
        (#"{"tree":"parts","key":{"name":""}}"#, .badBody, "key.name"),
        (#"{"tree":"parts","key":{"id":1,"revision":-1}}"#, .badBody, "key.revision"),
        (#"{"tree":"parts","key":{"id":1},"dueAt":"soon"}"#, .badBody, "dueAt"),
        (#"{"tree":"parts","key":{"id":1},"queue":1}"#, .badBody, "queue"),
        (#"{"tree":"parts","key":{"id":1},"borrow":"x"}"#, .badBody, "borrow"),
        (#"{"tree":"parts","key":{"id":1},"termSeconds":0}"#, .badBody, "termSeconds"),
    ]

    @Test("What is no borrow request is refused with its member", arguments: badBorrows)
    func badBorrow(_ text: String, _ code: RefusalCode, _ field: String?) {
        let found = refusal(text, { body throws(ShapeRefusal) in try BorrowRequest(body) })
        #expect(found?.code == code)
        #expect(found?.field == field)
    }

    @Test("Keys in paths are of the tree's kind, and name a revision where there are some")
    func pathKeys() throws {
        func key(_ segment: String, _ kind: KeyKind, _ revision: String?) throws -> KeyChoice {
            try Array(segment.utf8).withView { segment in
                guard let revision else {
                    return try KeyChoice(path: segment, kind: kind, revision: nil)
                }
                return try Array(revision.utf8).withView {
                    try KeyChoice(path: segment, kind: kind, revision: $0)
                }
            }
        }
        #expect(try key("12", .id, nil).key(isVersioned: false) == Sample.part)
        #expect(
            try key("12", .id, "3").key(isVersioned: true) == RecordKey(number: 12, revision: 3)
        )
        #expect(
            try key("pre:demo/key", .name, "0").key(isVersioned: false)
                == RecordKey(name: "pre:demo/key")
        )
        for (segment, kind, revision, code) in [
            ("x", KeyKind.id, nil, RefusalCode.badKey), ("0", .id, nil, .badKey),
            ("012", .id, nil, .badKey), ("9007199254740992", .id, nil, .badKey),
            ("..", .name, nil, .badKey), ("a\u{7}", .name, nil, .badKey),
            ("12", .id, "latest", .badParameter), ("12", .id, "-1", .badParameter),
            ("12", .id, "4294967296", .badParameter), ("12", .id, "", .badParameter),
        ] as [(String, KeyKind, String?, RefusalCode)] {
            let error = #expect(throws: ShapeRefusal.self) { try key(segment, kind, revision) }
            #expect(error?.refusal.code == code, "\(segment) \(revision ?? "-")")
        }
        let open = #expect(throws: ShapeRefusal.self) {
            try key("12", .id, nil).key(isVersioned: true)
        }
        #expect(open?.refusal.code == .revisionRequired)
    }

    @Test("Reads name a revision, the latest or the latest released")
    func revisionSelection() throws {
        func read(_ text: String) throws(ShapeRefusal) -> RevisionSelection {
            try reading(
                text,
                { view throws(ShapeRefusal) in try RevisionSelection(parameter: view) }
            )
        }
        #expect(try RevisionSelection(parameter: nil) == .latest)
        #expect(try read("latest") == .latest)
        #expect(try read("released") == .released)
        #expect(try read("7") == .number(7))
        let error = #expect(throws: ShapeRefusal.self) { try read("07") }
        #expect(error?.refusal.field == "revision")
    }

    // MARK: Feed

    static func start(_ message: ByteView) throws(ShapeRefusal) -> FeedStart {
        try FeedStart(message)
    }

    @Test("A start says where to begin and what passes")
    func feedStart() throws {
        let text = """
            {"start":{"since":"7t3k9x2m4q8wr:48190","chain":"5f0d1c9be2a84736a1b0c9d8e7f60512",
              "trees":["parts","bins"],"prefix":"pre:","before":true}}
            """
        let start = try reading(text, Self.start)
        #expect(start.since == Sample.position(48190))
        #expect(start.chain == Sample.chain)
        #expect(start.filter.trees == [Sample.tree("bins"), Sample.tree("parts")])
        #expect(start.filter.prefix == Array("pre:".utf8))
        #expect(start.before)
        let live = try reading(#"{"start":{}}"#, Self.start)
        #expect(live.since == nil && live.chain == nil && !live.before)
        #expect(live.filter == .all)
    }

    static let badStarts: [(String, RefusalCode, String?)] = [
        ("start", .badJSON, nil),
        ("{}", .badBody, nil),
        (#"{"begin":{}}"#, .badBody, nil),
        (#"{"start":{},"more":{}}"#, .badBody, nil),
        (#"{"start":[]}"#, .badBody, "start"),
        (#"{"start":{"leave":true}}"#, .badBody, "start.leave"),
        (#"{"start":{"activity":1}}"#, .badBody, "start.activity"),
        (#"{"start":{"since":48190}}"#, .badBody, "start.since"),
        (#"{"start":{"since":"48190"}}"#, .badBody, "start.since"),
        (#"{"start":{"chain":"5f0d1c9be2a84736a1b0c9d8e7f60512"}}"#, .badBody, "start.since"),
        (
            #"{"start":{"since":"7t3k9x2m4q8wr:1","chain":"5F"}}"#, .badBody, "start.chain"
        ),
        (#"{"start":{"trees":"parts"}}"#, .badBody, "start.trees"),
        (#"{"start":{"trees":["parts","No"]}}"#, .badBody, "start.trees.1"),
        (#"{"start":{"prefix":""}}"#, .badBody, "start.prefix"),
        (#"{"start":{"before":1}}"#, .badBody, "start.before"),
    ]

    @Test("What is no start is refused with its member", arguments: badStarts)
    func badStart(_ text: String, _ code: RefusalCode, _ field: String?) {
        let found = refusal(text, Self.start)
        #expect(found?.code == code)
        #expect(found?.field == field)
    }
}
