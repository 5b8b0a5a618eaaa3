import Foundation
import HoldfastBasics
import HoldfastEngine
import HoldfastJSONCoding
import HoldfastRecords
import Testing

@testable import HoldfastEmbedded

@Suite struct SchemaTests {
    private func json<R: Record>(_: R.Type) throws -> String {
        let schema = try #require(try RecordSchema<R>().definition.schema)
        return String(decoding: schema.json, as: UTF8.self)
    }

    @Test("The documentation's part has the schema one would declare over REST by hand")
    func part() throws {
        let byHand = """
            {"version":"1.1","fields":[
            {"name":"number","type":"string","unique":true},
            {"name":"title","type":"string"},
            {"name":"package","type":"string","indexed":true},
            {"name":"stock","type":"int64"},
            {"name":"minimum","type":"int64"},
            {"name":"pins","type":{"array":{"struct":[
            {"name":"number","type":"string"},{"name":"name","type":"string"}]}}},
            {"name":"footprint","type":{"key":"footprints"},"optional":true}]}
            """
        #expect(try json(Part.self) == byHand.replacingOccurrences(of: "\n", with: ""))
        let schema = try RecordSchema<Part>()
        #expect(schema.tree.description == "parts")
        #expect(schema.keys == .id && schema.definition.isVersioned)
        #expect(schema.definition.borrow == nil)
        #expect(schema.texts == ["number", "title"])
        #expect(schema.uniques.map(\.field) == ["number"])
        #expect(schema.indexes.map(\.field) == ["package", "pins"])
        let footprint = try RecordSchema<Footprint>()
        #expect(footprint.keys == .name && footprint.definition.borrow == .optional)
    }

