// Which revision of an id queries and views are about.
internal import HoldfastEngine

/// The one revision of each id that a query or a view is about.
///
/// In a tree that is not versioned, `latest` is the record, and nothing is released.
public enum Revisions: Hashable, Sendable {
    /// The latest that stands, draft or released.
    case latest
    /// The latest that is released.
    case released

    /// As the engine takes it.
    var choice: RevisionChoice {
        switch self {
        case .latest: .latest
        case .released: .released
        }
    }
}
