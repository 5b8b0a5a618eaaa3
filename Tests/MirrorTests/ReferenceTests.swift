// What a value refers to, and what therefore depends on what.
import HoldfastBasics
import HoldfastJSONCoding
import HoldfastRecords
import Testing

@testable import Holdfast

@Suite struct ReferenceTests {
    private func tree(_ name: String) throws -> TreeName { try #require(TreeName(name)) }

    private func references(_ fields: [Field], _ value: String) throws -> [String] {
        let version = try #require(SchemaVersion("1.0"))
        let descriptor = Descriptor(version: version, fields: fields)
        return Array(value.utf8).withView { descriptor.references(in: $0) }
            .map { "\($0.tree)/" + String(decoding: $0.text, as: UTF8.self) }.sorted()
    }

    @Test("References are found at any depth, each in the tree its field names")
    func depth() throws {
        let part = FieldType.key(tree: try tree("parts"))
        let bin = FieldType.key(tree: try tree("bins"))
        let fields = [
            Field(name: "title", type: .string),
            Field(name: "part", type: part, isOptional: true),
            Field(name: "bins", type: .array(bin)),
            Field(name: "by\"name", type: .dictionary(.structure([Field(name: "at", type: bin)]))),
            Field(
                name: "kind",
                type: .payloadEnum(
                    cases: [
                        PayloadCase(name: "plain", fields: []),
                        PayloadCase(name: "of", fields: [Field(name: "_0", type: part)]),
                    ],
                    open: true
                )
            ),
        ]
        let value = #"""
            {"title":"7.0","unknown":{"part":"8.0"},"part":"12.0","bins":["12.0","1.0"],
             "by\"name":{"x":{"at":"3.0"},"y":{"more":"4.0","at":"5.0"}},"kind":{"of":{"_0":"6.0"}}}
            """#
        #expect(
            try references(fields, value) == [
                "bins/1.0", "bins/12.0", "bins/3.0", "bins/5.0", "parts/12.0", "parts/6.0",
            ]
        )
        let none = #"{"title":"7.0","part":null,"bins":["9.0"]}"#
        #expect(try references(fields, none) == ["bins/9.0"])
        let later = #"{"kind":{"later":{"_0":"6.0"}},"part":"1.0"}"#
        #expect(try references(fields, later) == ["parts/1.0"])
    }

    @Test("A value that does not fit refers to what stands before the misfit; none is a trap")
    func misfits() throws {
        let fields = [
            Field(name: "a", type: .key(tree: try tree("bins"))),
            Field(name: "b", type: .array(.key(tree: try tree("bins")))),
        ]
        #expect(try references(fields, #"{"a":"1.0","b":7}"#) == ["bins/1.0"])
        #expect(try references(fields, "[1]").isEmpty)
        #expect(try references([], #"{"a":"1.0"}"#).isEmpty)
    }
}
