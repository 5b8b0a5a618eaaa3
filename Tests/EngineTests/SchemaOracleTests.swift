// Compares the compiled validator with a simple one that follows the sentences of the model:
// by the version a change names, and for members it does not know by a later minor.
import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import HoldfastRecords
import Testing

@testable import HoldfastEngine

/// A document as a tree of values; numbers keep their text.
private indirect enum Value {
    case null
    case bool(Bool)
    case number(String)
    case text(String)
    case array([Value])
    case object([(name: String, value: Value)])

    var json: String {
        switch self {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .number(let digits): return digits
        case .text(let text):
            var buffer = ByteBuffer()
            buffer.appendJSONString(text)
            return buffer.view.text
        case .array(let elements): return "[" + elements.map(\.json).joined(separator: ",") + "]"
        case .object(let members):
            return "{"
                + members.map { Value.text($0.name).json + ":" + $0.value.json }
                .joined(separator: ",") + "}"
        }
    }
}

/// The interpreter.
///
/// `later` holds what all later minors of the major have in the same place.
private func accepts(_ value: Value, _ type: FieldType, later: [FieldType]) -> Bool {
    switch (type, value) {
    case (.any, _), (.string, .text), (.bool, .bool): return true
    case (.int(let bits), .number(let digits)):
        guard let number = Int64(digits) else { return false }
        switch bits {
        case 8: return Int8(exactly: number) != nil
        case 16: return Int16(exactly: number) != nil
        case 32: return Int32(exactly: number) != nil
        default: return true
        }
    case (.uint(let bits), .number(let digits)):
        guard let number = UInt64(digits) else { return false }
        return bits == 64 || number <= (UInt64(1) << bits) - 1
    case (.double, .number(let digits)): return Double(digits)?.isFinite ?? false
    case (.uuid, .text(let text)): return UUID(uuidString: text) != nil
    case (.data, .text(let text)): return Data(base64Encoded: text) != nil
    case (.array(let element), .array(let elements)):
        let others = later.compactMap { if case .array(let type) = $0 { type } else { nil } }
        return elements.allSatisfy { accepts($0, element, later: others) }
    case (.dictionary(let element), .object(let members)):
        let others = later.compactMap { if case .dictionary(let type) = $0 { type } else { nil } }
        return members.allSatisfy { accepts($0.value, element, later: others) }
    case (.structure(let fields), .object(let members)):
        let others = later.compactMap {
            if case .structure(let fields) = $0 { fields } else { nil }
        }
        return acceptsObject(members, fields, later: others)
    case (.stringEnum(let cases, _), .text(let text)):
        let others = later.flatMap { type -> [String] in
            if case .stringEnum(let cases, _) = type { cases } else { [] }
        }
        return (cases + others).contains(text)
    case (.payloadEnum(let cases, _), .object(let members)):
        guard members.count == 1, let member = members.first else { return false }
        let others: [PayloadCase] = later.flatMap { type -> [PayloadCase] in
            if case .payloadEnum(let cases, _) = type { cases } else { [] }
        }
        guard let found = (cases + others).first(where: { $0.name == member.name }) else {
            return false
        }
        let same = others.filter { $0.name == member.name }.map(\.fields)
        guard case .object(let payload) = member.value else { return false }
        return acceptsObject(payload, found.fields, later: same)
    default: return false
    }
}

private func acceptsObject(
    _ members: [(name: String, value: Value)],
    _ fields: [Field],
    later: [[Field]]
) -> Bool {
    for field in fields where !field.isOptional && field.defaultValue == nil {
        guard members.contains(where: { $0.name == field.name }) else { return false }
    }
    return members.allSatisfy { member in
        let others = later.flatMap { $0 }.filter { $0.name == member.name }
        guard let field = fields.first(where: { $0.name == member.name }) ?? others.first else {
            return false
        }
        if field.isOptional, case .null = member.value { return true }
        return accepts(member.value, field.type, later: others.map(\.type))
    }
}

/// Makes descriptors, minors of them, and documents that nearly fit.
private struct Maker {
    let random: SeededRandom

    func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    func type(_ depth: Int) -> FieldType {
        switch pick(depth > 0 ? 13 : 8) {
        case 0: return .bool
        case 1: return .int(bits: [8, 16, 32, 64][pick(4)])
        case 2: return .uint(bits: [8, 16, 32, 64][pick(4)])
        case 3: return .double
        case 4: return .string
        case 5: return .uuid
        case 6: return .any
        case 7: return .stringEnum(cases: ["red", "gr\u{fc}n"], open: pick(2) == 0)
        case 8: return .array(type(depth - 1))
        case 9: return .dictionary(type(depth - 1))
        case 10, 11: return .structure(fields(depth - 1))
        default:
            let cases = (0...pick(3)).map { PayloadCase(name: "c\($0)", fields: fields(depth - 1)) }
            return .payloadEnum(cases: cases, open: pick(2) == 0)
        }
    }

    func fields(_ depth: Int) -> [Field] {
        (0..<pick(6)).map { Field(name: "f\($0)", type: type(depth), isOptional: pick(3) == 0) }
    }

    /// A minor step: what the rules allow, here and there.
    func grown(_ type: FieldType) -> FieldType {
        switch type {
        case .array(let element): return .array(grown(element))
        case .dictionary(let element): return .dictionary(grown(element))
        case .structure(let fields): return .structure(grown(fields))
        case .stringEnum(let cases, true):
            return .stringEnum(cases: cases + ["new\(cases.count)"], open: true)
        case .payloadEnum(let cases, let open):
            var cases = cases.map { PayloadCase(name: $0.name, fields: grown($0.fields)) }
            if open { cases.append(PayloadCase(name: "c\(cases.count)", fields: fields(1))) }
            return .payloadEnum(cases: cases, open: open)
        default: return type
        }
    }