    @Test("Every type of field is seen as it is")
    func zoo() throws {
        let place = """
            {"struct":[{"name":"x","type":"double"},\
            {"name":"y","type":"float","optional":true},\
            {"name":"tags","type":{"array":"string"}}]}
            """
        let level = #"{"enum":{"raw":"string","cases":["low","HIGH"],"open":false}}"#
        let form = """
            {"enum":{"payload":[\
            {"name":"circle","fields":[{"name":"radius","type":"double"}]},\
            {"name":"pair","fields":[{"name":"_0","type":"int8"},\
            {"name":"_1","type":\(level),"optional":true}]},\
            {"name":"nothing","fields":[]}],"open":false}}
            """
        let expected: [(name: String, type: String, isOptional: Bool)] = [
            ("flag", #""bool""#, false), ("i8", #""int8""#, false), ("i16", #""int16""#, false),
            ("i32", #""int32""#, false), ("i64", #""int64""#, false), ("int", #""int64""#, false),
            ("u8", #""uint8""#, false), ("u16", #""uint16""#, false), ("u32", #""uint32""#, false),
            ("u64", #""uint64""#, false), ("uint", #""uint64""#, false),
            ("float", #""float""#, false), ("double", #""double""#, false),
            ("text", #""string""#, false), ("date", #""date""#, false), ("uuid", #""uuid""#, false),
            ("data", #""data""#, false), ("url", #""url""#, false),
            ("decimal", #""decimal""#, false), ("part", #"{"key":"parts"}"#, false),
            ("footprint", #"{"key":"footprints"}"#, true), ("anyRevision", #""uint64""#, false),
            ("name", #""string""#, false), ("list", #"{"array":"int64"}"#, false),
            ("set", #"{"array":"int16"}"#, false), ("places", #"{"array":\#(place)}"#, false),
            ("nested", #"{"array":{"array":"string"}}"#, false),
            ("table", #"{"dictionary":\#(place)}"#, false), ("place", place, false),
            ("placeSet", #"{"array":\#(place)}"#, false), ("level", level, false),
            ("rank", #"{"enum":{"raw":"int64","cases":[1,2],"open":false}}"#, true),
            ("only", #"{"enum":{"raw":"string","cases":["one"],"open":false}}"#, false),
            ("form", form, false), ("forms", #"{"array":\#(form)}"#, true),
            (
                "bare",
                #"{"enum":{"payload":[{"name":"left","fields":[]},{"name":"right","fields":[]}],"#
                    + #""open":false}}"#, false
            ),
            ("code", #""string""#, false),
            ("kind", #"{"enum":{"raw":"string","cases":["resistor","diode"],"open":true}}"#, false),
            ("file", #""file""#, true), ("stored", #""string""#, false),
        ]
        let fields = expected.map {
            #"{"name":"\#($0.name)","type":\#($0.type)\#($0.isOptional ? #","optional":true"# : "")}"#
        }
        #expect(
            try json(Zoo.self) == #"{"version":"1.0","fields":[\#(fields.joined(separator: ","))]}"#
        )
        #expect(try json(Zoo.self) == json(Zoo.self))
    }

    @Test("An initialiser written by hand is seen: defaults, absent members, nested containers")
    func byHand() throws {
        #expect(
            try json(ByHand.self) == """
                {"version":"1.0","fields":[{"name":"count","type":"int64","optional":true},\
                {"name":"label","type":"string","optional":true},\
                {"name":"note","type":"string","optional":true},\
                {"name":"size","type":{"struct":[{"name":"depth","type":"double"}]}}]}
                """
        )
    }

    @Test("The engine takes every schema, and every sample value of it")
    func engine() throws {
        let definition = try RecordSchema<Zoo>().definition
        let declaration = try SchemaEvolution.check(old: nil, definition: definition).get()
        let validator = SchemaValidator(declaration)
        for sample in try SchemaRecorder().see(Zoo.self, at: []).samples {
            let encoded = try RecordSchema<Zoo>().encode(sample.value, over: nil)
            #expect(encoded.withView { validator.validate($0, writtenWith: nil) } == nil)
        }
    }

    @Test("The recorder's own test finds what breaks it")
    func selfTest() {
        #expect(RecorderSelfTest.failure == nil)
        #expect(EnumCases.all(of: Zoo.Form.self) == nil)
        #expect(EnumCases.all(of: Zoo.Only.self) == [.one])
        #expect(EnumCases.all(of: Wide.self)?.map(\.rawValue) == (0..<300).map { "c\($0)" })
        #expect(EnumCases.all(of: String.self) == nil)
        #expect(EnumCases.isEnum(Zoo.Form.self) && !EnumCases.isEnum(Int?.self))
    }

    @Test("Values of unique fields have the bytes of the engine's index")
    func uniqueBytes() throws {
        let fields = UniqueFields(
            Descriptor(
                version: SchemaVersion(1, 0),
                fields: [Field(name: "f", type: .any, isUnique: true)]
            )
        )
        func compare<V: Encodable>(_ value: V) throws {
            var expected: [UInt8]?
            let document = try RecordEncoder().encode(["f": value])
            document.withView { view in
                fields.forEachValue(in: view) { expected = $1.array }
            }
            #expect(IndexBytes.bytes(of: value) == expected, "\(value)")
        }
        for text in ["", "a", "a\"b\n", KeyTests.composed, KeyTests.decomposed, "\u{1F600}"] {
            try compare(text)
        }
        for number in [0.0, -0.0, 1.5, 1e15, 1e300, 12, -7] { try compare(number) }
        for number in [Int.min, -1, 0, 42, Int.max] { try compare(number) }
        try compare(UInt64.max)
        try compare(true)
        try compare(Zoo.Level.high)
        try compare(UUID())
        try compare(Date(timeIntervalSince1970: 1.5))
        try compare(Name("a"))
        try compare(Decimal(string: "12.50"))
        try compare(Int?.none)
        try compare(String?.none)
        try compare([1])
        #expect(IndexBytes.bytes(of: Double.nan) == nil)
    }
}
