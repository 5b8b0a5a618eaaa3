// The words in which the ordered indexes are walked.

/// Which way an ordered walk goes.
public enum ScanDirection: Sendable {
    /// From small to large.
    case forwards
    /// From large to small.
    case backwards
}

/// Where an ordered walk begins, in terms of (id or name, revision).
public enum ScanStart<ID> {
    /// At the first entry of the direction.
    case edge
    /// At this key, itself included when it is there.
    case including(ID, revision: UInt32)
    /// Just past this key, in the direction of the walk.
    case excluding(ID, revision: UInt32)
}
