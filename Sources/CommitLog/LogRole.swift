// Whether a log is an authority's own or a mirror's copy, as the head of every segment says.
internal import HoldfastBasics
public import HoldfastRecords

/// Who decides what a log holds.
public enum LogRole: Hashable, Sendable {
    /// Whoever opens it for writing.
    case authority
    /// Another node, whose commits it holds: of these trees alone, or of all when nil.
    ///
    /// The blocks of other trees are withheld; the system's trees follow the trees they are about.
    case mirror(trees: Set<TreeName>?)

    /// The bit of the head's flags that says it is a mirror's.
    static let mirrorFlag: UInt16 = 1

    var flags: UInt16 { self == .authority ? 0 : Self.mirrorFlag }

    /// The filter as it stands in a head: names in order, a newline after each, zeros up to a
    /// multiple of 8 bytes; nothing when all trees are there.
    var filter: [UInt8] {
        guard case .mirror(.some(let trees)) = self else { return [] }
        let names = trees.sorted().flatMap { Array($0.description.utf8) + [UInt8(ascii: "\n")] }
        return names + Array(repeating: 0, count: (8 - names.count % 8) % 8)
    }

    /// Reads flags and filter; nil when they are of a later version, or not as `filter` writes.
    init?(flags: UInt16, filter: ByteView) {
        guard flags & ~Self.mirrorFlag == 0 else { return nil }
        guard flags == Self.mirrorFlag else {
            guard filter.isEmpty else { return nil }
            self = .authority
            return
        }
        guard !filter.isEmpty else {
            self = .mirror(trees: nil)
            return
        }
        let lines = filter.array.split(separator: UInt8(ascii: "\n"))
        let names = lines.compactMap { TreeName(String(decoding: $0, as: UTF8.self)) }
        self = .mirror(trees: Set(names))
        guard self.filter == filter.array else { return nil }
    }
}
