// Ordered walks over a NumberTree, and its checker.
internal import HoldfastRecords

extension NumberTree {
    func scan(
        _ direction: ScanDirection,
        from start: ScanStart<UInt64>,
        _ body: (UInt64, UInt32, Location) throws -> Bool
    ) rethrows {
        switch direction {
        case .forwards:
            guard let (id, revision) = Self.first(start) else { return }
            try scanForwards(id, revision, body)
        case .backwards:
            guard let (id, revision) = Self.last(start) else { return }
            try scanBackwards(id, revision, body)
        }
    }

    /// The smallest key a forward walk may show.
    private static func first(_ start: ScanStart<UInt64>) -> (UInt64, UInt32)? {
        switch start {
        case .edge: (0, 0)
        case .including(let id, let revision): (id, revision)
        case .excluding(let id, .max): id == .max ? nil : (id + 1, 0)
        case .excluding(let id, let revision): (id, revision + 1)
        }
    }

    /// The largest key a backward walk may show.
    private static func last(_ start: ScanStart<UInt64>) -> (UInt64, UInt32)? {
        switch start {
        case .edge: (.max, .max)
        case .including(let id, let revision): (id, revision)
        case .excluding(let id, 0): id == 0 ? nil : (id - 1, .max)
        case .excluding(let id, let revision): (id, revision - 1)
        }
    }

    private func scanForwards(
        _ firstID: UInt64,
        _ firstRevision: UInt32,
        _ body: (UInt64, UInt32, Location) throws -> Bool
    ) rethrows {
        var page = firstID >> 6
        while let found = leaf(atOrAfter: page) {
            var bits = occupied[Int(found.leaf)]
            if found.page == firstID >> 6 { bits &= .max << (firstID & 63) }
            while bits != 0 {
                let digit = bits.trailingZeroBitCount
                bits &= bits - 1
                let id = found.page << 6 | UInt64(digit)
                let lowest = id == firstID ? firstRevision : 0
                let slot = slots[Int(found.leaf) << 6 | digit]
                guard let list = Self.list(slot) else {
                    if lowest > 0 { continue }
                    guard try body(id, 0, Location(rawValue: slot)) else { return }
                    continue
                }
                for index in pool.lowerBound(list, lowest)..<pool.count(list) {
                    let entry = pool.entry(list, index)
                    guard try body(id, entry.revision, entry.location) else { return }
                }
            }
            page = found.page + 1
        }
    }

    private func scanBackwards(
        _ lastID: UInt64,
        _ lastRevision: UInt32,
        _ body: (UInt64, UInt32, Location) throws -> Bool
    ) rethrows {
        var page = lastID >> 6
        while let found = leaf(atOrBefore: page) {
            var bits = occupied[Int(found.leaf)]
            if found.page == lastID >> 6 { bits &= .max >> (63 - lastID & 63) }
            while bits != 0 {
                let digit = 63 - bits.leadingZeroBitCount
                bits &= ~(1 << UInt64(digit))
                let id = found.page << 6 | UInt64(digit)
                let highest = id == lastID ? lastRevision : .max
                let slot = slots[Int(found.leaf) << 6 | digit]
                guard let list = Self.list(slot) else {
                    guard try body(id, 0, Location(rawValue: slot)) else { return }
                    continue
                }
                var index = pool.count(list) - 1
                while index >= 0 {
                    let entry = pool.entry(list, index)
                    index -= 1
                    if entry.revision > highest { continue }
                    guard try body(id, entry.revision, entry.location) else { return }
                }
            }
            if found.page == 0 { return }
            page = found.page - 1
        }
    }

    // MARK: Finding leaves

    private func leaf(atOrAfter page: UInt64) -> (page: UInt64, leaf: UInt32)? {
        guard root != Self.none, page >> UInt64(6 * height) == 0 else { return nil }
        return leaf(atOrAfter: page, below: root, level: height, base: 0)
    }

    private func leaf(
        atOrAfter page: UInt64,
        below node: UInt32,
        level: Int,
        base: UInt64
    ) -> (page: UInt64, leaf: UInt32)? {
        if level == 0 { return (base, node) }
        let shift = UInt64(6 * (level - 1))
        let wanted = page >> shift & 63
        var bits = present[Int(node)] & .max << wanted
        while bits != 0 {
            let digit = UInt64(bits.trailingZeroBitCount)
            bits &= bits - 1
            let hit = leaf(
                atOrAfter: digit == wanted ? page : 0,
                below: children[Int(node) << 6 | Int(digit)],
                level: level - 1,
                base: base | digit << shift
            )
            if let hit { return hit }
        }
        return nil
    }

    private func leaf(atOrBefore page: UInt64) -> (page: UInt64, leaf: UInt32)? {
        guard root != Self.none else { return nil }
        let end = UInt64(1) << UInt64(6 * height)
        return leaf(atOrBefore: min(page, end - 1), below: root, level: height, base: 0)
    }

    private func leaf(
        atOrBefore page: UInt64,
        below node: UInt32,
        level: Int,
        base: UInt64
    ) -> (page: UInt64, leaf: UInt32)? {
        if level == 0 { return (base, node) }
        let shift = UInt64(6 * (level - 1))
        let wanted = page >> shift & 63
        var bits = present[Int(node)] & .max >> (63 - wanted)
        while bits != 0 {
            let digit = 63 - UInt64(bits.leadingZeroBitCount)
            bits &= ~(1 << digit)
            let hit = leaf(
                atOrBefore: digit == wanted ? page : .max,
                below: children[Int(node) << 6 | Int(digit)],
                level: level - 1,
                base: base | digit << shift
            )
            if let hit { return hit }
        }
        return nil
    }

    // MARK: Checking

    func checkInvariants() -> String? {
        if root == Self.none { return count == 0 && idCount == 0 ? nil : "counts without a root" }
        var ids = 0
        var records = 0
        if let problem = check(root, level: height, base: 0, &ids, &records) { return problem }
        if ids != idCount { return "\(ids) ids, said to be \(idCount)" }
        return records == count ? nil : "\(records) records, said to be \(count)"
    }

    private func check(
        _ node: UInt32,
        level: Int,
        base: UInt64,
        _ ids: inout Int,
        _ records: inout Int
    ) -> String? {
        let bits = level == 0 ? occupied[Int(node)] : present[Int(node)]
        if bits == 0 { return "empty node at level \(level), base \(base)" }
        for digit in 0..<64 {
            let at = Int(node) << 6 | digit
            let here = base | UInt64(digit) << UInt64(6 * level)
            let set = bits >> UInt64(digit) & 1 == 1
            if level > 0 {
                let child = children[at]
                if set != (child != Self.none) { return "present bits differ at \(here)" }
                if set, let problem = check(child, level: level - 1, base: here, &ids, &records) {
                    return problem
                }
            } else if set {
                ids += 1
                guard let list = Self.list(slots[at]) else {
                    records += 1
                    continue
                }
                if let problem = pool.problem(in: list) { return "id \(here): \(problem)" }
                records += pool.count(list)
                if pool.count(list) == 1, pool.entry(list, 0).revision == 0 {
                    return "id \(here): a list for a plain revision 0"
                }
            }
        }
        return nil
    }
}
