// What a NumberIndex is made of: (id, revision) -> location.
//
// A radix tree of 64 children a node over the id's digits of six bits. A leaf has 64 slots of one
// word; ids that are handed out densely cost 8 bytes, and a far-away range a few small nodes.
//
// Invariants:
// - a slot is a location (revision 0 and nothing else), or a word whose low 17 bits are all set and
//   whose upper bits name a list in the pool; `occupied` of a leaf says which of its slots count;
// - a list holds at least one revision other than 0;
// - a node's `present` bits say which children exist; no node and no leaf is empty;
// - `height` is the number of node levels above the leaves; pages (id / 64) are below 64^height.
internal import HoldfastBasics
internal import HoldfastRecords

/// A radix tree over ids, with lists of further revisions.
struct NumberTree: Sendable {
    static let none = UInt32.max
    static let listTag: UInt64 = 0x1FFFF

    var slots = PagedArray<UInt64>()
    var occupied = PagedArray<UInt64>()
    var children = PagedArray<UInt32>()
    var present = PagedArray<UInt64>()
    var pool = RevisionPool()
    var root = NumberTree.none
    var height = 0
    /// The leaf that was set in last, and its page: most often also the next one.
    private var recent: (page: UInt64, leaf: UInt32) = (.max, NumberTree.none)
    private var freeLeaves: [UInt32] = []
    private var freeNodes: [UInt32] = []

    private(set) var count = 0
    private(set) var idCount = 0

    // MARK: Lookup

    func location(_ id: UInt64, revision: UInt32) -> Location? {
        guard let slot = slot(id) else { return nil }
        if let list = Self.list(slot) { return pool.find(list, revision) }
        return revision == 0 ? Location(rawValue: slot) : nil
    }

    func latest(_ id: UInt64) -> (revision: UInt32, location: Location)? {
        guard let slot = slot(id) else { return nil }
        if let list = Self.list(slot) { return pool.entry(list, pool.count(list) - 1) }
        return (0, Location(rawValue: slot))
    }

    func forEachRevision(
        of id: UInt64,
        _ direction: ScanDirection,
        _ body: (UInt32, Location) throws -> Bool
    ) rethrows {
        guard let slot = slot(id) else { return }
        guard let list = Self.list(slot) else {
            _ = try body(0, Location(rawValue: slot))
            return
        }
        let count = pool.count(list)
        for step in 0..<count {
            let entry = pool.entry(list, direction == .forwards ? step : count - 1 - step)
            guard try body(entry.revision, entry.location) else { return }
        }
    }

    func holds(_ id: UInt64) -> Bool { slot(id) != nil }

    // MARK: Change

    mutating func set(_ id: UInt64, revision: UInt32, _ location: Location) -> Location? {
        precondition(id >= 1 && id <= Limits.numberMax, "id out of range")
        precondition(Self.list(location.rawValue) == nil, "not a place in the log")
        let leaf = recent.page == id >> 6 ? recent.leaf : makeLeaf(page: id >> 6)
        recent = (id >> 6, leaf)
        let at = Int(leaf) << 6 | Int(id & 63)
        let bit = UInt64(1) << (id & 63)
        guard occupied[Int(leaf)] & bit != 0 else {
            occupied[Int(leaf)] |= bit
            slots[at] =
                revision == 0 ? location.rawValue : Self.slot(pool.make(revision, location))
            count += 1
            idCount += 1
            return nil
        }
        let slot = slots[at]
        var list: RevisionPool.Handle
        if let known = Self.list(slot) {
            list = known
        } else if revision == 0 {
            slots[at] = location.rawValue
            return Location(rawValue: slot)
        } else {
            list = pool.make(0, Location(rawValue: slot))
        }
        let previous = pool.set(&list, revision, location)
        slots[at] = Self.slot(list)
        if previous == nil { count += 1 }
        return previous
    }

