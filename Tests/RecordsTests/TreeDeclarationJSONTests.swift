import HoldfastBasics
import HoldfastRecords
import Testing

private func definition(_ json: String) throws(FormError) -> TreeDefinition {
    let bytes = Array(json.utf8)
    do {
        return try bytes.withView { try TreeDefinition(json: $0) }
    } catch let error as FormError {
        throw error
    } catch {
        preconditionFailure("\(error)")
    }
}

/// A definition whose schema has one field of a type.
private func field(_ type: String) -> String {
    "{\"keys\":\"id\",\"schema\":{\"version\":\"1.0\",\"fields\":[{\"name\":\"x\",\"type\":\(type)}]}}"
}

@Suite struct TreeDeclarationJSONTests {
    private let parts = """
        {"keys":"id","versioned":true,"borrow":"required",\
        "transitions":[{"from":{"draft":0},"to":{"draft":1}},{"from":{"draft":1},"to":{"released":0}}],\
        "schema":{"version":"1.0","fields":[{"name":"number","type":"string","unique":true},\
        {"name":"stock","type":"int64","default":0,"indexed":true},\
        {"name":"footprint","type":{"key":"footprints"},"optional":true},\
        {"name":"pins","type":{"array":{"struct":[{"name":"number","type":"string"}]}}},\
        {"name":"by","type":{"dictionary":"decimal"}},\
        {"name":"colour","type":{"enum":{"raw":"string","cases":["red","a\\"b"],"open":true}}},\
        {"name":"size","type":{"enum":{"raw":"int64","cases":[1,-2],"open":false}}},\
        {"name":"body","type":{"enum":{"payload":[{"name":"resistor","fields":\
        [{"name":"ohm","type":"double"}]},{"name":"none","fields":[]}],"open":false}}}]}}
        """

