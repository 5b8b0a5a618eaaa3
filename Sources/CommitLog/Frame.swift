// One commit as it lies in the log, read in place.
public import HoldfastBasics
public import HoldfastRecords

/// A commit frame, whose checksum somebody has checked.
///
/// Valid as long as whoever lent it says: during a closure, or while a reader lives.
public struct Frame {
    private let bytes: ByteView
    /// Logical offset of the frame, as in `Location.frameOffset`.
    public let offset: UInt64

    init(_ bytes: ByteView, offset: UInt64) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The commit's number.
    public var seq: UInt64 { bytes.integer(at: 24) }

    /// What is replicated and hashed; `Records.CommitView` reads it.
    public var content: ByteView {
        bytes[FrameLayout.headerByteCount..<FrameLayout.headerByteCount + contentByteCount]
    }

    /// How many effects the commit has.
    public var effectCount: Int { Int(bytes.integer(UInt32.self, at: 16)) }

    /// Length of the whole frame.
    ///
    /// Unit: bytes in the log.
    public var byteCount: Int { bytes.count }

    private var contentByteCount: Int { Int(bytes.integer(UInt32.self, at: 12)) }

    private var table: Int {
        FrameLayout.headerByteCount + FrameLayout.padded(contentByteCount)
    }

    /// The content from an effect on; the effect knows its own end.
    ///
    /// - Parameter ordinal: The effect's number in the commit, from 0; traps when there is none.
    /// - Returns: Bytes that begin with the effect, for `Records.EffectView`.
    public func effectBytes(_ ordinal: Int) -> ByteView {
        precondition(ordinal >= 0 && ordinal < effectCount, "no such effect")
        let offset = bytes.integer(UInt32.self, at: table + effectCount * 8 + ordinal * 4)
        return content.suffix(from: Int(offset))
    }

    /// Where the version before an effect lies.
    ///
    /// - Parameter ordinal: The effect's number in the commit, from 0; traps when there is none.
    /// - Returns: The place; `none` when the effect made the record.
    public func previous(_ ordinal: Int) -> Location {
        precondition(ordinal >= 0 && ordinal < effectCount, "no such effect")
        return Location(rawValue: bytes.integer(at: table + ordinal * 8))
    }

    /// The place of one of its effects.
    public func location(_ ordinal: Int) -> Location {
        Location(frame: offset, effect: ordinal)
    }
}