    mutating func remove(_ id: UInt64, revision: UInt32) -> Location? {
        guard let leaf = leaf(page: id >> 6) else { return nil }
        let at = Int(leaf) << 6 | Int(id & 63)
        let bit = UInt64(1) << (id & 63)
        guard occupied[Int(leaf)] & bit != 0 else { return nil }
        let slot = slots[at]
        guard var list = Self.list(slot) else {
            guard revision == 0 else { return nil }
            vacate(id)
            return Location(rawValue: slot)
        }
        let last = pool.count(list) == 1
        guard let previous = pool.remove(&list, revision) else { return nil }
        if last {
            vacate(id)
            return previous
        }
        count -= 1
        slots[at] = Self.slot(list)
        if pool.count(list) == 1 {
            let rest = pool.entry(list, 0)
            if rest.revision == 0 {
                pool.release(list)
                slots[at] = rest.location.rawValue
            }
        }
        return previous
    }

    var byteCount: Int {
        slots.byteCount + occupied.byteCount + children.byteCount + present.byteCount
            + pool.byteCount + (freeLeaves.capacity + freeNodes.capacity) * 4
    }

    // MARK: Slots

    static func list(_ slot: UInt64) -> RevisionPool.Handle? {
        slot & listTag == listTag ? slot >> 17 : nil
    }

    private static func slot(_ list: RevisionPool.Handle) -> UInt64 { list << 17 | listTag }

    private func slot(_ id: UInt64) -> UInt64? {
        guard let leaf = leaf(page: id >> 6),
            occupied[Int(leaf)] & 1 << (id & 63) != 0
        else { return nil }
        return slots[Int(leaf) << 6 | Int(id & 63)]
    }

    // MARK: Nodes

    private func leaf(page: UInt64) -> UInt32? {
        var level = height
        guard root != Self.none, page >> UInt64(6 * level) == 0 else { return nil }
        var node = root
        while level > 0 {
            level -= 1
            node = children[Int(node) << 6 | Int(page >> UInt64(6 * level) & 63)]
            if node == Self.none { return nil }
        }
        return node
    }

    private mutating func makeLeaf(page: UInt64) -> UInt32 {
        while page >> UInt64(6 * height) != 0 {
            if root != Self.none {
                let node = makeNode()
                adopt(node, digit: 0, child: root)
                root = node
            }
            height += 1
        }
        if root == Self.none { root = height == 0 ? makeLeaf() : makeNode() }
        var level = height
        var node = root
        while level > 0 {
            level -= 1
            let digit = Int(page >> UInt64(6 * level) & 63)
            var child = children[Int(node) << 6 | digit]
            if child == Self.none {
                child = level == 0 ? makeLeaf() : makeNode()
                adopt(node, digit: digit, child: child)
            }
            node = child
        }
        return node
    }

    private mutating func adopt(_ node: UInt32, digit: Int, child: UInt32) {
        children[Int(node) << 6 | digit] = child
        present[Int(node)] |= 1 << UInt64(digit)
    }

    private mutating func makeLeaf() -> UInt32 {
        if let leaf = freeLeaves.popLast() { return leaf }
        slots.extend(by: 64, filling: 0)
        occupied.extend(by: 1, filling: 0)
        return UInt32(occupied.count - 1)
    }

    private mutating func makeNode() -> UInt32 {
        if let node = freeNodes.popLast() { return node }
        children.extend(by: 64, filling: Self.none)
        present.extend(by: 1, filling: 0)
        return UInt32(present.count - 1)
    }

    private mutating func vacate(_ id: UInt64) {
        recent = (.max, Self.none)
        count -= 1
        idCount -= 1
        if idCount == 0 {
            self = NumberTree()
        } else {
            _ = prune(root, level: height, id: id)
        }
    }

    /// Takes an id out below a node; whether the node is empty now and was given back.
    private mutating func prune(_ node: UInt32, level: Int, id: UInt64) -> Bool {
        let digit = Int(id >> UInt64(6 * level) & 63)
        if level == 0 {
            occupied[Int(node)] &= ~(1 << UInt64(digit))
            guard occupied[Int(node)] == 0 else { return false }
            freeLeaves.append(node)
            return true
        }
        let at = Int(node) << 6 | digit
        guard prune(children[at], level: level - 1, id: id) else { return false }
        children[at] = Self.none
        present[Int(node)] &= ~(1 << UInt64(digit))
        guard present[Int(node)] == 0 else { return false }
        freeNodes.append(node)
        return true
    }
}