    func grown(_ fields: [Field]) -> [Field] {
        var fields = fields.map {
            Field(name: $0.name, type: grown($0.type), isOptional: $0.isOptional)
        }
        if pick(2) == 0 {
            fields.append(Field(name: "f\(fields.count)", type: type(1), isOptional: true))
        }
        return fields
    }

    /// A value for a type; one in `rate` parts is something else.
    func value(_ type: FieldType, rate: Int) -> Value {
        if pick(rate) == 0 { return stray() }
        switch type {
        case .bool: return .bool(pick(2) == 0)
        case .int, .uint: return .number(["0", "-1", "127", "255", "70000", "1.0"][pick(6)])
        case .double: return .number(["1.5", "-2e3", "1e400", "0"][pick(4)])
        case .string: return .text(["", "a\"b", "\u{e9}"][pick(3)])
        case .uuid: return .text("0198c5f2-7b1e-7c3a-9d55-0a1b2c3d4e5f")
        case .stringEnum(let cases, _): return .text(cases[pick(cases.count)])
        case .array(let element):
            return .array((0..<pick(4)).map { _ in value(element, rate: rate) })
        case .dictionary(let element):
            return .object((0..<pick(3)).map { ("k\($0)", value(element, rate: rate)) })
        case .structure(let fields): return object(fields, rate: rate)
        case .payloadEnum(let cases, _):
            let one = cases[pick(cases.count)]
            return .object([(one.name, object(one.fields, rate: rate))])
        default: return stray()
        }
    }

    func object(_ fields: [Field], rate: Int) -> Value {
        var members: [(name: String, value: Value)] = []
        for field in fields {
            if pick(field.isOptional ? 3 : rate) == 0 { continue }
            members.append(
                (
                    field.name,
                    field.isOptional && pick(4) == 0 ? .null : value(field.type, rate: rate)
                )
            )
        }
        if pick(rate) == 0 { members.append(("stray", .null)) }
        var generator = random
        if pick(3) == 0 { members.shuffle(using: &generator) }
        return .object(members)
    }

    func stray() -> Value {
        switch pick(6) {
        case 0: return .null
        case 1: return .bool(true)
        case 2: return .number("7")
        case 3: return .text("x")
        case 4: return .array([.null])
        default: return .object([("f0", .text("x"))])
        }
    }
}

@Suite struct SchemaOracleTests {
    private let seed: UInt64 = 26_112_026

    @Test("random documents are judged as the model's sentences judge them, for every version")
    func agrees() throws {
        let maker = Maker(random: SeededRandom(seed: seed))
        var accepted = 0
        var refused = 0
        for round in 0..<300 {
            var versions = [Descriptor(version: SchemaVersion(1, 0), fields: maker.fields(3))]
            for minor in 1...3 {
                let next = maker.grown(versions[minor - 1].fields)
                versions.append(Descriptor(version: SchemaVersion(1, UInt16(minor)), fields: next))
            }
            var tree: TreeDeclaration?
            for version in versions {
                tree = try SchemaEvolution.check(
                    old: tree,
                    definition: TreeDefinition(keys: .id, schema: version)
                ).get()
            }
            let validator = SchemaValidator(try #require(tree))
            for _ in 0..<60 {
                let source = versions[maker.pick(4)]
                let document = maker.object(source.fields, rate: [12, 60, 1000][maker.pick(3)])
                let named = maker.pick(4)
                let later = versions[(named + 1)...].map { FieldType.structure($0.fields) }
                let expected = accepts(document, .structure(versions[named].fields), later: later)
                let refusal = Array(document.json.utf8).withView {
                    validator.validate($0, writtenWith: versions[named].version)
                }
                if expected { accepted += 1 } else { refused += 1 }
                #expect(
                    (refusal == nil) == expected,
                    "seed \(seed) round \(round): \(document.json) \(String(describing: refusal))"
                )
            }
        }
        #expect(accepted > 2000 && refused > 2000, "\(accepted) accepted, \(refused) refused")
    }

    @Test("a damaged document is judged somehow, never trapped on")
    func mutations() throws {
        let maker = Maker(random: SeededRandom(seed: seed + 1))
        for _ in 0..<300 {
            let fields = maker.fields(3).map {
                Field(name: $0.name, type: $0.type, isOptional: $0.isOptional, isUnique: true)
            }
            let descriptor = Descriptor(version: SchemaVersion(1, 0), fields: fields)
            let validator = SchemaValidator(
                TreeDeclaration(
                    keys: .id,
                    isVersioned: false,
                    borrow: .required,
                    schemas: [descriptor]
                )
            )
            let unique = UniqueFields(descriptor)
            let document = Array(maker.object(fields, rate: 1000).json.utf8)
            for _ in 0..<60 {
                var bytes = document
                for _ in 0...maker.pick(3) where !bytes.isEmpty {
                    let place = maker.pick(bytes.count)
                    switch maker.pick(3) {
                    case 0: bytes[place] = UInt8(truncatingIfNeeded: maker.random.next())
                    case 1: bytes.remove(at: place)
                    default: bytes = Array(bytes.prefix(place))
                    }
                }
                bytes.withView { view in
                    if let refusal = validator.validate(view, writtenWith: nil) {
                        #expect(!refusal.detail.isEmpty)
                    }
                    unique.forEachValue(in: view) {
                        #expect($0 < fields.count && $1.count <= view.count + 24)
                    }
                }
            }
        }
    }
}
