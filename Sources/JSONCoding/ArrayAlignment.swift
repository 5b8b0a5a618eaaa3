// Which element of an array became which of another.
//
// Equal elements are aligned by a longest common subsequence. Between them lie gaps: elements that
// were edited, inserted or removed. In a gap, elements are paired in order so that as many members
// as possible are equal; what is then left over is paired one by one where both sides have as many.
internal import HoldfastBasics

/// Aligns the elements of two arrays.
enum ArrayAlignment {
    /// Above this many differences the middle of an array counts as one gap: the search keeps a
    /// trace of as many steps squared.
    static let differenceCountMax = 1000
    /// Above this many pairs a gap is not searched for similar elements.
    static let pairCountMax = 1 << 16

    /// For each wanted element the known one that it comes from, or nil when it is new.
    static func partners(
        of wanted: [ByteView],
        among known: [ByteView]
    ) throws(JSONError) -> [Int?] {
        var names: [[UInt8]: Int] = [:]
        let old = try classes(known, &names)
        let new = try classes(wanted, &names)
        var partners = [Int?](repeating: nil, count: new.count)
        var (nextOld, nextNew) = (0, 0)
        for (oldIndex, newIndex) in matches(old, new) + [(old.count, new.count)] {
            try pair(nextOld..<oldIndex, nextNew..<newIndex, known, wanted, &partners)
            if newIndex < new.count { partners[newIndex] = oldIndex }
            (nextOld, nextNew) = (oldIndex + 1, newIndex + 1)
        }
        return partners
    }

    /// A number for each element, the same for elements that mean the same.
    private static func classes(
        _ elements: [ByteView],
        _ names: inout [[UInt8]: Int]
    ) throws(JSONError) -> [Int] {
        var numbers: [Int] = []
        numbers.reserveCapacity(elements.count)
        for element in elements {
            let form = try CanonicalForm.bytes(element)
            let number = names[form] ?? names.count
            names[form] = number
            numbers.append(number)
        }
        return numbers
    }

    // MARK: Equal elements

    /// Pairs of equal elements, ascending on both sides.
    private static func matches(_ old: [Int], _ new: [Int]) -> [(Int, Int)] {
        let shorter = min(old.count, new.count)
        var head = 0
        while head < shorter, old[head] == new[head] { head += 1 }
        var tail = 0
        while tail < shorter - head, old[old.count - 1 - tail] == new[new.count - 1 - tail] {
            tail += 1
        }
        var pairs = (0..<head).map { ($0, $0) }
        pairs += longestCommon(
            old[head..<old.count - tail],
            new[head..<new.count - tail]
        )
        pairs += (0..<tail).reversed().map { (old.count - 1 - $0, new.count - 1 - $0) }
        return pairs
    }

    /// A longest common subsequence.
    ///
    /// Source: Myers, "An O(ND) difference algorithm and its variations", Algorithmica 1986.
    private static func longestCommon(
        _ old: ArraySlice<Int>,
        _ new: ArraySlice<Int>
    ) -> [(Int, Int)] {
        let limit = min(old.count + new.count, differenceCountMax)
        // Furthest place in `old` on each diagonal (place in `old` minus place in `new`).
        var furthest = [Int](repeating: 0, count: 2 * limit + 3)
        var trace: [[Int]] = []
        for differences in 0...limit {
            trace.append(Array(furthest[limit + 1 - differences...limit + 1 + differences]))
            for diagonal in stride(from: -differences, through: differences, by: 2) {
                let slot = limit + 1 + diagonal
                let isInsertion =
                    diagonal == -differences
                    || diagonal != differences && furthest[slot - 1] < furthest[slot + 1]
                var x = isInsertion ? furthest[slot + 1] : furthest[slot - 1] + 1
                while x < old.count, x - diagonal < new.count,
                    old[old.startIndex + x] == new[new.startIndex + x - diagonal]
                {
                    x += 1
                }
                furthest[slot] = x
                if x >= old.count, x - diagonal >= new.count {
                    return wayBack(trace, old, new)
                }
            }
        }
        return []
    }

