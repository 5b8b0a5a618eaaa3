import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import HoldfastEngine

/// Conditions, orders and choices of fields, apart from any server.
@Suite struct RecordQueryTests {
    private static let descriptor = Descriptor(
        version: SchemaVersion(1, 0),
        fields: [
            Field(name: "number", type: .string, isUnique: true),
            Field(name: "count", type: .int(bits: 64), isOptional: true, isUnique: true),
            Field(name: "stock", type: .int(bits: 32), defaultValue: Array("5".utf8)),
            Field(name: "title", type: .string, isOptional: true),
            Field(name: "made", type: .date, isOptional: true, isUnique: true),
            Field(name: "tags", type: .array(.string)),
            Field(
                name: "size",
                type: .structure([
                    Field(name: "width", type: .double),
                    Field(
                        name: "by.unit",
                        type: .dictionary(
                            .structure([
                                Field(name: "n", type: .int(bits: 8))
                            ])
                        )
                    ),
                ]),
                isOptional: true
            ),
            Field(name: "size.width", type: .bool, isOptional: true),
        ]
    )

    private func holds(_ condition: String, _ document: String) throws -> Bool {
        let condition = try FieldCondition(condition, in: Self.descriptor)
        var scratch = ByteBuffer()
        return Array(document.utf8).withView { condition.holds(of: $0, &scratch) }
    }

    @Test(
        "A condition holds of what it says",
        arguments: [
            ("stock:eq:5", "{}", true), ("stock:eq:5", "{\"stock\":null}", true),
            ("stock:ne:5", "{}", false), ("stock:lt:5", "{\"stock\":4}", true),
            ("stock:lt:5", "{\"stock\":5}", false), ("stock:le:5", "{\"stock\":5}", true),
            ("stock:gt:-5", "{\"stock\":-4}", true), ("stock:ge:-5", "{\"stock\":-6}", false),
            // Of another type, as an older major version may have had it.
            ("stock:eq:5", "{\"stock\":\"5\"}", false), ("stock:ne:5", "{\"stock\":\"5\"}", true),
            ("stock:lt:5", "{\"stock\":\"4\"}", false), ("title:eq:5", "[5]", false),
            ("title:eq:", "{}", false), ("title:eq:", "{\"title\":\"\"}", true),
            ("title:ne:", "{}", true), ("title:prefix:", "{}", false),
            ("title:prefix:", "{\"title\":\"a\"}", true),
            ("title:contains:aab", "{\"title\":\"aaab\"}", true),
            ("title:contains:aab", "{\"title\":\"aaa\"}", false),
            ("title:contains:", "{\"title\":\"\"}", true),
            ("title:eq:a:b", "{\"title\":\"a:b\"}", true),
            ("title:in:a\\,b,\\\\", "{\"title\":\"a,b\"}", true),
            ("title:in:a\\,b,\\\\", "{\"title\":\"\\\\\"}", true),
            ("title:in:a\\,b,\\\\", "{\"title\":\"a\"}", false),
            ("title:in:a\\x", "{\"title\":\"a\\\\x\"}", true),
            ("title:eq:\u{e9}", "{\"title\":\"e\u{301}\"}", false),
            ("title:eq:\u{e9}", "{\"t\\u0069tle\":\"\\u00e9\"}", true),
            ("tags:contains:b", "{\"tags\":[\"a\",\"b\"]}", true),
            ("tags:contains:b", "{\"tags\":[\"ab\",1,null]}", false),
            ("tags:contains:b", "{\"tags\":\"b\"}", false), ("tags:contains:b", "{}", false),
            // A name with a dot of its own comes before one inside another.
            ("size.width:eq:true", "{\"size.width\":true}", true),
            ("size.by.unit.k.n:eq:1", "{\"size\":{\"by.unit\":{\"k\":{\"n\":1}}}}", true),
            ("size.by.unit.k.n:eq:1", "{\"size\":{\"by.unit\":null}}", false),
            ("size.by.unit.k.n:ne:1", "{\"size\":3}", true),
        ]
    )
    func conditions(_ condition: String, _ document: String, _ expected: Bool) throws {
        #expect(try holds(condition, document) == expected)
    }

    @Test("Of every value exactly one of eq and ne, and of lt and ge, holds")
    func complements() throws {
        for document in ["{\"stock\":4}", "{\"stock\":5}", "{\"stock\":6}", "{}"] {
            #expect(try holds("stock:eq:5", document) != holds("stock:ne:5", document))
            #expect(try holds("stock:lt:5", document) != holds("stock:ge:5", document))
            #expect(try holds("stock:gt:5", document) != holds("stock:le:5", document))
        }
    }

