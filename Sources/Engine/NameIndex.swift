// The index of a tree whose keys are names: (name, revision) -> location.
//
// The work is done by NameTree, a value inside this class; so Swift itself traps when the index is
// changed while a walk over it runs.
public import HoldfastBasics
public import HoldfastRecords

/// An ordered index from names and revisions to places in the log; names compare as bytes.
///
/// Not safe for concurrent use: the owner's lock confines it, reads included. A record costs about
/// 22 bytes and its name; names of hundreds of bytes with long shared beginnings up to half as much
/// again, in separators.
public final class NameIndex {
    private var tree: NameTree

    /// An empty index.
    ///
    /// - Parameters:
    ///   - nodeByteCountMax: Largest block of a node, 256 to 16,384 bytes.
    ///   - nameByteCountMax: The longest name, in bytes; never more than a quarter of a node less
    ///     29 bytes.
    public init(
        nodeByteCountMax: Int = 4096,
        nameByteCountMax: Int = Limits.nameByteCountMax
    ) {
        tree = NameTree(nodeByteCountMax: nodeByteCountMax, nameByteCountMax: nameByteCountMax)
    }

    /// Records held: keys, each revision counted.
    public var count: Int { tree.count }

    /// Names held, whatever the number of their revisions.
    public var nameCount: Int { tree.nameCount }

    /// Memory in use, in bytes.
    public var byteCount: Int { tree.byteCount }

    /// Where a record stands.
    ///
    /// Complexity: O(log n), about four nodes for millions.
    public func location(_ name: ByteView, revision: UInt32) -> Location? {
        tree.location(name, revision: revision)
    }

    /// The highest revision of a name and where it stands.
    public func latest(_ name: ByteView) -> (revision: UInt32, location: Location)? {
        tree.latest(name)
    }

    /// Whether there is any revision of a name.
    ///
    /// Complexity: as `location`.
    public func holds(_ name: ByteView) -> Bool { tree.holds(name) }

    /// Calls `body` for each revision of a name in the given order, until it answers false.
    public func forEachRevision(
        of name: ByteView,
        _ direction: ScanDirection = .forwards,
        _ body: (UInt32, Location) throws -> Bool
    ) rethrows {
        try tree.forEachRevision(of: name, direction, body)
    }

    /// Calls `body` for each record in order of name bytes, then revision, until it answers false.
    ///
    /// The name lent to `body` is valid during the call only. The index must not be changed
    /// meanwhile (that traps).
    ///
    /// - Parameters:
    ///   - direction: Which way.
    ///   - start: Where to begin.
    ///   - prefix: Only names that begin with these bytes are shown.
    ///   - body: Gets name, revision and place; answers whether to go on.
    /// - Throws: What `body` throws.
    public func scan(
        _ direction: ScanDirection,
        from start: ScanStart<ByteView> = .edge,
        prefix: ByteView = .empty,
        _ body: (ByteView, UInt32, Location) throws -> Bool
    ) rethrows {
        try tree.scan(direction, from: start, prefix: prefix, body)
    }

    /// Sets where a record stands.
    ///
    /// - Parameters:
    ///   - name: Bytes, at most as many as the index was made for; more traps.
    ///   - revision: Any.
    ///   - location: Any.
    /// - Returns: Where it stood before, or nil when the record is new.
    @discardableResult
    public func set(_ name: ByteView, revision: UInt32, _ location: Location) -> Location? {
        tree.set(name, revision: revision, location)
    }

    /// Removes a record.
    ///
    /// - Parameters:
    ///   - name: Any bytes.
    ///   - revision: Any.
    /// - Returns: Where it stood, or nil when there was none.
    @discardableResult
    public func remove(_ name: ByteView, revision: UInt32) -> Location? {
        tree.remove(name, revision: revision)
    }

    /// Walks the whole structure; the first violated invariant in words, or nil.
    public func checkInvariants() -> String? { tree.checkInvariants() }
}
