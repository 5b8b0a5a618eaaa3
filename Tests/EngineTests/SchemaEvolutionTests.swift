import HoldfastBasics
import HoldfastRecords
import Testing

@testable import HoldfastEngine

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func version(_ major: UInt16, _ minor: UInt16, _ fields: [Field]) -> Descriptor {
    Descriptor(version: SchemaVersion(major, minor), fields: fields)
}

private let base: [Field] = [
    Field(name: "a", type: .string),
    Field(name: "n", type: .int(bits: 32), defaultValue: bytes("0")),
    Field(name: "colour", type: .stringEnum(cases: ["red"], open: true)),
    Field(name: "size", type: .integerEnum(cases: [1], open: false)),
    Field(
        name: "pins",
        type: .array(.structure([Field(name: "kind", type: .stringEnum(cases: ["p"], open: true))]))
    ),
    Field(
        name: "body",
        type: .payloadEnum(
            cases: [PayloadCase(name: "r", fields: [Field(name: "ohm", type: .double)])],
            open: true
        )
    ),
]

/// `base` with one field replaced, removed or added.
private func changed(_ name: String, _ field: Field?) -> [Field] {
    base.compactMap { $0.name == name ? field : $0 }
}

struct StepRow: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let fields: [Field]
    /// Part of the sentence that names the rule; nil when the step is allowed.
    let rule: String?

    init(_ what: String, _ fields: [Field], _ rule: String? = nil) {
        testDescription = what
        self.fields = fields
        self.rule = rule
    }

    static let all: [StepRow] = [
        StepRow("optional field", base + [Field(name: "z", type: .bool, isOptional: true)]),
        StepRow(
            "field with default",
            base + [Field(name: "z", type: .bool, defaultValue: bytes("true"))]
        ),
        StepRow("required field", base + [Field(name: "z", type: .bool)], "'z' must be optional"),
        StepRow("another order", base.reversed()),
        StepRow("removed field", changed("a", nil), "'a' may not be removed"),
        StepRow(
            "renamed by composition",
            changed("a", nil) + [Field(name: "a\u{301}", type: .string, isOptional: true)],
            "'a' may not"
        ),
        StepRow(
            "widened",
            changed("n", Field(name: "n", type: .int(bits: 64), defaultValue: bytes("0"))),
            "from int32 to int64"
        ),
        StepRow(
            "made optional",
            changed("a", Field(name: "a", type: .string, isOptional: true)),
            "become optional"
        ),
        StepRow(
            "another default",
            changed("n", Field(name: "n", type: .int(bits: 32), defaultValue: bytes("1"))),
            "default of field 'n'"
        ),
        StepRow(
            "lost default",
            changed("n", Field(name: "n", type: .int(bits: 32))),
            "default of field 'n'"
        ),
        StepRow("unique added", changed("a", Field(name: "a", type: .string, isUnique: true))),
        StepRow(
            "open enum grows",
            changed(
                "colour",
                Field(name: "colour", type: .stringEnum(cases: ["blue", "red"], open: true))
            )
        ),
        StepRow(
            "enum closed",
            changed(
                "colour",
                Field(name: "colour", type: .stringEnum(cases: ["red"], open: false))
            ),
            "become closed"
        ),
        StepRow(
            "case removed",
            changed(
                "colour",
                Field(name: "colour", type: .stringEnum(cases: ["blue"], open: true))
            ),
            "Case 'red'"
        ),
        StepRow(
            "closed enum grows",
            changed("size", Field(name: "size", type: .integerEnum(cases: [1, 2], open: false))),
            "Case '2'"
        ),
        StepRow(
            "nested open enum grows",
            changed(
                "pins",
                Field(
                    name: "pins",
                    type: .array(
                        .structure([
                            Field(name: "kind", type: .stringEnum(cases: ["p", "q"], open: true))
                        ])
                    )
                )
            )
        ),
        StepRow(
            "nested required field",
            changed(
                "pins",
                Field(
                    name: "pins",
                    type: .array(
                        .structure([
                            Field(name: "kind", type: .stringEnum(cases: ["p"], open: true)),
                            Field(name: "x", type: .bool),
                        ])
                    )
                )
            ),
            "'pins[].x'"
        ),
        StepRow(
            "payload case added",
            changed(
                "body",
                Field(
                    name: "body",
                    type: .payloadEnum(
                        cases: [
                            PayloadCase(name: "r", fields: [Field(name: "ohm", type: .double)]),
                            PayloadCase(name: "c", fields: [Field(name: "farad", type: .double)]),
                        ],
                        open: true
                    )
                )
            )
        ),
        StepRow(
            "payload field changed",
            changed(
                "body",
                Field(
                    name: "body",
                    type: .payloadEnum(
                        cases: [PayloadCase(name: "r", fields: [Field(name: "ohm", type: .float)])],
                        open: true
                    )
                )
            ),
            "'body.r.ohm'"
        ),
        StepRow(
            "another kind",
            changed("a", Field(name: "a", type: .array(.string))),
            "from string to array"
        ),
    ]
}

