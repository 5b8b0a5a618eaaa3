// Where an effect lies in the commit log. Node-local: it is never hashed and never sent.

/// A place in the commit log: a frame's logical offset and an effect's ordinal inside it.
///
/// Shape: the offset in the upper 47 bits (128 TiB), the ordinal in the lower 17 (131,072 effects,
/// above `Limits.effectCountMax`).
public struct Location: Hashable, Sendable {
    /// Offset and ordinal in one word.
    public let rawValue: UInt64

    /// Takes a word as `rawValue` gave it.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The place of effect number `effect` of the frame at a logical offset.
    public init(frame offset: UInt64, effect: Int) {
        precondition(offset < 1 << 47 && effect >= 0 && effect < 1 << 17, "no such location")
        rawValue = offset << 17 | UInt64(effect)
    }

    /// The frame's logical offset in bytes.
    public var frameOffset: UInt64 { rawValue >> 17 }

    /// The effect's ordinal, from 0.
    public var effectOrdinal: Int { Int(rawValue & (1 << 17 - 1)) }

    /// No place: a record that has no earlier version.
    public static let none = Location(rawValue: .max)

    /// No place that can be told in advance: the version lies in the commit of its seq.
    public static let bySeq = Location(rawValue: .max - 1)

    /// The offsets at which frames lie in parts of a checkpoint; those of the log are below it, and
    /// those of a mirror's pending changes above.
    ///
    /// Unit: bytes of logical offset.
    public static let parts: Range<UInt64> = 1 << 45..<1 << 46

    /// Whether a checkpoint's part holds it.
    public var isInPart: Bool { Self.parts.contains(frameOffset) }
}
