// Where a log begins: with the first commit of all, or behind a checkpoint from elsewhere.
public import HoldfastBasics
public import HoldfastRecords

/// What a log goes on from.
public struct LogStart: Sendable {
    /// The epochs so far, oldest first; the first begins with commit 1.
    public let lineage: [EpochStart]
    /// The commit it begins after; 0 for none.
    public let seq: UInt64
    /// Chain after that commit.
    public let chain: Hash128
    /// Logical offset of its first byte.
    ///
    /// A log that takes another's place begins behind its end: what points into the other points
    /// to nothing here.
    public let base: UInt64

    /// Begins with the first commit of all.
    public init(_ epoch: Epoch) {
        self.init(lineage: [EpochStart(epoch: epoch, firstSeq: 1)], seq: 0, chain: .zero, base: 0)
    }

    /// Begins behind a commit.
    ///
    /// - Precondition: The lineage is `isLineage`; the base is a multiple of 8.
    public init(lineage: [EpochStart], seq: UInt64, chain: Hash128, base: UInt64) {
        precondition(Self.isLineage(lineage), "epochs follow one another from commit 1 on")
        precondition(base.isMultiple(of: 8), "frames begin at multiples of 8")
        self.lineage = lineage
        self.seq = seq
        self.chain = chain
        self.base = base
    }

    /// Whether epochs can be those of a log: the first begins with commit 1, each later one behind
    /// the one before, none comes twice, and a segment's head has room for them.
    public static func isLineage(_ epochs: [EpochStart]) -> Bool {
        guard let first = epochs.first, first.firstSeq == 1 else { return false }
        return epochs.count <= SegmentHeader.lineageCountMax
            && Set(epochs.map(\.epoch)).count == epochs.count
            && zip(epochs, epochs.dropFirst()).allSatisfy { $0.firstSeq <= $1.firstSeq }
    }
}
