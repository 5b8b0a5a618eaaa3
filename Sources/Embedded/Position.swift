// How far along which history.
internal import HoldfastBasics
internal import HoldfastRecords

/// A point in the history of a database: after the commit `seq` of `epoch`.
///
/// Positions of one epoch are ordered by `seq`; positions of two epochs are not.
public struct Position: Hashable, Sendable, LosslessStringConvertible {
    /// The history, named by 64 random bits.
    public let epoch: UInt64
    /// Dense from 1, one per commit; 0 is before the first.
    public let seq: UInt64

    /// Names a point.
    public init(epoch: UInt64, seq: UInt64) {
        self.epoch = epoch
        self.seq = seq
    }

    /// Reads `epoch:seq`; nil for anything else.
    public init?(_ text: String) {
        guard let position = HoldfastRecords.Position(text) else { return nil }
        self.init(position)
    }

    /// `epoch:seq`, the epoch in 13 characters of base32.
    public var description: String { stored.description }

    /// The position the engine gave.
    init(_ position: HoldfastRecords.Position) {
        self.init(epoch: position.epoch.rawValue, seq: position.seq)
    }

    /// The position as the engine takes it.
    var stored: HoldfastRecords.Position {
        HoldfastRecords.Position(epoch: Epoch(rawValue: epoch), seq: seq)
    }
}