@Suite struct SchemaEvolutionTests {
    private let old = TreeDeclaration(
        keys: .id,
        isVersioned: true,
        borrow: .required,
        schemas: [version(1, 0, base)]
    )

    private func define(
        _ schema: Descriptor?,
        over old: TreeDeclaration?,
        keys: KeyKind = .id,
        isVersioned: Bool = true,
        borrow: BorrowPolicy? = nil,
        transitions: [StateTransition]? = nil
    ) -> Result<TreeDeclaration, Refusal> {
        SchemaEvolution.check(
            old: old,
            definition: TreeDefinition(
                keys: keys,
                isVersioned: isVersioned,
                borrow: borrow,
                transitions: transitions,
                schema: schema
            )
        )
    }

    private func refusal(_ result: Result<TreeDeclaration, Refusal>) -> Refusal? {
        if case .failure(let refusal) = result { return refusal }
        return nil
    }

    @Test("a table of transitions stays until another comes, or null takes it away")
    func transitionsReset() throws {
        let table = [StateTransition(from: .draft(0), to: .draft(1))]
        let first = try define(nil, over: nil, transitions: table).get()
        #expect(try define(nil, over: first).get().transitions == table)
        let reset = TreeDefinition(keys: .id, isVersioned: true, allowsAnyTransition: true)
        let any = try SchemaEvolution.check(old: first, definition: reset).get()
        #expect(any.transitions == nil)
        #expect(try define(nil, over: any, transitions: table).get() == first)
    }

    @Test("a new tree takes the borrow policy of its kind of keys")
    func newTree() throws {
        let first = try define(version(1, 0, base), over: nil).get()
        #expect(first.borrow == .required)
        #expect(first.schemas == [version(1, 0, base)])
        let names = try define(nil, over: nil, keys: .name, isVersioned: false).get()
        #expect(names.borrow == .optional)
        #expect(names.current == nil)
        #expect(try define(nil, over: nil, borrow: .optional).get().borrow == .optional)
    }

