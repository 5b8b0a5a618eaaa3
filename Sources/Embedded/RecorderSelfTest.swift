// Shows once per process that the recorder sees what it should: it stands on how Codable is
// synthesised and on the runtime's metadata, which another compiler may change.
internal import HoldfastRecords

/// Records a type of which the schema is known.
enum RecorderSelfTest {
    private enum Level: String, Codable { case low, high = "HIGH" }
    private enum Shape: Codable { case circle(radius: Double), pair(Int, Level?), none }
    private struct Inner: Codable { var text: String, level: Level? }
    private struct Outer: Codable {
        var flag: Bool, list: [Inner], table: [String: Int16], shape: Shape, some: Int?
    }

    private static let expected: FieldType = {
        let level = FieldType.stringEnum(cases: ["low", "HIGH"], open: false)
        let inner = FieldType.structure([
            Field(name: "text", type: .string),
            Field(name: "level", type: level, isOptional: true),
        ])
        let pair = [
            Field(name: "_0", type: .int(bits: 64)),
            Field(name: "_1", type: level, isOptional: true),
        ]
        let shape = FieldType.payloadEnum(
            cases: [
                PayloadCase(name: "circle", fields: [Field(name: "radius", type: .double)]),
                PayloadCase(name: "pair", fields: pair),
                PayloadCase(name: "none", fields: []),
            ],
            open: false
        )
        return .structure([
            Field(name: "flag", type: .bool),
            Field(name: "list", type: .array(inner)),
            Field(name: "table", type: .dictionary(.int(bits: 16))),
            Field(name: "shape", type: shape),
            Field(name: "some", type: .int(bits: 64), isOptional: true),
        ])
    }()

    /// What is wrong; nil when the recorder works.
    static let failure: String? = {
        do {
            let seen = try SchemaRecorder().see(Outer.self, at: []).type
            return seen == expected ? nil : "it saw \(seen)"
        } catch {
            return "\(error)"
        }
    }()
}
