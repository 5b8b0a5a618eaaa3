// Which blocks a node may hold: what projections, heartbeats and mirrors ask alike.
//
// Rights, hashes and projections are per tree; `_borrows/parts` and `_ranges/parts` follow `parts`.
public import HoldfastBasics

/// The blocks a mirror is shown.
///
/// A mirror of all trees is shown everything but `_tokens`, which never leaves the server. A mirror
/// of chosen trees is shown those, the borrows and key ranges of their records, and of the system's
/// trees `_trees` and `_devices`, which go whole to every mirror.
public struct BlockFilter: Hashable, Sendable {
    /// The chosen trees; nil for all.
    public let trees: Set<TreeName>?
    /// Names of the blocks that are shown, when trees are chosen.
    private let names: Set<[UInt8]>

    /// Shows chosen trees.
    ///
    /// - Parameter trees: Trees of the application, be they declared yet or not; nil for all.
    public init(trees: Set<TreeName>?) {
        self.trees = trees
        var blocks = [BlockName(tree: .trees), BlockName(tree: .devices)]
        for tree in trees ?? [] where !tree.isSystem {
            blocks += [
                BlockName(tree: tree), TreeName.borrows.block(about: tree),
                TreeName.ranges.block(about: tree),
            ]
        }
        names = Set(blocks.map { Array($0.description.utf8) })
    }

    /// Whether a block is shown.
    ///
    /// - Parameter block: Its name as a commit has it, `parts` or `_borrows/parts`.
    /// - Returns: Whether a commit's projection holds it.
    public func permits(_ block: ByteView) -> Bool {
        trees == nil ? block.array != Self.tokens : names.contains(block.array)
    }

    /// Whether a block is shown.
    public func permits(_ block: BlockName) -> Bool {
        guard trees != nil else { return block.tree != .tokens }
        return names.contains(Array(block.description.utf8))
    }

    private static let tokens = Array(TreeName.tokens.description.utf8)
}
