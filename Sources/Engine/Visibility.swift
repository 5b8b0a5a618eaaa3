// Reading at a pinned position: from a record's last version back to the one that stood then.
internal import HoldfastBasics
public import HoldfastRecords

/// Which revisions of an id a list shows.
public enum RevisionChoice: Hashable, Sendable {
    /// The latest that stands.
    case latest
    /// The latest released one.
    case released
    /// All of them.
    case all
}

extension EngineState {
    /// The version of a record that stood at `seq`.
    ///
    /// - Parameters:
    ///   - location: Where the record's last effect lies.
    ///   - seq: The pinned position.
    /// - Returns: Where it lies; nil when none stood.
    public func version(from location: Location, at seq: UInt64) -> Location? {
        let last = lastEffect(from: location, at: seq)
        return last.isSet ? last.location : nil
    }

    /// The last effect on a record up to `seq`; nil, and not set, when there was none.
    func lastEffect(
        from location: Location,
        at seq: UInt64
    ) -> (location: Location?, isSet: Bool) {
        var location = location
        while location != .none {
            let (isVisible, isSet) = source.withEffect(at: location) { effect, commit in
                (commit.seq <= seq, effect.isSet)
            }
            if isVisible { return (location, isSet) }
            location = source.previous(of: location)
        }
        return (nil, false)
    }

    /// The key of the latest revision of an id that stood at `seq`.
    ///
    /// - Parameters:
    ///   - tree: Which tree.
    ///   - id: Which id.
    ///   - choice: `latest` or `released`; `all` means `latest` here.
    ///   - seq: The pinned position.
    /// - Returns: The key and where its version lies; nil when none stood.
    public func revision(
        _ tree: TreeState,
        of id: RecordID,
        _ choice: RevisionChoice,
        at seq: UInt64
    ) -> (key: RecordKey, location: Location)? {
        var found: (RecordKey, Location)?
        tree.index.forEachRevision(of: id) { revision, last in
            guard let location = version(from: last, at: seq) else { return true }
            if choice == .released {
                guard source.withEffect(at: location, { $0.state.isReleased && $1.seq <= seq })
                else { return true }
            }
            found = (RecordKey(id, revision: revision), location)
            return true
        }
        return found
    }

    /// Runs `body` over the chosen revisions of an id that stood at `seq`, until it returns false.
    ///
    /// - Parameters:
    ///   - tree: Which tree.
    ///   - id: Which id.
    ///   - choice: Which revisions.
    ///   - seq: The pinned position.
    ///   - body: Is given the key and where its version lies.
    public func forEachRevision(
        _ tree: TreeState,
        of id: RecordID,
        _ choice: RevisionChoice,
        at seq: UInt64,
        _ body: (RecordKey, Location) throws -> Bool
    ) rethrows {
        guard choice == .all else {
            if let (key, location) = revision(tree, of: id, choice, at: seq) {
                _ = try body(key, location)
            }
            return
        }
        try tree.index.forEachRevision(of: id) { revision, last in
            guard let location = version(from: last, at: seq) else { return true }
            return try body(RecordKey(id, revision: revision), location)
        }
    }

    /// Runs `body` over the records that stood at `seq`, in key order, until it returns false.
    ///
    /// - Parameters:
    ///   - tree: Which tree.
    ///   - bound: The key after which to begin; nil begins at the first.
    ///   - prefix: Only names that begin with these bytes; nil for all, and in an id tree.
    ///   - first: Only this id and those after it; nil for all.
    ///   - end: Only ids before this one; nil for all.
    ///   - choice: Which revisions.
    ///   - seq: The pinned position.
    ///   - entryCountMax: Stop after having looked at this many entries of the index.
    ///   - body: Is given the key and where its version lies; false ends the scan after it.
    /// - Returns: The last key looked at when it stopped early; nil at the end.
    public func scan(
        _ tree: TreeState,
        after bound: RecordKey?,
        prefix: [UInt8]?,
        from first: RecordID? = nil,
        before end: RecordID? = nil,
        _ choice: RevisionChoice,
        at seq: UInt64,
        entryCountMax: Int,
        _ body: (RecordKey, Location) throws -> Bool
    ) rethrows -> RecordKey? {
        var looked = 0
        var last: RecordKey?
        var best: (RecordKey, Location)?
        var start = bound
        var inclusive = false
        if bound == nil, first != nil || prefix != nil {
            let begun = tree.declaration.keys == .name ? prefix.map { RecordID.name($0) } : nil
            start = [begun, first].compactMap { $0 }.max().map { RecordKey($0) }
            inclusive = true
        }
        var stopped: RecordKey?
        try tree.index.scan(from: start, inclusive: inclusive) { number, name, revision, place in
            if let prefix, number == nil {
                guard name.count >= prefix.count,
                    prefix.withView({ $0 == name[0..<prefix.count] })
                else { return false }
            }
            let id: RecordID = number.map { .number($0) } ?? .name(name.array)
            if let end, id >= end { return false }
            if choice != .all, let shown = best, shown.0.id != id {
                best = nil
                guard try body(shown.0, shown.1) else {
                    stopped = last
                    return false
                }
            }
            // An id's revisions are looked at together, so that the latest is known.
            if looked >= entryCountMax, last?.id != id || choice == .all {
                stopped = last
                return false
            }
            looked += 1
            last = RecordKey(id, revision: revision)
            guard let location = version(from: place, at: seq) else { return true }
            let key = RecordKey(id, revision: revision)
            guard choice != .all else {
                guard try body(key, location) else {
                    stopped = key
                    return false
                }
                return true
            }
            let isShown =
                choice == .latest
                || source.withEffect(at: location) { effect, _ in effect.state.isReleased }
            if isShown { best = (key, location) }
            return true
        }
        if stopped == nil, let best { _ = try body(best.0, best.1) }
        return stopped
    }
}