    @Test("a definition reads as what it says")
    func reads() throws {
        let read = try definition(parts)
        #expect(read.keys == .id)
        #expect(read.isVersioned)
        #expect(read.borrow == .required)
        #expect(
            read.transitions == [
                StateTransition(from: .draft(0), to: .draft(1)),
                StateTransition(from: .draft(1), to: .released(0)),
            ]
        )
        let footprints = try #require(TreeName("footprints"))
        let fields = try #require(read.schema).fields
        #expect(
            fields == [
                Field(name: "number", type: .string, isUnique: true),
                Field(
                    name: "stock",
                    type: .int(bits: 64),
                    defaultValue: Array("0".utf8),
                    isIndexed: true
                ),
                Field(name: "footprint", type: .key(tree: footprints), isOptional: true),
                Field(
                    name: "pins",
                    type: .array(.structure([Field(name: "number", type: .string)]))
                ),
                Field(name: "by", type: .dictionary(.decimal)),
                Field(name: "colour", type: .stringEnum(cases: ["red", "a\"b"], open: true)),
                Field(name: "size", type: .integerEnum(cases: [1, -2], open: false)),
                Field(
                    name: "body",
                    type: .payloadEnum(
                        cases: [
                            PayloadCase(
                                name: "resistor",
                                fields: [Field(name: "ohm", type: .double)]
                            ),
                            PayloadCase(name: "none", fields: []),
                        ],
                        open: false
                    )
                ),
            ]
        )
    }

    @Test("a definition is written as it was read")
    func definitionRoundTrip() throws {
        let read = try definition(parts)
        #expect(String(decoding: read.json, as: UTF8.self) == parts)
        let small = try definition("{\"keys\":\"name\"}")
        #expect(small == TreeDefinition(keys: .name))
        #expect(try small.json.withView { try TreeDefinition(json: $0) } == small)
    }

    @Test("a table of transitions that is null is taken away; one that is left out is not")
    func transitionsNull() throws {
        let text = "{\"keys\":\"id\",\"versioned\":true,\"transitions\":null}"
        let read = try definition(text)
        #expect(read.transitions == nil)
        #expect(read.allowsAnyTransition)
        #expect(String(decoding: read.json, as: UTF8.self) == text)
        #expect(try !definition("{\"keys\":\"id\"}").allowsAnyTransition)
    }

    @Test("members come in any order, and null is as left out")
    func order() throws {
        let read = try definition(
            "{\"schema\":{\"fields\":[{\"type\":{\"enum\":{\"cases\":[1],\"open\":true,\"raw\":\"int64\"}},"
                + "\"default\":null,\"n\\u0061me\":\"x\"}],\"version\":\"2\"},\"transitions\":null,"
                + "\"borrow\":null,\"keys\":\"name\"}"
        )
        #expect(read.schema?.version == SchemaVersion(2, 0))
        #expect(
            read.schema?.fields == [
                Field(name: "x", type: .integerEnum(cases: [1], open: true))
            ]
        )
        #expect(read.borrow == nil)
    }

    @Test("every type has its word")
    func words() throws {
        let words = [
            "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
            "float", "double", "string", "date", "uuid", "data", "url", "decimal", "file", "any",
        ]
        for word in words {
            let type = try #require(try definition(field("\"\(word)\"")).schema?.fields.first).type
            #expect(type.word == word)
        }
    }

    @Test(
        "what does not fit is refused with its path",
        arguments: [
            ("[]", ""), ("{}", "keys"), ("{\"keys\":\"ids\"}", "keys"), ("{\"keys\":1}", "keys"),
            ("{\"keys\":\"id\",\"colour\":1}", "colour"),
            ("{\"keys\":\"id\",\"versioned\":\"yes\"}", "versioned"),
            ("{\"keys\":\"id\",\"borrow\":\"never\"}", "borrow"),
            ("{\"keys\":\"id\",\"transitions\":[{\"from\":{\"draft\":0}}]}", "transitions.0.to"),
            (
                "{\"keys\":\"id\",\"transitions\":[{\"to\":\"plain\",\"from\":{\"draft\":-1}}]}",
                "transitions.0.from.draft"
            ),
            ("{\"keys\":\"id\",\"schema\":{\"fields\":[]}}", "schema.version"),
            ("{\"keys\":\"id\",\"schema\":{\"version\":\"1.x\",\"fields\":[]}}", "schema.version"),
            ("{\"keys\":\"id\",\"schema\":{\"version\":\"1.0\"}}", "schema.fields"),
            (
                "{\"keys\":\"id\",\"schema\":{\"version\":\"1.0\",\"fields\":[{\"name\":\"x\"}]}}",
                "schema.fields.0.type"
            ),
            (
                "{\"keys\":\"id\",\"schema\":{\"version\":\"1.0\",\"fields\":[{\"name\":\"x\","
                    + "\"type\":\"bool\",\"folding\":true}]}}",
                "schema.fields.0.folding"
            ),
            (field("\"int\""), "schema.fields.0.type"),
            (field("7"), "schema.fields.0.type"),
            (field("{}"), "schema.fields.0.type"),
            (field("{\"set\":\"string\"}"), "schema.fields.0.type"),
            (field("{\"array\":\"bool\",\"key\":\"a\"}"), "schema.fields.0.type"),
            (
                field("{\"array\":{\"dictionary\":\"word\"}}"),
                "schema.fields.0.type.array.dictionary"
            ),
            (field("{\"key\":\"Upper\"}"), "schema.fields.0.type.key"),
            (field("{\"struct\":{}}"), "schema.fields.0.type.struct"),
            (field("{\"enum\":{\"raw\":\"int8\",\"cases\":[]}}"), "schema.fields.0.type.enum.raw"),
            (
                field("{\"enum\":{\"raw\":\"int64\",\"cases\":[1,\"2\"]}}"),
                "schema.fields.0.type.enum.cases.1"
            ),
            (field("{\"enum\":{\"cases\":[\"a\"]}}"), "schema.fields.0.type.enum"),
            (
                field("{\"enum\":{\"payload\":[],\"raw\":\"string\",\"cases\":[]}}"),
                "schema.fields.0.type.enum"
            ),
            (
                field("{\"enum\":{\"payload\":[{\"name\":\"a\"}]}}"),
                "schema.fields.0.type.enum.payload.0.fields"
            ),
        ]
    )
    func refuses(json: String, path: String) {
        let error = #expect(throws: FormError.self) { try definition(json) }
        #expect(error?.path == path)
        #expect(error?.detail.isEmpty == false)
    }

    @Test("a declaration is read as it was written")
    func declarationRoundTrip() throws {
        let read = try definition(parts)
        let first = try #require(read.schema)
        let declaration = TreeDeclaration(
            keys: .id,
            isVersioned: true,
            borrow: .optional,
            transitions: read.transitions,
            schemas: [first, Descriptor(version: SchemaVersion(1, 1), fields: first.fields)]
        )
        let again = try declaration.json.withView { try TreeDeclaration(json: $0) }
        #expect(again == declaration)
        #expect(again.json == declaration.json)
        #expect(
            String(decoding: declaration.json, as: UTF8.self).hasSuffix(",\"current\":\"1.1\"}")
        )
        let bare = TreeDeclaration(keys: .name, isVersioned: false, borrow: .optional)
        #expect(try bare.json.withView { try TreeDeclaration(json: $0) } == bare)
        #expect(
            String(decoding: bare.json, as: UTF8.self)
                == "{\"keys\":\"name\",\"versioned\":false,\"borrow\":\"optional\",\"schemas\":[]}"
        )
    }

    @Test("a stored declaration may have members nobody knows yet")
    func newerDeclaration() throws {
        let json =
            "{\"later\":[{}],\"keys\":\"id\",\"versioned\":true,\"borrow\":\"required\",\"schemas\":"
            + "[{\"version\":\"1.0\",\"fields\":[{\"name\":\"a\",\"type\":\"string\",\"fold\":1}]}],"
            + "\"current\":\"1.0\"}"
        let read = try Array(json.utf8).withView { try TreeDeclaration(json: $0) }
        #expect(read.current?.fields == [Field(name: "a", type: .string)])
    }

    @Test("a stored declaration names its last version as the current one")
    func currentVersion() {
        let json =
            "{\"keys\":\"id\",\"versioned\":true,\"borrow\":\"required\",\"schemas\":"
            + "[{\"version\":\"1.0\",\"fields\":[]}],\"current\":\"1.1\"}"
        let error = #expect(throws: FormError.self) {
            try Array(json.utf8).withView { try TreeDeclaration(json: $0) }
        }
        #expect(error?.path == "current")
    }

    @Test("descriptors that differ only in composed letters have different bytes")
    func canonicalBytes() {
        let composed = Descriptor(
            version: SchemaVersion(1, 0),
            fields: [Field(name: "\u{e9}", type: .bool)]
        )
        let decomposed = Descriptor(
            version: SchemaVersion(1, 0),
            fields: [Field(name: "e\u{301}", type: .bool)]
        )
        #expect(composed.json != decomposed.json)
    }

    @Test("a damaged definition is an error or a definition, never a trap")
    func mutations() {
        let random = SeededRandom(seed: 20_261_121)
        let original = Array(parts.utf8)
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0...random.next() % 3 {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes = Array(bytes.prefix(place + 1))
                }
            }
            bytes.withView { view in
                do throws(FormError) {
                    let read = try TreeDefinition(json: view)
                    #expect(!read.json.isEmpty)
                } catch {
                    #expect(!error.detail.isEmpty)
                }
            }
        }
    }
}
