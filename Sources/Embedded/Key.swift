// Keys with the type of their record.
internal import HoldfastBasics
internal import HoldfastRecords

/// The key of a record: an id and a revision, in one tree.
///
/// `Key<Part>` is not `Key<Bin>`: the compiler keeps trees apart. Inside a value it is a reference,
/// coded as the text `"12.0"`, which is split at the last dot. The revision is 0 in trees that are
/// not versioned.
public struct Key<R: Record>: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// What all revisions of the record share.
    public let id: R.ID
    /// Which revision; from 0.
    public let revision: UInt32

    /// Puts a key together.
    public init(_ id: R.ID, revision: UInt32 = 0) {
        self.id = id
        self.revision = revision
    }

    /// Reads `12.0`; nil for anything else.
    public init?(text: String) {
        guard let dot = text.utf8.lastIndex(of: UInt8(ascii: ".")),
            let key = Array(text.utf8).withView({ RecordKey(reference: $0, kind: R.ID.kind) }),
            let id = R.ID(String(text[..<dot]))
        else { return nil }
        self.init(id, revision: key.revision)
    }

    /// `12.0`: the id, a dot, the revision.
    public var description: String { "\(id).\(revision)" }

    /// By id, then revision.
    public static func < (a: Key, b: Key) -> Bool {
        a.id == b.id ? a.revision < b.revision : a.id < b.id
    }
}

extension Key: Codable {
    /// Reads a reference.
    ///
    /// - Throws: `DecodingError` when there is no text, or none like `"12.0"`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let key = Key(text: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a reference like \"12.0\" to a \(R.self)"
            )
        }
        self = key
    }

    /// Writes a reference.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Key: ExpressibleByUnicodeScalarLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
    ExpressibleByStringLiteral
where R.ID == Name {
    /// A literal is the name; the revision is 0.
    public init(stringLiteral value: String) { self.init(Name(stringLiteral: value)) }
}

extension Key {
    /// The key as the engine takes it; nil when the id is none of the tree's kind.
    var stored: RecordKey? { id.stored.map { RecordKey($0, revision: revision) } }

    /// The key the engine gave; nil when the id is of the other kind or its type refuses it.
    init?(stored: RecordKey) {
        guard let id = R.ID(stored: stored.id) else { return nil }
        self.init(id, revision: stored.revision)
    }
}
