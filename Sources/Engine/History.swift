// What became of a record over time: its versions, the last one first, as far as they are kept.
//
// Each effect names the seq of the version before it. Where a compaction dropped that version, the
// chain ends there, and it shows: what is not known any more is never taken for what never was.
internal import HoldfastBasics
public import HoldfastRecords

/// What is known of a record at an earlier position.
public enum VersionThen: Hashable, Sendable {
    /// It stood: where its version lies.
    case stood(Location)
    /// It had been removed: where its removal lies.
    case removed(Location)
    /// There was none.
    case none
    /// What there was then is not kept any more.
    case dropped
}

extension EngineState {
    /// What is known of a record as it was at `seq`.
    ///
    /// Complexity: a step for each version since.
    ///
    /// - Parameters:
    ///   - location: Where the record's last effect lies.
    ///   - seq: The earlier position.
    /// - Returns: The version, or why there is none.
    public func versionThen(from location: Location, at seq: UInt64) -> VersionThen {
        var location = location
        while true {
            let (own, before, isSet) = source.withEffect(at: location) { effect, commit in
                (commit.seq, effect.previousSeq, effect.isSet)
            }
            if own <= seq { return isSet ? .stood(location) : .removed(location) }
            guard before > 0 else { return .none }
            location = source.previous(of: location)
            guard location != .none else { return .dropped }
        }
    }

    /// Where the version before an effect lies.
    ///
    /// - Parameter location: Where the effect lies.
    /// - Returns: nil when there was none, or when it is not kept any more.
    public func version(before location: Location) -> Location? {
        let before = source.previous(of: location)
        return before == .none ? nil : before
    }

    /// Runs `body` over the revisions of an id that ever were, ascending, until it returns false.
    ///
    /// - Parameters:
    ///   - tree: Which tree.
    ///   - id: Which id.
    ///   - body: Is given the key and where its last effect lies, which may be its removal.
    public func forEachRevision(
        _ tree: TreeState,
        of id: RecordID,
        _ body: (RecordKey, Location) throws -> Bool
    ) rethrows {
        try tree.index.forEachRevision(of: id) { revision, location in
            try body(RecordKey(id, revision: revision), location)
        }
    }
}
