// Finds the schema of a type by trying it: `init(from:)` runs against a decoder that answers with
// samples and notes what it is asked.
//
// Invariants:
// - never a guess: each type is tried in several ways (optional members there and absent, samples
//   that differ), and all ways that succeed must read the same; what cannot be seen is a finding
//   that names the path;
// - a finding is kept even when the type's code swallows the error.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// Records the types inside one type.
final class SchemaRecorder {
    /// What a type can do that cannot be seen.
    static let hook = "conform the type to SchemaDescribed"

    /// Types seen, each as a `Recording` of it.
    private var known: [ObjectIdentifier: Any] = [:]
    /// Types being tried, the outermost first.
    private var open: [ObjectIdentifier] = []
    /// Names on the way to what is being tried.
    private var path: [String] = []
    /// The first finding.
    private var first: SchemaFinding?

    init() { learnScalars() }

    // MARK: Findings

    /// Makes a finding and keeps it when it is the first.
    ///
    /// - Parameters:
    ///   - reason: What is wrong, a sentence that goes on from the field's name.
    ///   - names: The way to the member; empty for what is being tried itself.
    /// - Returns: The first finding, to be thrown.
    func finding(_ reason: String, at names: [String]) -> SchemaFinding {
        if let first { return first }
        let finding = SchemaFinding(path: path + names, reason: reason)
        first = finding
        return finding
    }

    // MARK: Types

    /// Finds out what a member's type is.
    ///
    /// - Parameters:
    ///   - type: The Swift type.
    ///   - names: The way to the member; empty for the value that is being tried itself.
    /// - Returns: The type, and samples of it.
    /// - Throws: The first `SchemaFinding`.
    func see<T: Decodable>(_ type: T.Type, at names: [String]) throws -> Recording<T> {
        if let recording = known[ObjectIdentifier(type)] as? Recording<T> { return recording }
        path += names
        defer { path.removeLast(names.count) }
        let recording = try find(type)
        if let first { throw first }
        known[ObjectIdentifier(type)] = recording
        return recording
    }

    private func find<T: Decodable>(_ type: T.Type) throws -> Recording<T> {
        if let described = type as? any SchemaDescribed.Type {
            return try cast(try described.describe(self))
        }
        if let form = type as? any RecordingForm.Type { return try cast(try form.record(self)) }
        if let cases = Self.cases(of: type), let recording = try rawValues(cases) {
            return recording
        }
        let id = ObjectIdentifier(type)
        guard !open.contains(id) else {
            throw finding(
                "holds values of its own type \(type): a schema has no recursion, refer to other "
                    + "records by key",
                at: []
            )
        }
        open.append(id)
        defer { open.removeLast() }
        return try attempt(type)
    }

    private func cast<T>(_ recording: Any) throws -> Recording<T> {
        guard let recording = recording as? Recording<T> else {
            throw finding("is not what it says it is: \(T.self)", at: [])
        }
        return recording
    }

    // MARK: Trying

    /// Tries a type in all ways.
    private func attempt<T: Decodable>(_ type: T.Type) throws -> Recording<T> {
        var runs: [(frame: RecordingFrame, value: T)] = []
        var thrown: (any Error)?
        for flavour in RecordingFrame.Flavour.all {
            do {
                runs.append(try run(type, flavour))
            } catch {
                if let first { throw first }
                thrown = thrown ?? error
            }
            if let names = runs.first?.frame.caseNames { return try payloads(type, names) }
        }
        guard let run = runs.first else {
            let reason = thrown.map { ": \($0)" } ?? ""
            throw finding("of type \(type) refuses every sample\(reason). So \(Self.hook)", at: [])
        }
        for other in runs.dropFirst() { try compare(run.frame, other.frame, type) }
        if Mirror(reflecting: run.value).superclassMirror != nil {
            throw finding(
                "is of class \(type), whose superclass cannot be seen: use a struct, or "
                    + Self.hook,
                at: []
            )
        }
        if let single = run.frame.single {
            return Recording(
                type: single.type,
                shape: single.shape,
                samples: runs.compactMap { run in
                    run.frame.single.map { Sample(value: run.value, json: $0.json) }
                }
            )
        }
        let fields = merged(runs.map(\.frame))
        return Recording(
            type: .structure(fields.map(\.field)),
            shape: .object(fields.map(\.member)),
            samples: runs.map { Sample(value: $0.value, json: $0.frame.document) }
        )
    }