    @Test(
        "What an index answers, as it has it",
        arguments: [
            ("number:eq:a", ["a"]), ("number:in:a,b", ["a", "b"]), ("count:eq:-0", ["0"]),
            ("count:in:7,8", ["7", "8"]), ("number:ne:a", nil), ("number:lt:a", nil),
            ("title:eq:a", nil), ("made:eq:2026-01-01T00:00:00Z", nil),
        ] as [(String, [String]?)]
    )
    func lookups(_ text: String, _ expected: [String]?) throws {
        let condition = try FieldCondition(text, in: Self.descriptor)
        #expect(condition.lookups?.map { String(decoding: $0, as: UTF8.self) } == expected)
    }

    @Test("The first of an order are those a sort of all gives, page after page", arguments: 1...40)
    func firstPlaces(_ seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let field = seed % 2 == 0 ? "-title" : "title"
        let order = try RecordOrder(field, in: Self.descriptor)
        let count = Int(random.next() % 60)
        let places = (0..<count).map { number in
            let value = random.next() % 8
            let form = value == 0 ? nil : Array(repeating: UInt8(ascii: "a"), count: Int(value))
            return RecordOrder.Place(form: form, key: RecordKey(number: UInt64(number + 1)))
        }
        let sorted = places.sorted(by: order.precedes)
        // What a sort must be, said another way.
        for (a, b) in zip(sorted, sorted.dropFirst()) {
            let lengths = (a.form?.count ?? .max, b.form?.count ?? .max)
            if a.form == b.form {
                #expect(a.key < b.key)
            } else if field == "title" || b.form == nil || a.form == nil {
                #expect(b.form == nil || lengths.0 < lengths.1)
            } else {
                #expect(lengths.0 > lengths.1)
            }
        }
        let limit = Int(random.next() % 7) + 1
        var found: [RecordOrder.Place] = []
        while true {
            var first = FirstPlaces(limit, by: order, after: found.last)
            for place in places { first.add(place) }
            found += first.sorted
            #expect(first.hasMore == (found.count < places.count))
            if !first.hasMore { break }
        }
        #expect(found == sorted, "seed \(seed)")
    }

    @Test(
        "Chosen fields keep their order and bytes",
        arguments: [
            (
                "stock,number", "{\"number\":\"\\u0061\",\"x\":1,\"stock\":1e0}",
                "{\"number\":\"\\u0061\",\"stock\":1e0}"
            ),
            ("title", "{\"number\":\"a\"}", "{}"), ("title", "[1]", "{}"),
            (
                "size.by.unit.k", "{\"size\":{\"width\":1,\"by.unit\":{\"k\":{\"n\":2},\"l\":{}}}}",
                "{\"size\":{\"by.unit\":{\"k\":{\"n\":2}}}}"
            ),
            ("size.by.unit.k,size", "{\"size\":{\"width\":1}}", "{\"size\":{\"width\":1}}"),
            ("size,size.by.unit.k", "{\"size\":{\"width\":1}}", "{\"size\":{\"width\":1}}"),
            ("size.by.unit.k", "{\"size\":null}", "{\"size\":null}"),
        ]
    )
    func fields(_ text: String, _ document: String, _ expected: String) throws {
        let choice = try FieldChoice(text, in: Self.descriptor)
        var buffer = ByteBuffer()
        Array(document.utf8).withView { choice.append($0, to: &buffer) }
        #expect(buffer.view.text == expected)
    }

    @Test("What a schema does not know, or a type has not, is said")
    func refusals() {
        for text in [
            "", "stock", "stock:eq", ":eq:1", "nothing:eq:1", "stock:like:1", "stock:prefix:1",
            "tags:eq:a", "size:eq:1", "stock:eq:2147483648", "title.x:eq:1", "size.:eq:1",
        ] {
            #expect(throws: QueryError.self, "\(text)") {
                try FieldCondition(text, in: Self.descriptor)
            }
        }
        for text in ["", "-", "tags", "size", "nothing", "--title"] {
            #expect(throws: QueryError.self, "\(text)") {
                try RecordOrder(text, in: Self.descriptor)
            }
        }
        for text in ["", ",", "title,", "nothing", "title,nothing"] {
            #expect(throws: QueryError.self, "\(text)") {
                try FieldChoice(text, in: Self.descriptor)
            }
        }
        #expect(throws: QueryError.self) { try FieldCondition("a:eq:1", in: nil) }
        #expect(throws: QueryError.self) { try RecordOrder("a", in: nil) }
    }
}
