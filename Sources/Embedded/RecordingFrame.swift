// One run of a type's `init(from:)` while it is watched.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// Notes what one value reads.
final class RecordingFrame {
    /// How the decoder answers.
    struct Flavour {
        /// Whether optional members are there.
        let isPresent: Bool
        /// Which samples are given.
        let sample: Int
        /// Which case an enum with payloads is to be.
        var caseIndex = 0

        /// The ways in which a type is tried.
        static let all = [
            Flavour(isPresent: true, sample: 0), Flavour(isPresent: true, sample: 1),
            Flavour(isPresent: false, sample: 0), Flavour(isPresent: true, sample: 2),
        ]
    }

    /// A field, or an object inside whose fields are being read.
    private enum Item {
        case field(SeenField, json: [UInt8]?)
        case nested(name: String, RecordingFrame)
    }

    /// What one unnamed value was read as.
    struct Single {
        let type: FieldType
        let shape: ValueShape
        let json: [UInt8]
    }

    let recorder: SchemaRecorder
    let flavour: Flavour
    private var items: [Item] = []
    private(set) var single: Single?
    private(set) var isKeyed = false
    /// Members it was asked about without being read.
    private(set) var asked: Set<[UInt8]> = []
    /// Set when all names were asked for, as an enum with payloads does.
    private(set) var caseNames: [String]?

    /// Names on the way from the value to this object inside it.
    let prefix: [String]

    init(_ recorder: SchemaRecorder, _ flavour: Flavour, at prefix: [String] = []) {
        self.recorder = recorder
        self.flavour = flavour
        self.prefix = prefix
    }

    // MARK: Reading

    /// Opens the members.
    func enterObject() throws {
        guard single == nil else { throw mixed() }
        isKeyed = true
    }

    /// Reads a member.
    func read<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
        let recording = try recorder.see(type, at: prefix + [name])
        let sample =
            flavour.isPresent || !recording.isOptional
            ? recording.sample(flavour.sample) : recording.samples[recording.samples.count - 1]
        let wasAsked = asked.contains(Array(name.utf8))
        try note(recording, name, isOptional: recording.isOptional || wasAsked, json: sample.json)
        return sample.value
    }

    /// Reads a member that may be absent.
    func readIfPresent<T: Decodable>(_ type: T.Type, _ name: String) throws -> T? {
        let recording = try recorder.see(type, at: prefix + [name])
        guard !recording.isOptional else {
            throw recorder.finding("is optional twice: one level is enough", at: prefix + [name])
        }
        let sample = recording.sample(flavour.sample)
        let json = flavour.isPresent ? sample.json : nil
        try note(recording, name, isOptional: true, json: json)
        return flavour.isPresent ? sample.value : nil
    }

    /// Tells whether a member is there.
    func ask(_ name: String) -> Bool {
        asked.insert(Array(name.utf8))
        return flavour.isPresent
    }

    /// Reads a value without members.
    func readSingle<T: Decodable>(_ type: T.Type) throws -> T {
        guard !isKeyed else { throw mixed() }
        let recording = try recorder.see(type, at: prefix)
        guard !recording.isOptional else {
            throw recorder.finding("wraps an optional: make the field itself optional", at: prefix)
        }
        if let single, single.type != recording.type {
            throw recorder.finding(
                "is read as \(single.type.word) or as \(recording.type.word), depending on its "
                    + "value: \(SchemaRecorder.hook)",
                at: prefix
            )
        }
        let sample = recording.sample(flavour.sample)
        single = Single(type: recording.type, shape: recording.shape, json: sample.json)
        return sample.value
    }

    /// Opens the members of a member.
    func enterNested(_ name: String) throws -> RecordingFrame {
        try enterObject()
        for case .nested(let other, let frame) in items where other.sameBytes(as: name) {
            return frame
        }
        let frame = RecordingFrame(recorder, flavour, at: prefix + [name])
        frame.isKeyed = true
        items.append(.nested(name: name, frame))
        return frame
    }

    /// Gives the one name that an enum with payloads is to find.
    func names<K: CodingKey>(_: K.Type) throws -> [K] {
        guard let cases = SchemaRecorder.cases(of: K.self) else {
            throw recorder.finding(
                "reads members whose names it does not know before: use a dictionary, or "
                    + SchemaRecorder.hook,
                at: prefix
            )
        }
        caseNames = cases.map(\.stringValue)
        return [cases[flavour.caseIndex % cases.count]]
    }

    private func note<T>(
        _ recording: Recording<T>,
        _ name: String,
        isOptional: Bool,
        json: [UInt8]?
    ) throws {
        try enterObject()
        for (index, item) in items.enumerated() {
            guard case .field(var field, let known) = item, field.name.sameBytes(as: name) else {
                continue
            }
            guard field.type == recording.type else {
                throw recorder.finding(
                    "is read as \(field.type.word) and as \(recording.type.word): "
                        + SchemaRecorder.hook,
                    at: prefix + [name]
                )
            }
            field.isOptional = field.isOptional || isOptional
            items[index] = .field(field, json: json ?? known)
            return
        }
        let field = SeenField(
            name: name,
            type: recording.type,
            shape: recording.shape,
            isOptional: isOptional
        )
        items.append(.field(field, json: json))
    }

    private func mixed() -> SchemaFinding {
        recorder.finding(
            "is read as one value or as members, depending on its value: \(SchemaRecorder.hook)",
            at: prefix
        )
    }

    // MARK: What was read

    /// The fields, in the order in which they were read.
    var fields: [SeenField] {
        items.map { item in
            switch item {
            case .field(let field, _): field
            case .nested(let name, let frame):
                SeenField(
                    name: name,
                    type: .structure(frame.fields.map(\.field)),
                    shape: .object(frame.fields.map(\.member)),
                    isOptional: false
                )
            }
        }
    }

    /// The value's JSON: an object of what was given.
    var document: [UInt8] {
        JSONText.object(
            items.compactMap { item in
                switch item {
                case .field(let field, let json): json.map { (field.name, $0) }
                case .nested(let name, let frame): (name, frame.document)
                }
            }
        )
    }
}

/// Writes JSON.
enum JSONText {
    /// An object of members whose values are JSON.
    static func object(_ members: [(name: String, json: [UInt8])]) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.append("{")
        for (index, member) in members.enumerated() {
            if index > 0 { buffer.append(",") }
            buffer.appendJSONString(member.name)
            buffer.append(":")
            buffer.append(member.json)
        }
        buffer.append("}")
        return buffer.array
    }
}

extension String {
    /// Equality of UTF-8 bytes.
    func sameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
