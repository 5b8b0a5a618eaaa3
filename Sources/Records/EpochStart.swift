// Where the epochs of a log begin.

/// An epoch of the log's lineage.
public struct EpochStart: Hashable, Sendable {
    /// The history.
    public let epoch: Epoch
    /// The first commit made in it.
    public let firstSeq: UInt64

    /// Puts the two together.
    public init(epoch: Epoch, firstSeq: UInt64) {
        self.epoch = epoch
        self.firstSeq = firstSeq
    }
}

extension [EpochStart] {
    /// The epochs of commits up to one.
    public func known(upTo seq: UInt64) -> [EpochStart] { filter { $0.firstSeq <= seq } }

    /// Whether two lineages give commits up to one the same epochs.
    public func agrees(with other: [EpochStart], upTo seq: UInt64) -> Bool {
        known(upTo: seq) == other.known(upTo: seq)
    }
}
