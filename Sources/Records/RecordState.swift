// The lifecycle of a record, and the version of the schema that wrote it.
internal import HoldfastBasics

/// Where a record stands in its life.
public enum RecordState: Hashable, Sendable, CustomStringConvertible {
    /// In a tree that is not versioned.
    case plain
    /// Editable; the number is the application's.
    case draft(UInt32)
    /// Immutable for ever; the number may still change.
    case released(UInt32)

    /// `plain`, `draft(0)`, `released(2)`.
    public var description: String {
        switch self {
        case .plain: "plain"
        case .draft(let number): "draft(\(number))"
        case .released(let number): "released(\(number))"
        }
    }

    /// Whether the value may never change again.
    public var isReleased: Bool {
        if case .released = self { return true }
        return false
    }

    /// The byte and the number it is stored as.
    public var stored: (kind: UInt8, number: UInt32) {
        switch self {
        case .plain: (0, 0)
        case .draft(let number): (1, number)
        case .released(let number): (2, number)
        }
    }

    /// What `stored` gave; nil for a kind that does not exist.
    public init?(kind: UInt8, number: UInt32) {
        switch kind {
        case 0: self = .plain
        case 1: self = .draft(number)
        case 2: self = .released(number)
        default: return nil
        }
    }
}

/// A schema version, `major.minor`.
///
/// Minor: both older and newer code keep working. Everything else is major.
public struct SchemaVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Rises with an incompatible change.
    public let major: UInt16
    /// Rises with a compatible change.
    public let minor: UInt16

    /// Names a version; 65535.65535 is `none`.
    public init(_ major: UInt16, _ minor: UInt16) {
        self.major = major
        self.minor = minor
    }

    /// Of records in a tree without a schema.
    public static let none = SchemaVersion(.max, .max)

    /// `1.0`; empty for `none`.
    public var description: String { self == .none ? "" : "\(major).\(minor)" }

    /// Order: major, then minor.
    public static func < (a: SchemaVersion, b: SchemaVersion) -> Bool {
        (a.major, a.minor) < (b.major, b.minor)
    }

    /// Reads `major.minor`, or `major` alone as `major.0`; anything else is nil.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count) else { return nil }
        var numbers: [UInt16] = []
        for part in parts {
            guard let number = Array(part).withView({ decimalNumber($0) }), number < 65_535 else {
                return nil
            }
            numbers.append(UInt16(number))
        }
        self.init(numbers[0], numbers.count == 2 ? numbers[1] : 0)
    }
}
