// Ordered walks over a NameTree, and its checker.
internal import HoldfastBasics
internal import HoldfastRecords

extension NameTree {
    func scan(
        _ direction: ScanDirection,
        from start: ScanStart<ByteView>,
        prefix: ByteView,
        _ body: (ByteView, UInt32, Location) throws -> Bool
    ) rethrows {
        switch direction {
        case .forwards: try scanForwards(first(start, prefix), prefix, body)
        case .backwards: try scanBackwards(end(start, prefix), prefix, body)
        }
    }

    func forEachRevision(
        of name: ByteView,
        _ direction: ScanDirection,
        _ body: (UInt32, Location) throws -> Bool
    ) rethrows {
        let edge: UInt32 = direction == .forwards ? 0 : .max
        let start = ScanStart.including(name, revision: edge)
        try scan(direction, from: start, prefix: .empty) { found, revision, location in
            guard found == name else { return false }
            return try body(revision, location)
        }
    }

    private struct Place {
        var leaf: UInt32
        var index: Int
    }

    private func scanForwards(
        _ start: Place,
        _ prefix: ByteView,
        _ body: (ByteView, UInt32, Location) throws -> Bool
    ) rethrows {
        var place = start
        while place.leaf != Self.none {
            let leaf = node(place.leaf)
            for index in place.index..<leaf.count {
                let entry = leaf.entry(index)
                guard Self.begins(entry.name, with: prefix),
                    try body(entry.name, entry.revision, Location(rawValue: entry.payload))
                else { return }
            }
            place = Place(leaf: leaf.next, index: 0)
        }
    }

    private func scanBackwards(
        _ end: Place,
        _ prefix: ByteView,
        _ body: (ByteView, UInt32, Location) throws -> Bool
    ) rethrows {
        var place = end
        while true {
            let leaf = node(place.leaf)
            var index = place.index
            while index > 0 {
                index -= 1
                let entry = leaf.entry(index)
                guard Self.begins(entry.name, with: prefix),
                    try body(entry.name, entry.revision, Location(rawValue: entry.payload))
                else { return }
            }
            guard leaf.previous != Self.none else { return }
            place = Place(leaf: leaf.previous, index: node(leaf.previous).count)
        }
    }

    // MARK: Beginnings

    /// The first entry a forward walk shows.
    private func first(_ start: ScanStart<ByteView>, _ prefix: ByteView) -> Place {
        switch start {
        case .including(let name, let revision) where !name.precedes(prefix):
            return place(name, revision, after: false)
        case .excluding(let name, let revision) where !name.precedes(prefix):
            return place(name, revision, after: true)
        case .edge, .including, .excluding:
            return place(prefix, 0, after: false)
        }
    }

    /// Just past the first entry a backward walk shows.
    private func end(_ start: ScanStart<ByteView>, _ prefix: ByteView) -> Place {
        let beyond = Self.successor(prefix)
        switch start {
        case .including(let name, let revision) where Self.precedes(name, beyond):
            return place(name, revision, after: true)
        case .excluding(let name, let revision) where Self.precedes(name, beyond):
            return place(name, revision, after: false)
        case .edge, .including, .excluding:
            if let beyond { return beyond.withView { place($0, 0, after: false) } }
            var id = root
            for _ in 0..<height { id = node(id).child(node(id).count - 1) }
            return Place(leaf: id, index: node(id).count)
        }
    }

    /// Where a key stands or belongs, or just past it.
    private func place(_ name: ByteView, _ revision: UInt32, after: Bool) -> Place {
        let leaf = leaf(name, revision)
        let (index, found) = node(leaf).find(name, revision)
        return Place(leaf: leaf, index: found && after ? index + 1 : index)
    }

    /// The smallest bytes after everything that begins with a prefix; nil when there are none.
    private static func successor(_ prefix: ByteView) -> [UInt8]? {
        var bytes = prefix.array
        while let last = bytes.popLast() {
            if last < .max {
                bytes.append(last + 1)
                return bytes
            }
        }
        return nil
    }

    private static func precedes(_ name: ByteView, _ end: [UInt8]?) -> Bool {
        guard let end else { return true }
        return end.withView { name.precedes($0) }
    }

    private static func begins(_ name: ByteView, with prefix: ByteView) -> Bool {
        if prefix.count == 0 { return true }
        return name.count >= prefix.count && name[0..<prefix.count] == prefix
    }

    // MARK: Checking

    private struct Tally {
        var records = 0
        var names = 0
        var nodes = 0
        var lastLeaf: UInt32?
        var lastName: [UInt8]?
    }

    func checkInvariants() -> String? {
        var tally = Tally()
        if let problem = check(root, level: height, from: nil, to: nil, &tally) { return problem }
        if height > 0, node(root).count < 2 { return "inner root with one child" }
        if let last = tally.lastLeaf, node(last).next != Self.none { return "last leaf has a next" }
        if tally.records != count { return "\(tally.records) records, said to be \(count)" }
        if tally.names != nameCount { return "\(tally.names) names, said to be \(nameCount)" }
        let live = nodes.count { $0 != nil }
        return live == tally.nodes ? nil : "\(live) nodes, \(tally.nodes) of them reached"
    }

    /// A key on one side of a subtree.
    private typealias Bound = (name: [UInt8], revision: UInt32)

    private func check(
        _ id: UInt32,
        level: Int,
        from lower: Bound?,
        to upper: Bound?,
        _ tally: inout Tally
    ) -> String? {
        let node = node(id)
        tally.nodes += 1
        if node.isLeaf != (level == 0) { return "leaf at level \(level)" }
        if node.count == 0, id != root { return "empty node at level \(level)" }
        if node.capacity > nodeByteCountMax { return "block of \(node.capacity) bytes" }
        if let problem = node.problem() { return "level \(level): \(problem)" }
        for index in node.searchBase..<max(node.count, node.searchBase) {
            if let lower, Self.order(node, index, lower) < 0 { return "key below its separator" }
            if let upper, Self.order(node, index, upper) >= 0 { return "key above its separator" }
        }
        if level == 0 { return checkLeaf(id, node, &tally) }
        for index in 0..<node.count {
            let from = index == 0 ? lower : (node.name(index).array, node.revision(index))
            let isLast = index == node.count - 1
            let to = isLast ? upper : (node.name(index + 1).array, node.revision(index + 1))
            let child = node.child(index)
            if let problem = check(child, level: level - 1, from: from, to: to, &tally) {
                return problem
            }
        }
        return nil
    }

    private func checkLeaf(_ id: UInt32, _ leaf: NameNode, _ tally: inout Tally) -> String? {
        if leaf.previous != tally.lastLeaf ?? Self.none { return "leaf linked to another before" }
        if let last = tally.lastLeaf, node(last).next != id { return "leaf linked to another next" }
        tally.lastLeaf = id
        tally.records += leaf.count
        for index in 0..<leaf.count {
            let name = leaf.name(index).array
            if name != tally.lastName { tally.names += 1 }
            tally.lastName = name
        }
        return nil
    }

    private static func order(_ node: NameNode, _ index: Int, _ bound: Bound) -> Int {
        bound.name.withView { node.compare(index, $0, bound.revision) }
    }
}
