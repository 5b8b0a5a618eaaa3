// One node of a NameTree: a block of raw memory, and the only unsafe code of the engine.
//
// Shape, little-endian, lengths in bytes:
//
//     header  capacity 2 | count 2 | cellBytes 2 | garbage 2 | common 2 | leaf 2 | previous 4 |
//             next 4 | beginning 16
//     slots   count times: head 4 | distance of the cell from the block's end 2
//     (free)
//     cells   payload 8 | revision 4 | length of the name 2 | name
//
// A leaf's payload is a location, an inner node's the number of a child. Slots are sorted by name,
// then revision; cells lie in any order at the end of the block and only grow towards the slots, so
// that growing the block moves them without touching a slot. `garbage` counts cells given up.
//
// `common` is the length of a beginning that all searched names share; a slot's head is the four
// bytes after it, as a number that sorts like them. `beginning` has its first bytes, as many of
// them as `common` says. A search mostly decides on these and on heads, and touches one cell at
// most. Slot 0 of an inner node stands for "everything below slot 1": its name is empty, it is not
// searched and does not count for `common`.
//
// Why this is memory-safe although it handles raw memory:
// - a block is allocated with its capacity in the header, which never changes; every load, store
//   and move checks its range against it, and every view handed out lies inside it;
// - a NameNode is a plain handle: the tree that allocated it releases it once, after taking it out
//   of its table, and never hands one out; a view given to a walk's body lives while the tree is
//   borrowed, so that nobody can change the tree meanwhile.
internal import HoldfastBasics

/// A handle on one node's block of memory.
@safe struct NameNode {
    static let headerByteCount = 36
    private static let beginningByteCountMax = 16
    static let slotByteCount = 6
    static let cellHeaderByteCount = 14
    /// What the allocator needs beside a block, about.
    static let blockOverhead = 16

    private enum Field {
        static let capacity = 0
        static let count = 2
        static let cellBytes = 4
        static let garbage = 6
        static let common = 8
        static let leaf = 10
        static let previous = 12
        static let next = 16
        static let beginning = 20
    }

    private let memory: UnsafeMutableRawPointer

    // MARK: Memory

    /// An empty node; the caller releases it.
    init(capacity: Int, isLeaf: Bool) {
        precondition(capacity >= Self.headerByteCount && capacity <= 0x7FFF, "node size")
        unsafe memory = .allocate(byteCount: capacity, alignment: 8)
        unsafe memory.initializeMemory(
            as: UInt8.self,
            repeating: 0,
            count: Self.headerByteCount
        )
        unsafe memory.storeBytes(of: UInt16(capacity), as: UInt16.self)
        setField(Field.leaf, isLeaf ? 1 : 0)
        previous = NameTree.none
        next = NameTree.none
    }

    /// Gives the block back; no handle on it may be used again.
    func release() { unsafe memory.deallocate() }

    var capacity: Int { Int(unsafe memory.load(as: UInt16.self)) }

    @inline(__always)
    private func load<I: FixedWidthInteger>(_: I.Type, _ offset: Int) -> I {
        precondition(offset >= 0 && offset + MemoryLayout<I>.size <= capacity, "outside a node")
        return unsafe memory.loadUnaligned(fromByteOffset: offset, as: I.self)
    }

