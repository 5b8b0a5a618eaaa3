import HoldfastBasics
import HoldfastRecords
import Testing

@testable import HoldfastEngine

/// Checks one document against some fields under version 1.0.
private func refusal(_ fields: [Field], _ document: String) -> Refusal? {
    let declaration = TreeDeclaration(
        keys: .id,
        isVersioned: false,
        borrow: .required,
        schemas: [Descriptor(version: SchemaVersion(1, 0), fields: fields)]
    )
    return Array(document.utf8).withView {
        SchemaValidator(declaration).validate($0, writtenWith: nil)
    }
}

/// A type with values that fit it and values that do not.
struct TypeRow: CustomTestStringConvertible, Sendable {
    let name: String
    let type: FieldType
    let good: [String]
    let bad: [String]

    var testDescription: String { name }

    static let all: [TypeRow] = [
        TypeRow(
            name: "bool",
            type: .bool,
            good: ["true", "false"],
            bad: ["1", "null", "\"true\"", "{}", "[]"]
        ),
        TypeRow(
            name: "int8",
            type: .int(bits: 8),
            good: ["-128", "127", "0", "-0"],
            bad: ["-129", "128", "1.0", "1e1", "\"1\"", "null", "true"]
        ),
        TypeRow(
            name: "int16",
            type: .int(bits: 16),
            good: ["-32768", "32767"],
            bad: ["-32769", "32768"]
        ),
        TypeRow(
            name: "int32",
            type: .int(bits: 32),
            good: ["-2147483648", "2147483647"],
            bad: ["-2147483649", "2147483648"]
        ),
        TypeRow(
            name: "int64",
            type: .int(bits: 64),
            good: ["-9223372036854775808", "9223372036854775807"],
            bad: [
                "-9223372036854775809", "9223372036854775808", "18446744073709551616",
                "99999999999999999999999", "1E2",
            ]
        ),
        TypeRow(
            name: "uint8",
            type: .uint(bits: 8),
            good: ["0", "255", "-0"],
            bad: ["256", "-1"]
        ),
        TypeRow(name: "uint16", type: .uint(bits: 16), good: ["65535"], bad: ["65536"]),
        TypeRow(name: "uint32", type: .uint(bits: 32), good: ["4294967295"], bad: ["4294967296"]),
        TypeRow(
            name: "uint64",
            type: .uint(bits: 64),
            good: ["18446744073709551615", "0"],
            bad: ["18446744073709551616", "100000000000000000000", "-5"]
        ),
        TypeRow(
            name: "float",
            type: .float,
            good: ["0", "-1.5", "3.4028234e38", "1e-60", "0.1", "1E+38", "100000.25"],
            bad: ["3.5e38", "1e39", "-1e40", "1e999999", "\"1\"", "null"]
        ),
        TypeRow(
            name: "double",
            type: .double,
            good: ["0", "-1.5e300", "1.7976931348623157e308", "1e-999", "12345678901234567890"],
            bad: ["1.8e308", "1e309", "-1e99999", "\"NaN\"", "[1]"]
        ),
        TypeRow(
            name: "string",
            type: .string,
            good: ["\"\"", "\"a\\\"b\\\\\"", "\"ä€😀\"", "\"\\ud83d\\ude00\""],
            bad: ["1", "null", "true", "{}", "[\"a\"]"]
        ),
        TypeRow(
            name: "date",
            type: .date,
            good: [
                "\"2026-11-20T10:00:00.123Z\"", "\"2024-02-29T23:59:59Z\"",
                "\"2026-11-20T10:00:00.1Z\"", "\"2026-11-20T10\\u003a00:00Z\"",
            ],
            bad: [
                "\"2026-11-20T10:00:00.1234Z\"", "\"2025-02-29T00:00:00Z\"",
                "\"2026-11-20T10:00:00+01:00\"", "\"2026-11-20\"", "\"2026-13-01T00:00:00Z\"",
                "\"2026-11-20T24:00:00Z\"", "\"\"", "1795168800",
            ]
        ),
        TypeRow(
            name: "uuid",
            type: .uuid,
            good: [
                "\"0198c5f2-7b1e-7c3a-9d55-0a1b2c3d4e5f\"",
                "\"0198C5F2-7B1E-7C3A-9D55-0A1B2C3D4E5F\"",
            ],
            bad: [
                "\"0198c5f27b1e7c3a9d550a1b2c3d4e5f\"", "\"0198c5f2-7b1e-7c3a-9d55-0a1b2c3d4e5g\"",
                "\"\"", "7",
            ]
        ),
        TypeRow(
            name: "data",
            type: .data,
            good: ["\"\"", "\"AA==\"", "\"AAA=\"", "\"AAAA\"", "\"+/+/\"", "\"\\/w==\""],
            bad: [
                "\"A\"", "\"AA\"", "\"AB==\"", "\"AAB=\"", "\"A===\"", "\"AA=A\"", "\"_-==\"", "1",
            ]
        ),
        TypeRow(
            name: "url",
            type: .url,
            good: [
                "\"https://example.com/a?b=c#d\"", "\"../x\"", "\"https:\\/\\/example.com\"",
                "\"%41\"", "\"http://[::1]/\"",
            ],
            bad: ["\"\"", "\"a b\"", "\"%4\"", "\"%zz\"", "\"ä\"", "\"a#b#c\"", "\"<x>\"", "1"]
        ),
        TypeRow(
            name: "decimal",
            type: .decimal,
            good: [
                "\"0\"", "\"-12.50\"", "\"0.001\"", "\"12345678901234567890123456789012345678\"",
            ],
            bad: [
                "\"\"", "\"01\"", "\"1.\"", "\".5\"", "\"1e5\"", "\"+1\"", "\"-\"", "12.5",
                "\"123456789012345678901234567890123456789\"",
            ]
        ),
        TypeRow(
            name: "key",
            type: .key(tree: .trees),
            good: ["\"12.0\"", "\"pre:demo:key.3\"", "\"a.b.4294967295\"", "\"ä.0\""],
            bad: [
                "\"12\"", "\".0\"", "\"12.\"", "\"12.01\"", "\"12.-1\"", "\"12.4294967296\"",
                "\"..0\"", "\"a\\n.0\"", "12.0",
            ]
        ),
        TypeRow(
            name: "file",
            type: .file,
            good: [
                "{\"$file\":\"\(String(repeating: "0a", count: 32))\",\"size\":0,\"type\":\"\",\"name\":\"a\"}",
                "{\"name\":\"a\",\"\\u0024file\":\"\(String(repeating: "0a", count: 32))\",\"size\":9007199254740991,\"type\":\"x/y\"}",
            ],
            bad: [
                "{\"$file\":\"\(String(repeating: "0A", count: 32))\",\"size\":0,\"type\":\"\",\"name\":\"\"}",
                "{\"$file\":\"\(String(repeating: "0a", count: 32))\",\"size\":0,\"type\":\"\"}",
                "{\"$file\":\"\(String(repeating: "0a", count: 32))\",\"size\":9007199254740992,\"type\":\"\",\"name\":\"\"}",
                "\"abc\"", "{}", "null",
            ]
        ),
        TypeRow(
            name: "array",
            type: .array(.int(bits: 8)),
            good: ["[]", "[1]", "[1,-2,3]"],
            bad: ["[128]", "[null]", "{}", "[[1]]", "1"]
        ),
        TypeRow(
            name: "dictionary",
            type: .dictionary(.string),
            good: ["{}", "{\"a\":\"b\",\"\":\"\"}"],
            bad: ["{\"a\":1}", "[]", "{\"a\":null}", "\"x\""]
        ),
        TypeRow(
            name: "string enum",
            type: .stringEnum(cases: ["red", "grün", ""], open: false),
            good: ["\"red\"", "\"gr\\u00fcn\"", "\"\""],
            bad: ["\"blue\"", "1", "null", "\"Red\""]
        ),
        TypeRow(
            name: "integer enum",
            type: .integerEnum(cases: [7, -1, .min, .max], open: true),
            good: ["7", "-1", "-9223372036854775808", "9223372036854775807"],
            bad: ["0", "7.0", "\"7\"", "9223372036854775808", "-9223372036854775809"]
        ),
        TypeRow(
            name: "payload enum",
            type: .payloadEnum(
                cases: [
                    PayloadCase(name: "none", fields: []),
                    PayloadCase(name: "resistor", fields: [Field(name: "ohm", type: .double)]),
                ],
                open: false
            ),
            good: ["{\"none\":{}}", "{\"resistor\":{\"ohm\":4.7}}"],
            bad: [
                "{}", "{\"none\":{},\"resistor\":{\"ohm\":1}}", "{\"coil\":{}}", "\"none\"",
                "{\"resistor\":{}}", "{\"none\":null}", "{\"none\":{\"ohm\":1}}",
            ]
        ),
        TypeRow(
            name: "struct",
            type: .structure([Field(name: "a", type: .bool)]),
            good: ["{\"a\":true}"],
            bad: ["{}", "{\"a\":1}", "{\"b\":true}", "[]", "null"]
        ),
        TypeRow(
            name: "any",
            type: .any,
            good: ["null", "1e999", "[{\"a\":[[],{}]},\"}\\\"\"]", "\"x\"", "true"],
            bad: []
        ),
    ]
}

