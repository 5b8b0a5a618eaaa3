// Keys: `(id, revision)`. Ids are numbers or names; names are bytes and compare as bytes.
public import HoldfastBasics

/// Which ids a tree has.
public enum KeyKind: String, Sendable, Hashable, Codable {
    /// Integers from key ranges.
    case id
    /// Texts of 1 to 512 bytes.
    case name
}

/// The part of a key that all revisions of a record share.
public enum RecordID: Hashable, Sendable {
    /// An integer from 1 to 2^53 - 1.
    case number(UInt64)
    /// 1 to 512 bytes of UTF-8 without control characters; not `.` or `..`.
    case name([UInt8])

    /// Which kind of tree it belongs to.
    public var kind: KeyKind {
        switch self {
        case .number: .id
        case .name: .name
        }
    }

    /// The number in decimal digits, or the name.
    public var text: String {
        switch self {
        case .number(let number): String(number)
        case .name(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Reads an id of a kind from text; nil when it is not one.
    public init?(_ text: ByteView, kind: KeyKind) {
        switch kind {
        case .id:
            guard let number = decimalNumber(text), number > 0 else { return nil }
            self = .number(number)
        case .name:
            guard Self.isName(text) else { return nil }
            self = .name(text.array)
        }
    }

    /// Whether bytes are a valid name: UTF-8, 1 to 512 bytes, no control characters.
    public static func isName(_ text: ByteView) -> Bool {
        guard (1...Limits.nameByteCountMax).contains(text.count), !text.equals("."),
            !text.equals("..")
        else { return false }
        if text.isPrintableASCII { return true }
        return text.withSpan { span in
            guard let valid = try? UTF8Span(validating: Span(_bytes: span)) else { return false }
            var scalars = valid.makeUnicodeScalarIterator()
            while let scalar = scalars.next() {
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) { return false }
            }
            return true
        }
    }
}

extension RecordID: Comparable {
    /// Numbers by value, names by bytes; a number before a name.
    public static func < (a: RecordID, b: RecordID) -> Bool {
        switch (a, b) {
        case (.number(let x), .number(let y)): x < y
        case (.name(let x), .name(let y)): x.withView { x in y.withView { x.precedes($0) } }
        case (.number, .name): true
        case (.name, .number): false
        }
    }
}

/// The key of a record: an id and a revision, which is 0 in trees that are not versioned.
public struct RecordKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// What all revisions share.
    public var id: RecordID
    /// From 0.
    public var revision: UInt32

    /// Puts a key together.
    public init(_ id: RecordID, revision: UInt32 = 0) {
        self.id = id
        self.revision = revision
    }

    /// A key of an id tree.
    public init(number: UInt64, revision: UInt32 = 0) {
        self.init(.number(number), revision: revision)
    }

    /// A key of a name tree, from text known to be a name.
    public init(name: String, revision: UInt32 = 0) {
        self.init(.name(Array(name.utf8)), revision: revision)
    }

    /// A key of a system tree whose names are UUIDs.
    public init(_ id: UniqueID) { self.init(name: id.description) }

    /// `12.0`: how a reference inside a value is written.
    public var description: String { id.text + "." + String(revision) }

    /// Order: id, then revision.
    public static func < (a: RecordKey, b: RecordKey) -> Bool {
        a.id == b.id ? a.revision < b.revision : a.id < b.id
    }

    /// Reads a reference, split at the last dot; nil when it is none of that kind.
    public init?(reference text: ByteView, kind: KeyKind) {
        var dot = text.count - 1
        while dot >= 0, text[dot] != UInt8(ascii: ".") { dot -= 1 }
        guard dot > 0, let id = RecordID(text[0..<dot], kind: kind),
            let revision = decimalNumber(text.suffix(from: dot + 1)),
            revision <= UInt64(UInt32.max)
        else { return nil }
        self.init(id, revision: UInt32(revision))
    }
}
