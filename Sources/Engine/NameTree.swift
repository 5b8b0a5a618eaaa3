// What a NameIndex is made of: (name, revision) -> location.
//
// A B+tree of nodes as NameNode draws them. A node's block is as large as its content asks, in
// steps up to the maximum, so that memory follows content and not the number of nodes; therefore an
// underfull node is harmless, and nodes are merged when two fit into three quarters of one but
// never filled up from a sibling (which can make the parent overflow during a removal, as
// separators differ in length).
//
// Invariants:
// - all leaves are at the same depth and linked in order in both directions;
// - every key below child i of an inner node is at or after separator i and before separator i + 1;
//   separator 0 is empty and means "no lower end";
// - no node but an only, empty leaf is without entries; an inner root has two children;
// - a node that splits has room for the pending entry in either half: the longest entry takes at
//   most a quarter of a node.
internal import HoldfastBasics
internal import HoldfastRecords

/// A B+tree over names that owns its nodes.
///
/// It cannot be copied, and a walk borrows it: while a body looks at a lent name, nobody can change
/// the tree, which Swift's rule of exclusive access enforces.
struct NameTree: ~Copyable {
    static let none = UInt32.max

    /// A node on the way to a leaf, and which child was taken.
    struct Step {
        let node: UInt32
        let index: Int
    }

    let nodeByteCountMax: Int
    private let nameByteCountMax: Int
    private let sizeStep: Int

    var nodes: [NameNode?] = []
    private var freeNodes: [UInt32] = []
    private var blockByteCount = 0
    var root = NameTree.none
    var height = 0
    private var path: [Step] = []

    private(set) var count = 0
    private(set) var nameCount = 0

    /// An empty tree; see NameIndex.
    init(nodeByteCountMax: Int, nameByteCountMax longest: Int) {
        precondition(nodeByteCountMax >= 256 && nodeByteCountMax <= 16_384, "node size")
        self.nodeByteCountMax = nodeByteCountMax
        let quarter = (nodeByteCountMax - NameNode.headerByteCount) / 4
        nameByteCountMax = min(longest, quarter - NameNode.entryByteCount(name: 0))
        sizeStep = nodeByteCountMax / 32
        root = adopt(makeNode(isLeaf: true, holding: NameNode.headerByteCount))
    }

    deinit {
        for node in nodes { node?.release() }
    }

    var byteCount: Int {
        blockByteCount + nodes.capacity * MemoryLayout<NameNode?>.stride
            + freeNodes.capacity * 4
    }

    // MARK: Lookup

    func location(_ name: ByteView, revision: UInt32) -> Location? {
        let leaf = node(leaf(name, revision))
        let (index, found) = leaf.find(name, revision)
        return found ? Location(rawValue: leaf.payload(index)) : nil
    }

    func latest(_ name: ByteView) -> (revision: UInt32, location: Location)? {
        var leaf = node(leaf(name, .max))
        var (index, found) = leaf.find(name, .max)
        if !found {
            if index == 0 {
                guard leaf.previous != Self.none else { return nil }
                leaf = node(leaf.previous)
                index = leaf.count
            }
            index -= 1
            guard index >= 0, leaf.name(index) == name else { return nil }
        }
        return (leaf.revision(index), Location(rawValue: leaf.payload(index)))
    }

    /// Whether there is any revision of a name.
    func holds(_ name: ByteView) -> Bool {
        let leaf = node(leaf(name, 0))
        let (index, found) = leaf.find(name, 0)
        return found || isNext(name, at: index, of: leaf)
    }

    // MARK: Change

    mutating func set(_ name: ByteView, revision: UInt32, _ location: Location) -> Location? {
        precondition(name.count <= nameByteCountMax, "name too long")
        let id = descend(name, revision)
        let leaf = node(id)
        let (index, found) = leaf.find(name, revision)
        if found {
            let old = Location(rawValue: leaf.payload(index))
            leaf.setPayload(index, location.rawValue)
            return old
        }
        if !isNeighbour(name, at: index, of: leaf, following: index) { nameCount += 1 }
        count += 1
        let last = path.allSatisfy { $0.index == node($0.node).count - 1 }
        insert(into: id, at: index, name, revision, location.rawValue, isLast: last)
        return nil
    }

    mutating func remove(_ name: ByteView, revision: UInt32) -> Location? {
        let id = descend(name, revision)
        let leaf = node(id)
        let (index, found) = leaf.find(name, revision)
        guard found else { return nil }
        let old = Location(rawValue: leaf.payload(index))
        if !isNeighbour(name, at: index, of: leaf, following: index + 1) { nameCount -= 1 }
        count -= 1
        leaf.remove(at: index)
        repair(id)
        return old
    }