@Suite struct SchemaValidatorTests {
    @Test("a type accepts what fits it", arguments: TypeRow.all)
    func accepts(row: TypeRow) {
        for value in row.good {
            let found = refusal([Field(name: "x", type: row.type)], "{\"x\":\(value)}")
            #expect(found == nil, "\(value)")
        }
    }

    @Test("a type refuses what does not, naming the field", arguments: TypeRow.all)
    func refuses(row: TypeRow) {
        for value in row.bad {
            let found = refusal([Field(name: "x", type: row.type)], "{\"x\":\(value)}")
            #expect(
                found?.code == .invalidField || found?.code == .unknownField,
                "\(value): \(String(describing: found))"
            )
            #expect(found?.field?.hasPrefix("x") == true, "\(value)")
            #expect(found?.detail.isEmpty == false)
        }
    }

    private static let part = [
        Field(name: "number", type: .string, isUnique: true),
        Field(name: "stock", type: .int(bits: 64), defaultValue: Array("0".utf8)),
        Field(name: "footprint", type: .key(tree: .trees), isOptional: true),
        Field(
            name: "pins",
            type: .array(
                .structure([
                    Field(name: "name", type: .string),
                    Field(name: "sides", type: .dictionary(.uint(bits: 8)), isOptional: true),
                ])
            ),
            isOptional: true
        ),
    ]

    @Test(
        "a refusal says where and what was expected",
        arguments: [
            ("{\"number\":\"R1\"}", nil, nil),
            ("{\"stock\":1,\"number\":\"R1\",\"footprint\":null}", nil, nil),
            ("{}", "number", "Expected text, found nothing"),
            ("{\"stock\":1}", "number", "Expected text, found nothing"),
            ("{\"number\":null}", "number", "Expected text, found null"),
            ("{\"number\":\"R1\",\"stock\":null}", "stock", "found null"),
            ("{\"number\":\"R1\",\"stock\":1.5}", "stock", "found the number 1.5"),
            ("{\"number\":\"R1\",\"footprint\":\"x\"}", "footprint", "found the text \"x\""),
            ("{\"number\":\"R1\",\"pins\":{}}", "pins", "Expected an array, found an object"),
            (
                "{\"number\":\"R1\",\"pins\":[{\"name\":\"1\"},{\"name\":2}]}", "pins.1.name",
                "Expected text, found the number 2"
            ),
            ("{\"number\":\"R1\",\"pins\":[{}]}", "pins.0.name", "found nothing"),
            (
                "{\"number\":\"R1\",\"pins\":[{\"name\":\"1\",\"sides\":{\"l\\u0065ft\":256}}]}",
                "pins.0.sides.left", "from 0 to 255"
            ),
            ("[]", nil, "Expected an object, found an array"),
            ("null", nil, "Expected an object, found null"),
            ("\"x\"", nil, "Expected an object, found the text"),
        ] as [(String, String?, String?)]
    )
    func paths(document: String, field: String?, says: String?) {
        let found = refusal(Self.part, document)
        guard let says else {
            #expect(found == nil)
            return
        }
        #expect(found?.code == .invalidField)
        #expect(found?.field == field)
        #expect(found?.detail.contains(says) == true, "\(found?.detail ?? "accepted")")
    }

    @Test("a member no version knows is an unknown field, at its path")
    func unknownMembers() {
        let top = refusal(Self.part, "{\"number\":\"R1\",\"colour\":1}")
        #expect(top?.code == .unknownField)
        #expect(top?.field == "colour")
        let nested = refusal(
            Self.part,
            "{\"number\":\"R1\",\"pins\":[{\"name\":\"\",\"x\\u0079\":1}]}"
        )
        #expect(nested?.code == .unknownField)
        #expect(nested?.field == "pins.0.xy")
    }

    @Test("names are compared as bytes, however they are escaped")
    func names() {
        let fields = [
            Field(name: "caf\u{e9}", type: .bool), Field(name: "cafe\u{301}", type: .string),
            Field(name: "a\"b\\", type: .bool),
        ]
        #expect(
            refusal(
                fields,
                "{\"caf\u{e9}\":true,\"cafe\u{301}\":\"x\",\"a\\\"b\\\\\":false}"
            ) == nil
        )
        #expect(
            refusal(fields, "{\"cafe\\u0301\":\"x\",\"caf\\u00e9\":true,\"a\\u0022b\\\\\":false}")
                == nil
        )
        #expect(
            refusal(fields, "{\"caf\u{e9}\":\"x\",\"cafe\u{301}\":true,\"a\\\"b\\\\\":true}")?.code
                == .invalidField
        )
    }

    private static let evolved = TreeDeclaration(
        keys: .id,
        isVersioned: false,
        borrow: .required,
        schemas: [
            Descriptor(version: SchemaVersion(1, 4), fields: [Field(name: "x", type: .bool)]),
            Descriptor(
                version: SchemaVersion(2, 0),
                fields: [
                    Field(name: "a", type: .string),
                    Field(name: "kind", type: .stringEnum(cases: ["r"], open: true)),
                ]
            ),
            Descriptor(
                version: SchemaVersion(2, 3),
                fields: [
                    Field(name: "a", type: .string),
                    Field(name: "kind", type: .stringEnum(cases: ["r", "c"], open: true)),
                    Field(name: "b", type: .int(bits: 8), isOptional: true),
                ]
            ),
        ]
    )

    private func code(
        _ document: String,
        _ version: SchemaVersion?,
        _ declaration: TreeDeclaration
    ) -> RefusalCode? {
        Array(document.utf8).withView {
            SchemaValidator(declaration).validate($0, writtenWith: version)?.code
        }
    }

    @Test("a change may name any version of the current major, and no other")
    func versions() {
        let good = "{\"a\":\"\",\"kind\":\"r\"}"
        for version in [nil, SchemaVersion(2, 0), SchemaVersion(2, 3)] {
            #expect(code(good, version, Self.evolved) == nil)
        }
        #expect(code(good, SchemaVersion(1, 4), Self.evolved) == .schemaTooOld)
        for version in [SchemaVersion(1, 0), SchemaVersion(2, 1), SchemaVersion(3, 0), .none] {
            #expect(code(good, version, Self.evolved) == .unknownSchema)
        }
    }

    @Test("what only a later minor knows is accepted and checked by it")
    func laterMinor() {
        let old = SchemaVersion(2, 0)
        #expect(code("{\"a\":\"\",\"kind\":\"r\",\"b\":1}", old, Self.evolved) == nil)
        #expect(code("{\"a\":\"\",\"kind\":\"c\"}", old, Self.evolved) == nil)
        #expect(code("{\"a\":\"\",\"kind\":\"r\",\"b\":300}", old, Self.evolved) == .invalidField)
        #expect(code("{\"a\":\"\",\"kind\":\"r\",\"c\":1}", old, Self.evolved) == .unknownField)
    }

    @Test("a tree without schema takes any value and knows no version")
    func schemaless() {
        let tree = TreeDeclaration(keys: .name, isVersioned: false, borrow: .optional)
        for value in ["1", "null", "[]", "{\"$file\":1}", "\"x\""] {
            #expect(code(value, nil, tree) == nil)
            #expect(code(value, SchemaVersion.none, tree) == nil)
        }
        #expect(code("1", SchemaVersion(1, 0), tree) == .unknownSchema)
    }

    @Test("many fields are found in any order")
    func manyFields() {
        let fields = (0..<2000).map { Field(name: "field\($0)", type: .int(bits: 16)) }
        let members = (0..<2000).map { "\"field\($0)\":\($0)" }
        #expect(refusal(fields, "{" + members.joined(separator: ",") + "}") == nil)
        #expect(refusal(fields, "{" + members.reversed().joined(separator: ",") + "}") == nil)
        let short = "{" + members.dropLast().joined(separator: ",") + "}"
        #expect(refusal(fields, short)?.field == "field1999")
    }
}
