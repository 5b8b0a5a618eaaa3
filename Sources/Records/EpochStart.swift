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
