// Excerpts of commits: what a part keeps of them. The contract is CommitLog/FORMAT.md, section
// "Parts"; `CommitView` and `EffectView` read them as they read commits.
public import HoldfastBasics

/// Writes excerpts: the envelope of a commit and some of its effects.
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
    private var blockCount: UInt16 = 0
    /// Where the body of the last block begins, and the ordinal of its first effect.
    private var block = (start: 0, ordinal: 0)

    /// Begins with no excerpt.
    public init() {}

    /// Length of what is written.
    ///
    /// Unit: bytes.
    public var byteCount: Int { buffer.count }

    /// Begins the excerpt of a commit.
    public mutating func begin(_ commit: CommitView) {
        buffer.removeAll()
        effectOffsets.removeAll(keepingCapacity: true)
        blockCount = 0
        seq = commit.seq
        buffer.append(commit.envelope)
    }

    /// Begins a block.
    ///
    /// - Parameter name: As commits name it.
    public mutating func begin(block name: ByteView) {
        endBlock()
        blockCount += 1
        buffer.append(integer: UInt32(1))
        buffer.append(integer: UInt32(0))
        buffer.append(Hash128.zero)
        block = (buffer.count, effectOffsets.count)
        buffer.append(Hash128.zero)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: UInt16(name.count))
        buffer.append(integer: UInt16(0))
        buffer.append(name)
    }

    /// Adds an effect to the block, as it lies in the commit.
    public mutating func add(_ effect: EffectView) {
        effectOffsets.append(UInt32(buffer.count))
        buffer.append(effect.bytes)
    }

    /// Adds all blocks of a commit, without the values its effects set: what was done is kept, not
    /// what was written.
    ///
    /// - Throws: `malformed`.
    public mutating func addDeeds(of commit: CommitView) throws {
        try commit.forEachBlock { block, _ in
            begin(block: block.name)
            try block.forEachEffect { effect in
                let start = buffer.count
                effectOffsets.append(UInt32(start))
                buffer.append(effect.head)
                buffer.replace(integer: UInt32(0), at: start + ContentLayout.valueLengthOffset)
            }
        }
    }

    /// Ends the excerpt.
    ///
    /// - Parameter body: Is lent the content, and where its effects begin in it.
    /// - Returns: What `body` makes of it.
    public mutating func finish<T>(_ body: (ByteView, [UInt32]) -> T) -> T {
        endBlock()
        // No details.
        buffer.replace(integer: UInt8(0), at: 1)
        buffer.replace(integer: blockCount, at: 2)
        seq = nil
        return body(buffer.view, effectOffsets)
    }

    private mutating func endBlock() {
        guard blockCount > 0 else { return }
        let count = effectOffsets.count - block.ordinal
        buffer.replace(integer: UInt32(buffer.count - block.start), at: block.start - 20)
        buffer.replace(integer: UInt32(count), at: block.start + 16)
    }
}