    private func run<T: Decodable>(
        _ type: T.Type,
        _ flavour: RecordingFrame.Flavour
    ) throws -> (frame: RecordingFrame, value: T) {
        let frame = RecordingFrame(self, flavour)
        let value = try type.init(from: RecordingDecoder(frame: frame))
        if let first { throw first }
        return (frame, value)
    }

    /// Two ways must read the same fields; one that was asked about may be missing where it is
    /// absent.
    private func compare(_ a: RecordingFrame, _ b: RecordingFrame, _ type: Any.Type) throws {
        var (left, right) = (a.fields, b.fields)
        if !b.flavour.isPresent { left.removeAll { b.asked.contains(Array($0.name.utf8)) } }
        if !b.flavour.isPresent { right.removeAll { b.asked.contains(Array($0.name.utf8)) } }
        let same =
            left.count == right.count
            && zip(left, right).allSatisfy { $0.name.sameBytes(as: $1.name) && $0.type == $1.type }
            && a.single?.type == b.single?.type
        guard same else {
            let names = Set(left.map(\.name)).symmetricDifference(right.map(\.name)).sorted()
            throw finding(
                "of type \(type) reads different members for different values"
                    + (names.isEmpty ? "" : " (\(names.joined(separator: ", ")))")
                    + ": \(Self.hook)",
                at: []
            )
        }
    }

    /// The fields of the fullest run; one is optional when any run found it so.
    private func merged(_ frames: [RecordingFrame]) -> [SeenField] {
        let optional = Set(
            frames.flatMap { frame in
                frame.fields.filter(\.isOptional).map { Array($0.name.utf8) } + frame.asked
            }
        )
        let fullest = frames.map(\.fields).max { $0.count < $1.count } ?? []
        return fullest.map { field in
            var field = field
            field.isOptional = optional.contains(Array(field.name.utf8))
            return field
        }
    }

    // MARK: Enums

    /// All cases of an enum without payload, or nil.
    static func cases<T>(of type: T.Type) -> [T]? {
        if let cases = EnumCases.all(of: type) { return cases }
        guard EnumCases.isEnum(type), let listed = type as? any CaseIterable.Type else {
            return nil
        }
        func all<C: CaseIterable>(_: C.Type) -> [T] { C.allCases.compactMap { $0 as? T } }
        let cases = all(listed)
        return cases.isEmpty ? nil : cases
    }

    /// An enum whose cases are texts or integers; nil when they are objects.
    private func rawValues<T: Decodable>(_ cases: [T]) throws -> Recording<T>? {
        var samples: [Sample<T>] = []
        for value in cases {
            guard let encodable = value as? any Encodable else { return nil }
            samples.append(Sample(value: value, json: try RecordEncoder().encode(encodable)))
        }
        var texts: [String] = []
        var integers: [Int64] = []
        for sample in samples {
            try sample.json.withView { json in
                var scanner = JSONScanner(json)
                switch try scanner.peekKind() {
                case .string: if let text = try scanner.readString().text { texts.append(text) }
                case .number:
                    if let number = try? scanner.readInteger(Int64.self) { integers.append(number) }
                case .object, .array, .true, .false, .null: break
                }
            }
        }
        if texts.isEmpty, integers.isEmpty, samples.allSatisfy({ $0.json.first == 0x7B }) {
            return nil
        }
        for sample in samples {
            let again = try RecordDecoder().decode(T.self, from: sample.json)
            guard let encodable = again as? any Encodable,
                try RecordEncoder().encode(encodable) == sample.json
            else {
                throw finding("has a case that does not read what it writes", at: [])
            }
        }
        if texts.count == samples.count {
            return Recording(
                type: .stringEnum(cases: texts, open: false),
                shape: .plain,
                samples: samples
            )
        }
        guard integers.count == samples.count else {
            throw finding(
                "is an enum whose raw values are neither all texts nor all integers of 64 bits",
                at: []
            )
        }
        return Recording(
            type: .integerEnum(cases: integers, open: false),
            shape: .plain,
            samples: samples
        )
    }

