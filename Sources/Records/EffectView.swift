// Reads one effect in place.
public import HoldfastBasics

/// One record set or removed, read in place.
///
/// Valid as long as the bytes it was made of.
public struct EffectView {
    /// The effect as it was written.
    let bytes: ByteView
    /// Length of the effect.
    public let byteCount: Int
    private let nameEnd: Int
    private let valueStart: Int

    /// Reads the effect at the beginning of `bytes`.
    ///
    /// - Throws: `malformed`, `upgradeNeeded`.
    public init(_ bytes: ByteView) throws(ContentError) {
        let fixed = ContentLayout.effectByteCount
        guard bytes.count >= fixed else { throw .malformed(offset: 0, what: "an effect is cut") }
        guard (1...2).contains(bytes[0]), (1...2).contains(bytes[3]), bytes[2] <= 2 else {
            throw .malformed(offset: 0, what: "an effect is of no known kind")
        }
        var name = 0
        if bytes[3] == 2 {
            let length = bytes.integer(UInt64.self, at: 24)
            guard length <= UInt64(Limits.nameByteCountMax) else {
                throw .malformed(offset: 24, what: "a name is too long")
            }
            name = Int(length)
        }
        let stamp =
            Int(bytes.integer(UInt16.self, at: 44)) + Int(bytes.integer(UInt16.self, at: 46))
        let extensions = Int(bytes.integer(UInt16.self, at: 48))
        nameEnd = fixed + name
        valueStart = nameEnd + stamp + extensions
        byteCount = valueStart + Int(bytes.integer(UInt32.self, at: 12))
        guard byteCount <= bytes.count else {
            throw .malformed(offset: 12, what: "an effect's value is cut")
        }
        self.bytes = bytes[0..<byteCount]
        if extensions > 0 {
            try checkExtensions(bytes[valueStart - extensions..<valueStart], at: nameEnd + stamp)
        }
    }

    /// Whether the record stands afterwards; otherwise it is removed.
    public var isSet: Bool { bytes[0] == 1 }
    /// Why, nil for a label this version does not know.
    public var label: Label? { Label(rawValue: bytes[1]) }
    /// Seq of the record's previous version; 0 when there is none.
    public var previousSeq: UInt64 { bytes.integer(at: 16) }
    /// Number of the revision.
    public var revision: UInt32 { bytes.integer(at: 4) }
    /// The id of a record in an id tree; nil in a name tree.
    public var number: UInt64? { bytes[3] == 1 ? bytes.integer(at: 24) : nil }
    /// The name of a record in a name tree; empty in an id tree.
    public var name: ByteView { bytes[ContentLayout.effectByteCount..<nameEnd] }
    /// Where the record stands in its life.
    public var state: RecordState {
        RecordState(kind: bytes[2], number: bytes.integer(at: 8)) ?? .plain
    }
    /// The schema version its value was written with.
    public var schema: SchemaVersion {
        SchemaVersion(bytes.integer(at: 40), bytes.integer(at: 42))
    }
    /// When the record was made, in milliseconds since 1970.
    public var createdAt: Int64 { bytes.integer(at: 32) }
    /// Who made it, as UTF-8.
    public var createdUser: ByteView {
        bytes[nameEnd..<nameEnd + Int(bytes.integer(UInt16.self, at: 44))]
    }
    /// On which device it was made, as UTF-8.
    public var createdDevice: ByteView {
        let start = nameEnd + Int(bytes.integer(UInt16.self, at: 44))
        return bytes[start..<start + Int(bytes.integer(UInt16.self, at: 46))]
    }
    /// Normalised JSON; empty when the record is removed.
    public var value: ByteView { bytes[valueStart..<byteCount] }

    /// The key as a value of its own.
    public var key: RecordKey {
        RecordKey(number.map { .number($0) } ?? .name(name.array), revision: revision)
    }

    /// The stamp as a value of its own.
    public var created: Stamp {
        Stamp(at: createdAt, user: createdUser.text, device: createdDevice.text)
    }

    /// The post-image as a value of its own; nil when the record is removed.
    public var image: PostImage? {
        guard isSet else { return nil }
        return PostImage(state: state, schema: schema, created: created, value: value.array)
    }
}

extension EffectView {
    /// What stands before the value.
    var head: ByteView { bytes[0..<valueStart] }

    /// CRC-32C of the key, which decides where parts end: revision, then number or name.
    public var keyChecksum: UInt32 {
        let revision = CRC32C.extend(0, bytes[4..<8])
        return CRC32C.extend(revision, number == nil ? name : bytes[24..<32])
    }
}
