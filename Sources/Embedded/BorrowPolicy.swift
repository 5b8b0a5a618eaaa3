// Whether a record must be borrowed before it is changed.
internal import HoldfastRecords

/// Whether a record of a tree must be borrowed before it is changed.
public enum BorrowPolicy: Hashable, Sendable {
    /// The writer holds the borrow, or writes with a matching version while nobody holds or waits.
    case required
    /// Free while nobody else holds it.
    case optional

    /// The policy as the engine takes it.
    var stored: HoldfastRecords.BorrowPolicy {
        switch self {
        case .required: .required
        case .optional: .optional
        }
    }
}
