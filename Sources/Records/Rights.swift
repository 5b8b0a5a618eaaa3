// What a caller may do, tree by tree. `decide` asks it of every operation, the server of every
// read.
//
// Invariants:
// - every right includes `read`: nobody changes what it may not see;
// - what is not given is not there: no right is the default of a tree nobody named.
internal import HoldfastBasics

/// One thing a caller may do with a tree.
public enum Right: String, Hashable, Sendable, CaseIterable {
    /// See its records, what happened to them, and who borrowed them.
    case read
    /// Change records, borrow them, reserve ids.
    case write
    /// Take a borrow away from its holder.
    case seize
    /// Rewrite records in another schema version.
    case migrate
    /// Declare the tree; everywhere: run the server and give out tokens.
    case admin

    fileprivate var bit: UInt8 {
        switch self {
        case .read: 1
        case .write: 2
        case .seize: 4
        case .migrate: 8
        case .admin: 16
        }
    }
}

/// What a caller may do: rights for named trees, and rights for every tree.
public struct Rights: Hashable, Sendable {
    private let everywhereBits: UInt8
    private let bits: [TreeName: UInt8]
    /// The trees whose records may be seen, be they declared yet or not; nil for all.
    public let readable: Set<TreeName>?

    /// Gives rights; each includes `read`.
    ///
    /// - Parameters:
    ///   - everywhere: For every tree, also those to come, and for the server as a whole.
    ///   - trees: For trees of the application, besides.
    public init(everywhere: Set<Right> = [], trees: [TreeName: Set<Right>] = [:]) {
        everywhereBits = Self.bits(everywhere)
        bits = trees.mapValues(Self.bits).filter { $0.value != 0 }
        readable = everywhere.isEmpty ? Set(bits.keys) : nil
    }

    private static func bits(_ rights: Set<Right>) -> UInt8 {
        rights.reduce(0) { $0 | $1.bit | Right.read.bit }
    }

    /// Whether a tree's records may be seen.
    public func reads(_ tree: TreeName) -> Bool { has(.read, on: tree) }

    /// Whether something may be done with a tree.
    ///
    /// A system tree needs the right everywhere.
    public func has(_ right: Right, on tree: TreeName) -> Bool {
        if everywhereBits & right.bit != 0 { return true }
        guard !bits.isEmpty, !tree.isSystem else { return false }
        return (bits[tree] ?? 0) & right.bit != 0
    }

    /// Whether something may be done with every tree and with the server.
    public func hasEverywhere(_ right: Right) -> Bool { everywhereBits & right.bit != 0 }

    /// Whether something may be done with at least one tree.
    public func hasAnywhere(_ right: Right) -> Bool {
        hasEverywhere(right) || bits.values.contains { $0 & right.bit != 0 }
    }

    /// Whether nothing may be done.
    public var isEmpty: Bool { everywhereBits == 0 && bits.isEmpty }

    /// The rights for every tree, in the order of `Right`.
    public var everywhere: [Right] { Self.list(everywhereBits) }

    /// The rights for named trees, trees by name.
    public var trees: [(tree: TreeName, rights: [Right])] {
        bits.sorted { $0.key < $1.key }.map { ($0.key, Self.list($0.value)) }
    }

    private static func list(_ bits: UInt8) -> [Right] {
        Right.allCases.filter { bits & $0.bit != 0 }
    }
}
