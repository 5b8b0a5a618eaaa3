// What identifies the records of a tree, whatever their revision.
//
// Invariant: two ids are the same exactly when their text is the same, byte for byte. The log, the
// index and every client compare bytes; Swift's `String ==` would call a composed and a decomposed
// letter equal.
internal import HoldfastBasics
internal import HoldfastRecords

/// What identifies the records of a tree: ``Number``, ``Name``, or a type of the application's own.
///
/// A type of one's own keeps the ids of two trees apart. Over numbers it conforms to `RecordID`,
/// over names to ``RecordName``. Its `description` is the id as the database stores it: decimal
/// digits, or the name.
///
/// ```swift
/// struct OrderNumber: RecordID {
///     let number: Number
///     init?(_ text: String) {
///         guard let number = Number(text) else { return nil }
///         self.number = number
///     }
///     var description: String { number.description }
///     static func < (a: Self, b: Self) -> Bool { a.number < b.number }
/// }
/// ```
public protocol RecordID: Hashable, Comparable, Sendable, LosslessStringConvertible, Codable {}

/// What identifies the records of a tree whose keys are names.
///
/// Names are equal, and ordered, by the UTF-8 bytes of their `description`: a conforming type needs
/// no comparison of its own.
///
/// ```swift
/// struct FootprintName: RecordName {
///     let description: String
///     init?(_ text: String) { description = text }
/// }
/// ```
public protocol RecordName: RecordID {}

extension RecordName {
    /// By UTF-8 bytes.
    public static func == (a: Self, b: Self) -> Bool {
        a.description.utf8.elementsEqual(b.description.utf8)
    }

    /// By UTF-8 bytes.
    public static func < (a: Self, b: Self) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }

    /// Hashes the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes: description) }
}

extension Hasher {
    /// Hashes a text by its UTF-8 bytes and their number.
    mutating func combine(bytes text: String) {
        for byte in text.utf8 { combine(byte) }
        combine(text.utf8.count)
    }
}

extension RecordID {
    /// The kind of keys a tree of these ids has.
    static var kind: KeyKind {
        if Self.self == Number.self { return .id }
        return Self.self is any RecordName.Type ? .name : .id
    }

    /// The id as the engine takes it; nil when its text is none of its kind.
    var stored: HoldfastRecords.RecordID? {
        if let number = self as? Number {
            guard (1...Limits.numberMax).contains(number.rawValue) else { return nil }
            return .number(number.rawValue)
        }
        return Array(description.utf8).withView { HoldfastRecords.RecordID($0, kind: Self.kind) }
    }

    /// The id that the engine gave; nil when it is of the other kind or this type refuses it.
    init?(stored: HoldfastRecords.RecordID) {
        guard stored.kind == Self.kind else { return nil }
        if case .number(let number) = stored, let id = Number(number) as? Self {
            self = id
        } else {
            self.init(stored.text)
        }
    }
}
