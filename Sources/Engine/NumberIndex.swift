// The index of a tree whose keys are numbers: (id, revision) -> location.
//
// The work is done by NumberTree, a value inside this class; so Swift itself traps when the index
// is changed while a walk over it runs.
public import HoldfastRecords

/// An ordered index from ids and revisions to places in the log.
///
/// Not safe for concurrent use: the owner's lock confines it, reads included. Dense ids cost 8
/// bytes a record, further revisions 12 to 24 each.
public final class NumberIndex {
    private var tree = NumberTree()

    /// An empty index.
    public init() {}

    /// Records held: keys, each revision counted.
    public var count: Int { tree.count }

    /// Ids held, whatever the number of their revisions.
    public var idCount: Int { tree.idCount }

    /// Memory in use, in bytes.
    public var byteCount: Int { tree.byteCount }

    /// Where a record stands.
    ///
    /// Complexity: O(log64 of the largest id), about three dependent reads for millions.
    public func location(_ id: UInt64, revision: UInt32) -> Location? {
        tree.location(id, revision: revision)
    }

    /// The highest revision of an id and where it stands.
    public func latest(_ id: UInt64) -> (revision: UInt32, location: Location)? {
        tree.latest(id)
    }

    /// Whether there is any revision of an id.
    public func holds(_ id: UInt64) -> Bool { tree.holds(id) }

    /// Calls `body` for each revision of an id in the given order, until it answers false.
    public func forEachRevision(
        of id: UInt64,
        _ direction: ScanDirection = .forwards,
        _ body: (UInt32, Location) throws -> Bool
    ) rethrows {
        try tree.forEachRevision(of: id, direction, body)
    }

    /// Calls `body` for each record in order of id, then revision, until it answers false.
    ///
    /// The index must not be changed meanwhile (that traps).
    ///
    /// - Parameters:
    ///   - direction: Which way.
    ///   - start: Where to begin.
    ///   - body: Gets id, revision and place; answers whether to go on.
    /// - Throws: What `body` throws.
    public func scan(
        _ direction: ScanDirection,
        from start: ScanStart<UInt64> = .edge,
        _ body: (UInt64, UInt32, Location) throws -> Bool
    ) rethrows {
        try tree.scan(direction, from: start, body)
    }

    /// Sets where a record stands.
    ///
    /// - Parameters:
    ///   - id: From 1 to `Limits.numberMax`; anything else traps.
    ///   - revision: Any.
    ///   - location: A real place; `Location.none` traps.
    /// - Returns: Where it stood before, or nil when the record is new.
    @discardableResult
    public func set(_ id: UInt64, revision: UInt32, _ location: Location) -> Location? {
        tree.set(id, revision: revision, location)
    }

    /// Removes a record.
    ///
    /// - Parameters:
    ///   - id: Any.
    ///   - revision: Any.
    /// - Returns: Where it stood, or nil when there was none.
    @discardableResult
    public func remove(_ id: UInt64, revision: UInt32) -> Location? {
        tree.remove(id, revision: revision)
    }

    /// Walks the whole structure; the first violated invariant in words, or nil.
    public func checkInvariants() -> String? { tree.checkInvariants() }
}