    /// Whether the entry before `index`, or the one at `following`, has a name.
    private func isNeighbour(
        _ name: ByteView,
        at index: Int,
        of leaf: NameNode,
        following: Int
    ) -> Bool {
        if index > 0 {
            if leaf.isEntry(index - 1, of: name) { return true }
        } else if leaf.previous != Self.none {
            let before = node(leaf.previous)
            if before.isEntry(before.count - 1, of: name) { return true }
        }
        return isNext(name, at: following, of: leaf)
    }

    /// Whether an entry, or the first of the next leaf when there is none, has a name.
    private func isNext(_ name: ByteView, at index: Int, of leaf: NameNode) -> Bool {
        if index < leaf.count { return leaf.isEntry(index, of: name) }
        return leaf.next != Self.none && node(leaf.next).isEntry(0, of: name)
    }

    // MARK: Ways down

    func node(_ id: UInt32) -> NameNode {
        guard let node = nodes[Int(id)] else { preconditionFailure("no such node") }
        return node
    }

    /// The leaf where a key is or belongs.
    func leaf(_ name: ByteView, _ revision: UInt32) -> UInt32 {
        var id = root
        for _ in 0..<height {
            let inner = node(id)
            id = inner.child(inner.childIndex(name, revision))
        }
        return id
    }

    /// As `leaf`, remembering the way in `path`.
    private mutating func descend(_ name: ByteView, _ revision: UInt32) -> UInt32 {
        path.removeAll(keepingCapacity: true)
        var id = root
        for _ in 0..<height {
            let inner = node(id)
            let index = inner.childIndex(name, revision)
            path.append(Step(node: id, index: index))
            id = inner.child(index)
        }
        return id
    }

    // MARK: Insertion

    /// Puts an entry into a node that `path` leads to, growing or splitting it as needed.
    private mutating func insert(
        into id: UInt32,
        at index: Int,
        _ name: ByteView,
        _ revision: UInt32,
        _ payload: UInt64,
        isLast: Bool
    ) {
        var target = node(id)
        if !target.hasRoom(name: name.count) {
            let entry = NameNode.entryByteCount(name: name.count)
            if target.liveByteCount + entry > nodeByteCountMax {
                return split(id, at: index, name, revision, payload, isLast: isLast)
            }
            // By more than one short name asks: every growth moves the whole node.
            resize(id, holding: target.liveByteCount + max(entry, nodeByteCountMax / 8))
            target = node(id)
        }
        target.insert(at: index, name, revision, payload)
    }

    private mutating func split(
        _ id: UInt32,
        at index: Int,
        _ name: ByteView,
        _ revision: UInt32,
        _ payload: UInt64,
        isLast: Bool
    ) {
        let old = node(id)
        let isLeaf = old.isLeaf
        // At the very end keys ascend: a new node leaves the old one full.
        let cut = isLast && index == old.count ? index : Self.middle(of: old)
        let goesLeft = index <= cut && cut < old.count
        let extra = NameNode.entryByteCount(name: name.count)
        var bytes = NameNode.headerByteCount
        for entry in 0..<cut { bytes += old.entryByteCount(entry) }

        let left = makeNode(isLeaf: isLeaf, holding: bytes + (goesLeft ? extra : 0))
        left.append(0..<cut, of: old)
        left.finish()
        bytes = NameNode.headerByteCount + old.liveByteCount - bytes
        let right = makeNode(isLeaf: isLeaf, holding: bytes + (goesLeft ? 0 : extra))
        var separator: (name: [UInt8], revision: UInt32) = ([], 0)
        if isLeaf {
            right.append(cut..<old.count, of: old)
        } else if cut < old.count {
            separator = (old.name(cut).array, old.revision(cut))
            right.append(.empty, 0, old.payload(cut))
            right.append(cut + 1..<old.count, of: old)
        } else {
            separator = (name.array, revision)
            right.append(.empty, 0, payload)
        }
        right.finish()
        if goesLeft {
            left.insert(at: index, name, revision, payload)
        } else if isLeaf || cut < old.count {
            right.insert(at: index - cut, name, revision, payload)
        }
        if isLeaf { separator = Self.separator(left, right) }

        let rightID = adopt(right)
        left.previous = old.previous
        left.next = isLeaf ? rightID : Self.none
        right.previous = isLeaf ? id : Self.none
        right.next = old.next
        if old.next != Self.none { node(old.next).previous = rightID }
        replace(id, with: left)
        separator.name.withView { insertAbove(id, rightID, $0, separator.revision, isLast) }
    }

    /// Tells the parent of a new node to the right of one of its children.
    private mutating func insertAbove(
        _ left: UInt32,
        _ right: UInt32,
        _ name: ByteView,
        _ revision: UInt32,
        _ isLast: Bool
    ) {
        if let step = path.popLast() {
            insert(
                into: step.node,
                at: step.index + 1,
                name,
                revision,
                UInt64(right),
                isLast: isLast
            )
            return
        }
        let bytes = NameNode.headerByteCount + NameNode.entryByteCount(name: name.count) * 2
        let top = makeNode(isLeaf: false, holding: bytes)
        top.append(.empty, 0, UInt64(left))
        top.append(name, revision, UInt64(right))
        top.finish()
        root = adopt(top)
        height += 1
    }