    /// An enum with payloads: tries each case in all ways.
    private func payloads<T: Decodable>(_ type: T.Type, _ names: [String]) throws -> Recording<T> {
        guard EnumCases.isEnum(type) else {
            throw finding(
                "of type \(type) looks which members are there: \(Self.hook)",
                at: []
            )
        }
        var cases: [PayloadCase] = []
        var members: [ValueShape.Member] = []
        var samples: [Sample<T>] = []
        for (index, name) in names.enumerated() {
            var runs: [(frame: RecordingFrame, value: T)] = []
            var thrown: (any Error)?
            for var flavour in RecordingFrame.Flavour.all {
                flavour.caseIndex = index
                do {
                    runs.append(try run(type, flavour))
                } catch {
                    if let first { throw first }
                    thrown = thrown ?? error
                }
            }
            guard let run = runs.first, run.frame.fields.count == 1,
                run.frame.fields[0].name.sameBytes(as: name),
                case .structure(let fields) = run.frame.fields[0].type
            else {
                throw finding(
                    "has a case '\(name)' that cannot be seen"
                        + (thrown.map { ": \($0)" } ?? "") + ". So \(Self.hook)",
                    at: []
                )
            }
            for other in runs.dropFirst() { try compare(run.frame, other.frame, type) }
            cases.append(PayloadCase(name: name, fields: fields))
            members.append(run.frame.fields[0].member)
            samples += runs.map { Sample(value: $0.value, json: $0.frame.document) }
        }
        return Recording(
            type: .payloadEnum(cases: cases, open: false),
            shape: .object(members),
            samples: samples
        )
    }

    // MARK: Known types

    private func learn<T: Decodable>(_ type: FieldType, _ samples: [(value: T, json: String)]) {
        known[ObjectIdentifier(T.self)] = Recording(
            type: type,
            shape: .plain,
            samples: samples.map { Sample(value: $0.value, json: Array($0.json.utf8)) }
        )
    }

    private func learn<I: FixedWidthInteger & Decodable>(_ type: FieldType, _: I.Type) {
        learn(type, [1, 2, 0].map { (I($0), "\($0)") })
    }

    private func learnScalars() {
        learn(.bool, [(true, "true"), (false, "false")])
        learn(.int(bits: 64), Int.self)
        learn(.int(bits: 8), Int8.self)
        learn(.int(bits: 16), Int16.self)
        learn(.int(bits: 32), Int32.self)
        learn(.int(bits: 64), Int64.self)
        learn(.uint(bits: 64), UInt.self)
        learn(.uint(bits: 8), UInt8.self)
        learn(.uint(bits: 16), UInt16.self)
        learn(.uint(bits: 32), UInt32.self)
        learn(.uint(bits: 64), UInt64.self)
        learn(.float, [(Float(1.5), "1.5"), (2.5, "2.5"), (0, "0")])
        learn(.double, [(1.5, "1.5"), (2.5, "2.5"), (0.0, "0")])
        learn(.string, [("a", "\"a\""), ("1", "\"1\""), ("", "\"\"")])
        learn(
            .date,
            [1, 2].map { second in
                (Date(timeIntervalSince1970: second), "\"1970-01-01T00:00:0\(Int(second)).000Z\"")
            }
        )
        learn(
            .uuid,
            ["00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"]
                .compactMap { text in UUID(uuidString: text).map { ($0, "\"\(text)\"") } }
        )
        learn(.data, [(Data([1]), "\"AQ==\""), (Data([2]), "\"Ag==\"")])
        learn(
            .url,
            ["https://example.org/a", "https://example.org/b"]
                .compactMap { text in URL(string: text).map { ($0, "\"\(text)\"") } }
        )
        learn(.decimal, [(Decimal(1), "\"1\""), (Decimal(2), "\"2\"")])
        learn(.uint(bits: 64), [(Number(1), "1"), (Number(2), "2")])
        learn(.string, [(Name(stringLiteral: "a"), "\"a\""), (Name(stringLiteral: "b"), "\"b\"")])
    }
}
