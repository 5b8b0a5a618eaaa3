// Excerpts of commits: what a part keeps of them. The contract is CommitLog/FORMAT.md, section
// "Parts"; `CommitView` and `EffectView` read them as they read commits.
public import HoldfastBasics

/// Writes excerpts: the envelope of a commit and some of the effects of one of its blocks.
///
/// An excerpt is a function of the commit and the effects alone: salts and hashes are zero, as the
/// name of the part stands for every byte, and details are left out.
public struct ExcerptEncoder: ~Copyable {
    /// What is written so far.
    private var buffer = ByteBuffer()
    /// Where each effect begins in it.
    public private(set) var effectOffsets: [UInt32] = []
    /// Seq of the commit the excerpt is of; nil while none has begun.
    public private(set) var seq: UInt64?
    private var bodyStart = 0

    /// Begins with no excerpt.
    public init() {}

    /// Length of what is written.
    ///
    /// Unit: bytes.
    public var byteCount: Int { buffer.count }

    /// Begins the excerpt of a commit.
    ///
    /// - Parameters:
    ///   - commit: Whose envelope is taken.
    ///   - block: Of which block effects follow.
    public mutating func begin(_ commit: CommitView, block: ByteView) {
        buffer.removeAll()
        effectOffsets.removeAll(keepingCapacity: true)
        seq = commit.seq
        buffer.append(commit.envelope)
        // No details, one block.
        buffer.replace(integer: UInt8(0), at: 1)
        buffer.replace(integer: UInt16(1), at: 2)
        buffer.append(integer: UInt32(1))
        buffer.append(integer: UInt32(0))
        buffer.append(Hash128.zero)
        bodyStart = buffer.count
        buffer.append(Hash128.zero)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: UInt16(block.count))
        buffer.append(integer: UInt16(0))
        buffer.append(block)
    }

    /// Adds an effect as it lies in the commit.
    public mutating func add(_ effect: EffectView) {
        effectOffsets.append(UInt32(buffer.count))
        buffer.append(effect.bytes)
    }

    /// Ends the excerpt.
    ///
    /// - Parameter body: Is lent the content, and where its effects begin in it.
    /// - Returns: What `body` makes of it.
    public mutating func finish<T>(_ body: (ByteView, [UInt32]) -> T) -> T {
        buffer.replace(integer: UInt32(buffer.count - bodyStart), at: bodyStart - 20)
        buffer.replace(integer: UInt32(effectOffsets.count), at: bodyStart + 16)
        seq = nil
        return body(buffer.view, effectOffsets)
    }
}