    /// The first entry of the upper half by bytes; never the first of all.
    private static func middle(of node: NameNode) -> Int {
        let half = (node.liveByteCount - NameNode.headerByteCount) / 2
        var bytes = 0
        var cut = 0
        while cut < node.count {
            bytes += node.entryByteCount(cut)
            if bytes > half { break }
            cut += 1
        }
        return max(1, cut)
    }

    /// The shortest key after all of one leaf and not after any of the next.
    private static func separator(
        _ left: NameNode,
        _ right: NameNode
    ) -> (name: [UInt8], revision: UInt32) {
        let below = left.name(left.count - 1)
        let above = right.name(0)
        let shared = commonPrefixCount(below, above, atMost: above.count)
        if shared == above.count { return (above.array, right.revision(0)) }
        return (above[0..<shared + 1].array, 0)
    }

    // MARK: Removal

    /// After a removal: drops or merges nodes from `id` up along `path`.
    private mutating func repair(_ id: UInt32) {
        var id = id
        while let step = path.popLast() {
            let parent = node(step.node)
            let changed = node(id)
            if changed.count == 0 {
                unlink(changed)
                discard(id)
                parent.remove(at: step.index)
            } else if let (left, index) = mergeCandidate(parent, step.index) {
                merge(left, with: parent.child(index), parent, index)
                parent.remove(at: index)
            } else {
                shrink(id)
                return
            }
            id = step.node
        }
        while height > 0, node(root).count == 1 {
            let old = root
            root = node(old).child(0)
            discard(old)
            height -= 1
        }
        shrink(root)
    }

    /// Two neighbouring children of which one changed and that fit well into one node: the left
    /// one, and the index of the right one.
    private func mergeCandidate(_ parent: NameNode, _ index: Int) -> (UInt32, Int)? {
        let own = node(parent.child(index)).liveByteCount
        if own > nodeByteCountMax / 2 { return nil }
        let limit = nodeByteCountMax * 3 / 4
        for right in [index + 1, index] where right > 0 && right < parent.count {
            let left = parent.child(right - 1)
            let other = right == index ? left : parent.child(right)
            let both = own + node(other).liveByteCount + parent.name(right).count
            if both <= limit { return (left, right) }
        }
        return nil
    }

    private mutating func merge(
        _ leftID: UInt32,
        with rightID: UInt32,
        _ parent: NameNode,
        _ index: Int
    ) {
        let left = node(leftID)
        let right = node(rightID)
        let bytes = left.liveByteCount + right.liveByteCount + parent.name(index).count
        let whole = makeNode(isLeaf: left.isLeaf, holding: bytes)
        whole.append(0..<left.count, of: left)
        if left.isLeaf {
            whole.append(0..<right.count, of: right)
        } else {
            whole.append(parent.name(index), parent.revision(index), right.payload(0))
            whole.append(1..<right.count, of: right)
        }
        whole.finish()
        unlink(right)
        whole.previous = left.previous
        whole.next = left.next
        replace(leftID, with: whole)
        discard(rightID)
    }

    /// Takes a leaf out of the chain of leaves; inner nodes have no links.
    private func unlink(_ leaf: NameNode) {
        if leaf.previous != Self.none { node(leaf.previous).next = leaf.next }
        if leaf.next != Self.none { node(leaf.next).previous = leaf.previous }
    }

    // MARK: Blocks

    private func size(holding bytes: Int) -> Int {
        min(nodeByteCountMax, (bytes + sizeStep - 1) / sizeStep * sizeStep)
    }

    private func makeNode(isLeaf: Bool, holding bytes: Int) -> NameNode {
        NameNode(capacity: size(holding: bytes), isLeaf: isLeaf)
    }

    private mutating func adopt(_ node: NameNode) -> UInt32 {
        blockByteCount += node.capacity + NameNode.blockOverhead
        if let id = freeNodes.popLast() {
            nodes[Int(id)] = node
            return id
        }
        nodes.append(node)
        return UInt32(nodes.count - 1)
    }

    private mutating func replace(_ id: UInt32, with fresh: NameNode) {
        let old = node(id)
        blockByteCount += fresh.capacity - old.capacity
        nodes[Int(id)] = fresh
        old.release()
    }

    private mutating func discard(_ id: UInt32) {
        let old = node(id)
        blockByteCount -= old.capacity + NameNode.blockOverhead
        nodes[Int(id)] = nil
        freeNodes.append(id)
        old.release()
    }

    private mutating func resize(_ id: UInt32, holding bytes: Int) {
        replace(id, with: node(id).resized(to: size(holding: bytes)))
    }

    /// Gives memory back when a node has become much smaller than its block.
    private mutating func shrink(_ id: UInt32) {
        let live = node(id).liveByteCount
        if node(id).capacity - live > 4 * sizeStep { resize(id, holding: live) }
    }
}
