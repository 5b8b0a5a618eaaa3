// The lifecycle of a record.
internal import HoldfastRecords

/// Where a record stands in its life.
public enum RecordState: Hashable, Sendable {
    /// In a tree that is not versioned.
    case plain
    /// Editable; the number is the application's.
    case draft(Int)
    /// Immutable for ever; the number may still change.
    case released(Int)

    /// The state the engine gave.
    init(_ state: HoldfastRecords.RecordState) {
        switch state {
        case .plain: self = .plain
        case .draft(let number): self = .draft(Int(number))
        case .released(let number): self = .released(Int(number))
        }
    }
}
