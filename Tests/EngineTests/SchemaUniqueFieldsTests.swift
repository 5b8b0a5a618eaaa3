import HoldfastBasics
import HoldfastRecords
import Testing

@testable import HoldfastEngine

@Suite struct SchemaUniqueFieldsTests {
    private let fields = UniqueFields(
        Descriptor(
            version: SchemaVersion(1, 0),
            fields: [
                Field(name: "colour", type: .stringEnum(cases: ["a"], open: true), isUnique: true),
                Field(name: "plain", type: .string),
                Field(name: "number", type: .string, isOptional: true, isUnique: true),
                Field(name: "count", type: .int(bits: 64), isUnique: true),
                Field(name: "ratio", type: .double, isUnique: true),
                Field(name: "on", type: .bool, isUnique: true),
            ]
        )
    )

    private func values(_ document: String) -> [String: String] {
        var found: [String: String] = [:]
        Array(document.utf8).withView { view in
            fields.forEachValue(in: view) { found[fields.names[$0]] = $1.text }
        }
        return found
    }

    @Test("only unique fields are kept, in their order")
    func names() {
        #expect(fields.names == ["colour", "number", "count", "ratio", "on"])
        #expect(!fields.isEmpty)
        #expect(UniqueFields(nil).isEmpty)
        #expect(UniqueFields(Descriptor(version: SchemaVersion(1, 0), fields: [])).isEmpty)
    }

    @Test(
        "values come as the bytes by which they are compared",
        arguments: [
            ("{}", [:]), ("[1]", [:]), ("7", [:]),
            (
                "{\"on\":true,\"plain\":\"x\",\"number\":\"R1\",\"colour\":\"\\u0061\",\"count\":7}",
                ["on": "true", "number": "R1", "colour": "a", "count": "7"]
            ),
            ("{\"n\\u0075mber\":\"caf\\u00e9\\n\"}", ["number": "caf\u{e9}\n"]),
            ("{\"number\":null,\"count\":-0}", ["count": "0"]),
            ("{\"count\":9007199254740993}", ["count": "9007199254740993"]),
            ("{\"ratio\":1}", ["ratio": "1"]), ("{\"ratio\":10e-1}", ["ratio": "1"]),
            ("{\"ratio\":-0.0}", ["ratio": "0"]), ("{\"ratio\":1.50}", ["ratio": "1.5"]),
            ("{\"ratio\":15e-1}", ["ratio": "1.5"]),
            ("{\"number\":[1],\"count\":{},\"x\":{\"number\":\"inner\"}}", [:]),
        ] as [(String, [String: String])]
    )
    func extraction(document: String, expected: [String: String]) {
        #expect(values(document) == expected)
    }
}