    /// Reads the matches off the trace, from the end to the beginning.
    private static func wayBack(
        _ trace: [[Int]],
        _ old: ArraySlice<Int>,
        _ new: ArraySlice<Int>
    ) -> [(Int, Int)] {
        var pairs: [(Int, Int)] = []
        var (x, y) = (old.count, new.count)
        for differences in trace.indices.reversed() {
            let furthest = trace[differences]
            // The slice of this round holds the diagonals from -differences to differences.
            func reached(_ diagonal: Int) -> Int { furthest[diagonal + differences] }
            let diagonal = x - y
            var (fromX, fromY) = (0, 0)
            if differences > 0 {
                let isInsertion =
                    diagonal == -differences
                    || diagonal != differences && reached(diagonal - 1) < reached(diagonal + 1)
                let before = isInsertion ? diagonal + 1 : diagonal - 1
                fromX = reached(before)
                fromY = fromX - before
            }
            while x > fromX, y > fromY {
                x -= 1
                y -= 1
                pairs.append((old.startIndex + x, new.startIndex + y))
            }
            (x, y) = (fromX, fromY)
        }
        return pairs.reversed()
    }

    // MARK: Gaps

    private static func pair(
        _ oldGap: Range<Int>,
        _ newGap: Range<Int>,
        _ known: [ByteView],
        _ wanted: [ByteView],
        _ partners: inout [Int?]
    ) throws(JSONError) {
        var (nextOld, nextNew) = (oldGap.lowerBound, newGap.lowerBound)
        func rest(_ oldEnd: Int, _ newEnd: Int) {
            guard oldEnd - nextOld == newEnd - nextNew else { return }
            for step in 0..<oldEnd - nextOld { partners[nextNew + step] = nextOld + step }
        }
        if oldGap.count > 1 || newGap.count > 1 {
            for (old, new) in try similar(oldGap, newGap, known, wanted) {
                rest(old, new)
                partners[new] = old
                (nextOld, nextNew) = (old + 1, new + 1)
            }
        }
        rest(oldGap.upperBound, newGap.upperBound)
    }

    /// Pairs of objects in order, with as many equal members in all as possible.
    private static func similar(
        _ oldGap: Range<Int>,
        _ newGap: Range<Int>,
        _ known: [ByteView],
        _ wanted: [ByteView]
    ) throws(JSONError) -> [(Int, Int)] {
        let (rows, columns) = (oldGap.count, newGap.count)
        guard rows > 0, columns > 0, rows * columns <= pairCountMax else { return [] }
        var olds: [ObjectMembers] = []
        for index in oldGap { olds.append(try ObjectMembers(known[index])) }
        var news: [ObjectMembers] = []
        for index in newGap { news.append(try ObjectMembers(wanted[index])) }
        // best[r][c]: most equal members in the pairs of what begins at row r and column c.
        var best = [[Int]](repeating: [Int](repeating: 0, count: columns + 1), count: rows + 1)
        var scores = best
        for row in (0..<rows).reversed() {
            for column in (0..<columns).reversed() {
                let score = equalMemberCount(olds[row], news[column])
                scores[row][column] = score
                let paired = score > 0 ? score + best[row + 1][column + 1] : 0
                best[row][column] = max(paired, best[row + 1][column], best[row][column + 1])
            }
        }
        var pairs: [(Int, Int)] = []
        var (row, column) = (0, 0)
        while row < rows, column < columns {
            let score = scores[row][column]
            if score > 0, best[row][column] == score + best[row + 1][column + 1] {
                pairs.append((oldGap.lowerBound + row, newGap.lowerBound + column))
                (row, column) = (row + 1, column + 1)
            } else if best[row][column] == best[row + 1][column] {
                row += 1
            } else {
                column += 1
            }
        }
        return pairs
    }

    private static func equalMemberCount(_ a: ObjectMembers, _ b: ObjectMembers) -> Int {
        var count = 0
        for member in a.all where b.value(member.name) == member.value { count += 1 }
        return count
    }
}
