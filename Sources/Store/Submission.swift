// The answer to a change, and when it counts.
internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastRecords

/// The answer to a change.
///
/// An accepted change counts when its `seq` is durable: no reply may show it before.
public enum Submission: Sendable {
    /// It became the commit at this position.
    case accepted(Position, [OperationResult])
    /// It asked for what stands already; nothing was logged. The reply waits for `Position` too.
    case unchanged(Position, [OperationResult])
    /// It was accepted before, at this position, with these keys.
    case replayed(Position, [OperationResult])
    /// It is refused as a whole, by what stands at this position.
    case refused(Position, Refusal)

    /// The position a reply names and waits for.
    public var position: Position {
        switch self {
        case .accepted(let position, _), .unchanged(let position, _), .replayed(let position, _),
            .refused(let position, _):
            position
        }
    }
}

/// How far the store is.
public struct Progress: Hashable, Sendable {
    /// Highest seq that survives a power cut.
    public let durable: UInt64
    /// Commits above this and up to `lostUpTo` were taken back: their outcome is unknown.
    public let lostUpTo: UInt64
    /// Why the store takes no more writes; nil while it does.
    public let failure: String?

    /// Whether a commit is durable, still on its way, or of unknown outcome.
    public func outcome(of seq: UInt64) -> Outcome {
        if seq <= durable { return .durable }
        return failure != nil ? .unknown : .pending
    }

    /// What is known of a commit.
    public enum Outcome: Sendable {
        /// It survives a power cut.
        case durable
        /// It is on its way.
        case pending
        /// It may or may not be on the disk.
        case unknown
    }
}