    @Test("a minor step adds and nothing else", arguments: StepRow.all)
    func minorStep(row: StepRow) throws {
        let result = define(version(1, 1, row.fields), over: old)
        if let rule = row.rule {
            let found = refusal(result)
            #expect(found?.code == .incompatible)
            #expect(found?.rules.count == 1)
            #expect(found?.rules.first?.contains(rule) == true, "\(found?.rules ?? [])")
            #expect(found?.detail.contains("2.0") == true)
        } else {
            #expect(
                try result.get().schemas.map(\.version) == [
                    SchemaVersion(1, 0), SchemaVersion(1, 1),
                ]
            )
        }
    }

    @Test("a major step may do what no minor may", arguments: StepRow.all)
    func majorStep(row: StepRow) throws {
        let result = try define(version(2, 0, row.fields), over: old).get()
        #expect(result.current?.version == SchemaVersion(2, 0))
        #expect(result.schemas.count == 2)
    }

    @Test("all broken rules are named")
    func allRules() {
        let found = refusal(
            define(
                version(1, 1, [Field(name: "z", type: .bool)]),
                over: old,
                keys: .name,
                isVersioned: false
            )
        )
        #expect(found?.rules.count == 2 + base.count + 1)
    }

    @Test("the kind of keys and being versioned never change")
    func permanent() {
        #expect(refusal(define(nil, over: old, keys: .name))?.code == .incompatible)
        #expect(refusal(define(nil, over: old, isVersioned: false))?.code == .incompatible)
        #expect(refusal(define(version(2, 0, base), over: old, keys: .name))?.rules.count == 1)
    }

    @Test("a version that stands may be named again only as it stands")
    func sameVersion() throws {
        #expect(try define(version(1, 0, base), over: old).get() == old)
        let two = try define(version(1, 1, base), over: old).get()
        #expect(try define(version(1, 0, base), over: two).get() == two)
        for row in StepRow.all {
            let found = refusal(define(version(1, 0, row.fields), over: two))
            #expect(found?.code == .incompatible, "\(row.testDescription)")
        }
    }

    @Test("a name spelled with other bytes is a change, though it looks the same")
    func sameVersionBytes() throws {
        let composed = try define(version(1, 0, [Field(name: "\u{e9}", type: .bool)]), over: nil)
            .get()
        let found = define(version(1, 0, [Field(name: "e\u{301}", type: .bool)]), over: composed)
        #expect(refusal(found)?.code == .incompatible)
    }

    @Test("a new version is above all others")
    func order() throws {
        let two = try define(version(2, 5, base), over: old).get()
        #expect(refusal(define(version(2, 4, base), over: two))?.code == .incompatible)
        #expect(refusal(define(version(1, 9, base), over: two))?.code == .incompatible)
        #expect(try define(version(2, 6, base), over: two).get().schemas.count == 3)
        #expect(try define(version(7, 3, base), over: two).get().schemas.count == 3)
    }

    @Test("borrow policy and transitions change without a version, and stay when left out")
    func options() throws {
        let step = StateTransition(from: .draft(0), to: .draft(1))
        let next = try define(nil, over: old, borrow: .optional, transitions: [step]).get()
        #expect(next.borrow == .optional)
        #expect(next.transitions == [step])
        #expect(next.schemas == old.schemas)
        #expect(try define(nil, over: next).get() == next)
        #expect(try define(nil, over: next, transitions: []).get().transitions == [])
    }

    @Test("a tree without schema may get one")
    func firstSchema() throws {
        let bare = try define(nil, over: nil).get()
        #expect(try define(version(1, 0, base), over: bare).get().schemas.count == 1)
    }

    @Test("a tree keeps a limited number of versions")
    func versionLimit() throws {
        var full = old
        full.schemas = (0..<UInt16(Limits.schemaVersionCountMax)).map { version(1, $0, base) }
        #expect(refusal(define(version(2, 0, base), over: full))?.code == .tooLarge)
        full.schemas.removeFirst()
        #expect(try define(version(2, 0, base), over: full).get().schemas.count == 1000)
    }

    @Test(
        "a definition that makes no sense is refused with the path of the member at fault",
        arguments: [
            ([Field(name: "", type: .bool)], "schema.fields.0.name"),
            ([Field(name: "$file", type: .bool)], "schema.fields.0.name"),
            ([Field(name: "a\n", type: .bool)], "schema.fields.0.name"),
            (
                [Field(name: "a", type: .bool), Field(name: "a", type: .bool)],
                "schema.fields.1.name"
            ),
            ([Field(name: "a", type: .int(bits: 12))], "schema.fields.0.type"),
            ([Field(name: "a", type: .array(.uint(bits: 0)))], "schema.fields.0.type.array"),
            (
                [
                    Field(
                        name: "a",
                        type: .structure([Field(name: "b", type: .string, isUnique: true)])
                    )
                ],
                "schema.fields.0.type.struct.0.unique"
            ),
            ([Field(name: "a", type: .array(.string), isIndexed: true)], "schema.fields.0.indexed"),
            ([Field(name: "a", type: .any, isUnique: true)], "schema.fields.0.unique"),
            (
                [Field(name: "a", type: .string, defaultValue: Array("\"\"".utf8), isUnique: true)],
                "schema.fields.0.unique"
            ),
            (
                [Field(name: "a", type: .bool, defaultValue: Array("1".utf8))],
                "schema.fields.0.default"
            ),
            (
                [Field(name: "a", type: .bool, defaultValue: Array("null".utf8))],
                "schema.fields.0.default"
            ),
            (
                [
                    Field(
                        name: "a",
                        type: .array(.int(bits: 8)),
                        defaultValue: Array("[1,300]".utf8)
                    )
                ],
                "schema.fields.0.default.1"
            ),
            (
                [Field(name: "a", type: .stringEnum(cases: [], open: true))],
                "schema.fields.0.type.enum"
            ),
            (
                [Field(name: "a", type: .stringEnum(cases: ["x", "x"], open: true))],
                "schema.fields.0.type.enum.cases"
            ),
            (
                [Field(name: "a", type: .integerEnum(cases: [1, 1], open: true))],
                "schema.fields.0.type.enum.cases"
            ),
            (
                [
                    Field(
                        name: "a",
                        type: .payloadEnum(cases: [PayloadCase(name: "", fields: [])], open: false)
                    )
                ],
                "schema.fields.0.type.enum.payload.0.name"
            ),
        ] as [([Field], String)]
    )
    func badDefinitions(fields: [Field], path: String) {
        let found = refusal(define(version(1, 0, fields), over: nil))
        #expect(found?.code == .badDefinition)
        #expect(found?.field == path)
    }

    @Test("fields and nesting have limits")
    func limits() {
        let fields = (0...Limits.fieldCountMax).map { Field(name: "f\($0)", type: .bool) }
        #expect(refusal(define(version(1, 0, fields), over: nil))?.code == .badDefinition)
        #expect(refusal(define(version(1, 0, Array(fields.dropLast())), over: nil)) == nil)
        func nested(_ depth: Int) -> [Field] {
            var type = FieldType.bool
            for _ in 0..<depth { type = .array(type) }
            return [Field(name: "a", type: type)]
        }
        #expect(refusal(define(version(1, 0, nested(Limits.depthMax - 2)), over: nil)) == nil)
        #expect(
            refusal(define(version(1, 0, nested(Limits.depthMax)), over: nil))?.code
                == .badDefinition
        )
    }

    @Test("transitions are of versioned trees and never lead back from a release")
    func transitions() {
        let back = StateTransition(from: .released(0), to: .draft(0))
        let plain = StateTransition(from: .plain, to: .draft(0))
        let good = StateTransition(from: .draft(0), to: .draft(1))
        for wrong in [back, plain] {
            let found = refusal(define(nil, over: nil, transitions: [good, wrong]))
            #expect(found?.code == .badDefinition)
            #expect(found?.field == "transitions.1")
        }
        let found = refusal(define(nil, over: nil, isVersioned: false, transitions: [good]))
        #expect(found?.field == "transitions")
    }
}