    @inline(__always)
    private func store<I: FixedWidthInteger>(_ value: I, _ offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<I>.size <= capacity, "outside a node")
        unsafe memory.storeBytes(of: value, toByteOffset: offset, as: I.self)
    }

    private func move(_ byteCount: Int, from source: Int, to target: Int) {
        precondition(
            byteCount >= 0 && min(source, target) >= 0
                && max(source, target) + byteCount <= capacity,
            "outside a node"
        )
        unsafe (memory + target).copyMemory(from: memory + source, byteCount: byteCount)
    }

    private func copy(_ byteCount: Int, from other: NameNode, at source: Int, to target: Int) {
        precondition(
            byteCount >= 0 && min(source, target) >= 0 && source + byteCount <= other.capacity
                && target + byteCount <= capacity,
            "outside a node"
        )
        unsafe (memory + target).copyMemory(from: other.memory + source, byteCount: byteCount)
    }

    private func store(_ bytes: ByteView, _ offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= capacity, "outside a node")
        unsafe bytes.withUnsafeBytes {
            guard let base = $0.baseAddress else { return }
            unsafe (memory + offset).copyMemory(from: base, byteCount: bytes.count)
        }
    }

    private func view(_ offset: Int, _ byteCount: Int) -> ByteView {
        precondition(offset >= 0 && offset + byteCount <= capacity, "outside a node")
        return unsafe ByteView(UnsafeRawBufferPointer(start: memory + offset, count: byteCount))
    }

    // MARK: Header

    @inline(__always)
    private func field(_ offset: Int) -> Int { Int(load(UInt16.self, offset)) }

    @inline(__always)
    private func setField(_ offset: Int, _ value: Int) { store(UInt16(value), offset) }

    var count: Int { field(Field.count) }
    var isLeaf: Bool { field(Field.leaf) == 1 }
    var common: Int { field(Field.common) }

    /// The leaf before this one in order.
    var previous: UInt32 {
        get { load(UInt32.self, Field.previous) }
        nonmutating set { store(newValue, Field.previous) }
    }

    /// The leaf after this one in order.
    var next: UInt32 {
        get { load(UInt32.self, Field.next) }
        nonmutating set { store(newValue, Field.next) }
    }

    /// Index of the first entry that is searched.
    var searchBase: Int { isLeaf ? 0 : 1 }

    /// Bytes needed to hold the content, without garbage or free space.
    var liveByteCount: Int {
        Self.headerByteCount + count * Self.slotByteCount + field(Field.cellBytes)
            - field(Field.garbage)
    }

    /// Bytes one entry takes.
    static func entryByteCount(name: Int) -> Int { slotByteCount + cellHeaderByteCount + name }

    func entryByteCount(_ index: Int) -> Int { Self.entryByteCount(name: name(index).count) }

    /// Whether an entry fits without moving anything but slots.
    func hasRoom(name: Int) -> Bool {
        Self.headerByteCount + count * Self.slotByteCount + field(Field.cellBytes)
            + Self.entryByteCount(name: name) <= capacity
    }

    // MARK: Entries

    @inline(__always)
    private func slotOffset(_ index: Int) -> Int {
        Self.headerByteCount + index * Self.slotByteCount
    }

    @inline(__always)
    private func cellOffset(_ index: Int) -> Int {
        precondition(index >= 0 && index < count, "no such entry")
        return capacity - Int(load(UInt16.self, slotOffset(index) + 4))
    }

    func payload(_ index: Int) -> UInt64 { load(UInt64.self, cellOffset(index)) }

    func setPayload(_ index: Int, _ payload: UInt64) { store(payload, cellOffset(index)) }

    func revision(_ index: Int) -> UInt32 { load(UInt32.self, cellOffset(index) + 8) }

    /// The name of an entry, void after the next change of the tree.
    func name(_ index: Int) -> ByteView {
        let cell = cellOffset(index)
        return view(cell + Self.cellHeaderByteCount, Int(load(UInt16.self, cell + 12)))
    }

    /// Whether an entry is of a name; mostly its head tells that it is not.
    func isEntry(_ index: Int, of name: ByteView) -> Bool {
        load(UInt32.self, slotOffset(index)) == Self.head(name, common) && self.name(index) == name
    }

    /// All parts of an entry at once.
    @inline(__always)
    func entry(_ index: Int) -> (name: ByteView, revision: UInt32, payload: UInt64) {
        let cell = cellOffset(index)
        let name = view(cell + Self.cellHeaderByteCount, Int(load(UInt16.self, cell + 12)))
        return (name, load(UInt32.self, cell + 8), load(UInt64.self, cell))
    }

    func child(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: payload(index)) }

    // MARK: Search

    /// Where an entry stands, or the first one after its place.
    func find(_ name: ByteView, _ revision: UInt32) -> (index: Int, found: Bool) {
        let base = searchBase
        let count = count
        guard base < count else { return (count, false) }
        let common = common
        if common > 0 {
            let order = compareBeginning(name, common, of: base)
            if order != 0 { return (order < 0 ? base : count, false) }
        }
        let head = Self.head(name, common)
        var low = base
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let other = load(UInt32.self, slotOffset(middle))
            if other < head {
                low = middle + 1
            } else if other > head {
                high = middle
            } else {
                let order = compare(middle, name, revision)
                if order == 0 { return (middle, true) }
                if order < 0 { low = middle + 1 } else { high = middle }
            }
        }
        return (low, false)
    }

    /// Order of a name's first bytes against those that all searched names, that of an entry for
    /// one, share.
    @inline(__always)
    private func compareBeginning(_ name: ByteView, _ common: Int, of entry: Int) -> Int {
        let near = min(common, Self.beginningByteCountMax)
        let order = name[0..<min(near, name.count)].compare(view(Field.beginning, near))
        guard order == 0, common > near else { return order }
        return name[near..<min(common, name.count)].compare(self.name(entry)[near..<common])
    }

    /// Takes note of what all searched names share: the first bytes of a name.
    private func share(_ count: Int, of name: ByteView) {
        setField(Field.common, count)
        store(name[0..<min(count, Self.beginningByteCountMax)], Field.beginning)
    }

    /// Index of the child that holds a key, in an inner node.
    func childIndex(_ name: ByteView, _ revision: UInt32) -> Int {
        let (index, found) = find(name, revision)
        return found ? index : index - 1
    }

    /// Order of an entry against a key: negative when it comes before.
    func compare(_ index: Int, _ name: ByteView, _ revision: UInt32) -> Int {
        let order = self.name(index).compare(name)
        if order != 0 { return order }
        let own = self.revision(index)
        return own == revision ? 0 : own < revision ? -1 : 1
    }

    /// Four bytes from an offset on as a number that sorts like them, zeros for missing ones.
    private static func head(_ name: ByteView, _ offset: Int) -> UInt32 {
        if offset + 4 <= name.count { return name.integer(UInt32.self, at: offset).byteSwapped }
        var head: UInt32 = 0
        for index in offset..<offset + 4 {
            head = head << 8 | (index < name.count ? UInt32(name[index]) : 0)
        }
        return head
    }

    // MARK: Change

    /// Inserts an entry where `find` said; there must be room.
    func insert(at index: Int, _ name: ByteView, _ revision: UInt32, _ payload: UInt64) {
        place(at: index, name, revision, payload)
        let base = searchBase
        guard index >= base else { return }
        let neighbour = index > base ? index - 1 : index + 1
        guard neighbour < count else {
            share(name.count, of: name)
            storeHead(index)
            return
        }
        if compareBeginning(name, common, of: neighbour) == 0 { return storeHead(index) }
        setField(
            Field.common,
            commonPrefixCount(name, self.name(neighbour), atMost: common)
        )
        for index in base..<count { storeHead(index) }
    }

    /// Removes an entry; its cell becomes garbage.
    func remove(at index: Int) {
        let freed = Self.cellHeaderByteCount + name(index).count
        setField(Field.garbage, field(Field.garbage) + freed)
        move(
            (count - index - 1) * Self.slotByteCount,
            from: slotOffset(index + 1),
            to: slotOffset(index)
        )
        setField(Field.count, count - 1)
        if index == 0, !isLeaf, count > 0 {
            // The new first child takes everything below the second: its name no longer counts.
            let cell = cellOffset(0)
            setField(Field.garbage, field(Field.garbage) + name(0).count)
            store(UInt32(0), cell + 8)
            store(UInt16(0), cell + 12)
        }
    }

    /// Appends an entry after all others while a node is built; `finish` makes it searchable.
    func append(_ name: ByteView, _ revision: UInt32, _ payload: UInt64) {
        place(at: count, name, revision, payload)
    }

    /// Appends entries of another node while a node is built.
    func append(_ range: Range<Int>, of other: NameNode) {
        for index in range {
            append(other.name(index), other.revision(index), other.payload(index))
        }
    }

    /// Finds what the names share and makes the heads.
    func finish() {
        let base = searchBase
        guard base < count else { return setField(Field.common, 0) }
        let first = name(base)
        share(commonPrefixCount(first, name(count - 1), atMost: first.count), of: first)
        for index in base..<count { storeHead(index) }
    }

    /// The same content in a block of another size, without garbage; the old one stays the
    /// caller's.
    func resized(to capacity: Int) -> NameNode {
        let fresh = NameNode(capacity: capacity, isLeaf: isLeaf)
        fresh.previous = previous
        fresh.next = next
        if field(Field.garbage) > 0 {
            fresh.append(0..<count, of: self)
            fresh.finish()
        } else {
            let cells = field(Field.cellBytes)
            fresh.setField(Field.count, count)
            fresh.setField(Field.cellBytes, cells)
            fresh.setField(Field.common, common)
            fresh.copy(
                Self.beginningByteCountMax,
                from: self,
                at: Field.beginning,
                to: Field.beginning
            )
            fresh.copy(
                count * Self.slotByteCount,
                from: self,
                at: Self.headerByteCount,
                to: Self.headerByteCount
            )
            fresh.copy(cells, from: self, at: self.capacity - cells, to: capacity - cells)
        }
        return fresh
    }

    private func place(
        at index: Int,
        _ name: ByteView,
        _ revision: UInt32,
        _ payload: UInt64
    ) {
        precondition(index >= 0 && index <= count && hasRoom(name: name.count), "no room")
        let distance = field(Field.cellBytes) + Self.cellHeaderByteCount + name.count
        let cell = capacity - distance
        store(payload, cell)
        store(revision, cell + 8)
        store(UInt16(name.count), cell + 12)
        store(name, cell + Self.cellHeaderByteCount)
        move(
            (count - index) * Self.slotByteCount,
            from: slotOffset(index),
            to: slotOffset(index + 1)
        )
        store(UInt32(0), slotOffset(index))
        store(UInt16(distance), slotOffset(index) + 4)
        setField(Field.cellBytes, distance)
        setField(Field.count, count + 1)
    }

    private func storeHead(_ index: Int) {
        store(Self.head(name(index), common), slotOffset(index))
    }

    // MARK: Checking

    /// What is wrong inside the node, or nil.
    func problem() -> String? {
        var cells = 0
        for index in 0..<count {
            cells += Self.cellHeaderByteCount + name(index).count
            guard index >= searchBase else {
                if name(index).count + Int(revision(index)) > 0 { return "a first child's name" }
                continue
            }
            if load(UInt32.self, slotOffset(index)) != Self.head(name(index), common) {
                return "head of entry \(index) differs"
            }
            if commonPrefixCount(name(index), name(searchBase), atMost: common) < common {
                return "entry \(index) does not share \(common) bytes"
            }
            if compareBeginning(name(index), common, of: index) != 0 {
                return "entry \(index) does not begin as the node says"
            }
            if index > searchBase, compare(index - 1, name(index), revision(index)) >= 0 {
                return "entries \(index - 1) and \(index) out of order"
            }
        }
        if cells + field(Field.garbage) != field(Field.cellBytes) {
            return "\(cells) cell bytes and \(field(Field.garbage)) of garbage"
        }
        return nil
    }
}

/// How many bytes two names share from their beginning, up to a limit.
func commonPrefixCount(_ a: ByteView, _ b: ByteView, atMost limit: Int) -> Int {
    let limit = min(limit, a.count, b.count)
    var index = 0
    while index + 8 <= limit {
        let difference = a.integer(UInt64.self, at: index) ^ b.integer(UInt64.self, at: index)
        if difference != 0 { return index + difference.trailingZeroBitCount / 8 }
        index += 8
    }
    while index < limit, a[index] == b[index] { index += 1 }
    return index
}
