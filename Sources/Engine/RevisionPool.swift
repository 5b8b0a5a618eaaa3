// Lists of (revision, location) for those ids that have more than a plain revision 0.
//
// Invariants:
// - a list is a block of 2^c entries of size class c, sorted by revision, without duplicates;
// - a list that is handed out has at least one entry and at most as many as its block holds;
// - 12 bytes an entry, blocks are between a quarter and wholly full.
internal import HoldfastRecords

/// Sorted lists of revisions, packed by size.
struct RevisionPool: Sendable {
    /// Names a list: size class in the upper 7 bits of 47, block below.
    typealias Handle = UInt64

    private struct SizeClass: Sendable {
        var revisions = PagedArray<UInt32>()
        var locations = PagedArray<UInt64>()
        var counts = PagedArray<UInt32>()
        var free: [UInt64] = []
    }

    private var classes: [SizeClass] = []

    // MARK: Reading

    func count(_ list: Handle) -> Int {
        let (size, block) = Self.parts(list)
        return Int(classes[size].counts[block])
    }

    /// The entry at an index below `count`.
    func entry(_ list: Handle, _ index: Int) -> (revision: UInt32, location: Location) {
        let (size, block) = Self.parts(list)
        let at = block << size + index
        return (
            classes[size].revisions[at], Location(rawValue: classes[size].locations[at])
        )
    }

    /// Index of the first entry with this revision or a later one; `count` when there is none.
    func lowerBound(_ list: Handle, _ revision: UInt32) -> Int {
        let (size, block) = Self.parts(list)
        var low = 0
        var high = Int(classes[size].counts[block])
        while low < high {
            let middle = (low + high) / 2
            if classes[size].revisions[block << size + middle] < revision {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    func find(_ list: Handle, _ revision: UInt32) -> Location? {
        let index = lowerBound(list, revision)
        guard index < count(list) else { return nil }
        let entry = entry(list, index)
        return entry.revision == revision ? entry.location : nil
    }

    // MARK: Changing

    /// A new list of one entry.
    mutating func make(_ revision: UInt32, _ location: Location) -> Handle {
        let list = allocate(size: 0)
        put(list, 0, revision, location)
        setCount(list, 1)
        return list
    }

    /// Sets an entry; the list may move and is then named by the new handle.
    mutating func set(
        _ list: inout Handle,
        _ revision: UInt32,
        _ location: Location
    ) -> Location? {
        let index = lowerBound(list, revision)
        let count = count(list)
        if index < count {
            let old = entry(list, index)
            if old.revision == revision {
                put(list, index, revision, location)
                return old.location
            }
        }
        let size = Self.parts(list).size
        if count == 1 << size { move(&list, to: size + 1) }
        var at = count
        while at > index {
            let (revision, location) = entry(list, at - 1)
            put(list, at, revision, location)
            at -= 1
        }
        put(list, index, revision, location)
        setCount(list, count + 1)
        return nil
    }

    /// Removes an entry; a list that lost its last one is gone.
    mutating func remove(_ list: inout Handle, _ revision: UInt32) -> Location? {
        let index = lowerBound(list, revision)
        let count = count(list)
        guard index < count else { return nil }
        let old = entry(list, index)
        guard old.revision == revision else { return nil }
        for at in index..<count - 1 {
            let (revision, location) = entry(list, at + 1)
            put(list, at, revision, location)
        }
        setCount(list, count - 1)
        let size = Self.parts(list).size
        if count == 1 {
            release(list)
        } else if size > 0, count - 1 <= 1 << size / 4 {
            move(&list, to: size - 1)
        }
        return old.location
    }

    /// Gives a list's block back.
    mutating func release(_ list: Handle) {
        let (size, block) = Self.parts(list)
        setCount(list, 0)
        classes[size].free.append(UInt64(block))
    }

    /// Memory in use, in bytes.
    var byteCount: Int {
        classes.reduce(0) {
            $0 + MemoryLayout<SizeClass>.stride + $1.revisions.byteCount
                + $1.locations.byteCount + $1.counts.byteCount + $1.free.capacity * 8
        }
    }

    // MARK: Blocks

    private static func parts(_ list: Handle) -> (size: Int, block: Int) {
        (Int(list >> 40), Int(list & 0xFF_FFFF_FFFF))
    }

    private mutating func put(
        _ list: Handle,
        _ index: Int,
        _ revision: UInt32,
        _ location: Location
    ) {
        let (size, block) = Self.parts(list)
        classes[size].revisions[block << size + index] = revision
        classes[size].locations[block << size + index] = location.rawValue
    }

    private mutating func setCount(_ list: Handle, _ count: Int) {
        let (size, block) = Self.parts(list)
        classes[size].counts[block] = UInt32(count)
    }

    private mutating func allocate(size: Int) -> Handle {
        while classes.count <= size { classes.append(SizeClass()) }
        if let block = classes[size].free.popLast() { return UInt64(size) << 40 | block }
        let block = classes[size].counts.count
        classes[size].revisions.extend(by: 1 << size, filling: 0)
        classes[size].locations.extend(by: 1 << size, filling: 0)
        classes[size].counts.extend(by: 1, filling: 0)
        return UInt64(size) << 40 | UInt64(block)
    }

    private mutating func move(_ list: inout Handle, to size: Int) {
        let fresh = allocate(size: size)
        let count = count(list)
        for index in 0..<count {
            let (revision, location) = entry(list, index)
            put(fresh, index, revision, location)
        }
        setCount(fresh, count)
        release(list)
        list = fresh
    }

    // MARK: Checking

    /// What is wrong with a list, or nil.
    func problem(in list: Handle) -> String? {
        let (size, block) = Self.parts(list)
        guard size < classes.count, block < classes[size].counts.count else {
            return "no such list"
        }
        let count = count(list)
        guard count > 0, count <= 1 << size else { return "\(count) entries of \(1 << size)" }
        if classes[size].free.contains(UInt64(block)) { return "the block is free" }
        for index in 1..<max(count, 1)
        where entry(list, index - 1).revision >= entry(list, index).revision {
            return "revisions out of order"
        }
        return nil
    }
}
