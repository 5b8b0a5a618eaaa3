// Which effects of a commit a reader is given.
internal import HoldfastBasics
public import HoldfastRecords

/// Which effects of a commit a reader is given.
///
/// Two readers of equal filters are given the same bytes. Effects on `_tokens` pass no filter.
public struct CommitFilter: Hashable, Sendable {
    /// Only effects on these trees, and on borrows and ranges of their records; nil for all.
    public let trees: Set<TreeName>?
    /// Only records whose name begins with these bytes, and none of a system tree; nil for all.
    public let prefix: [UInt8]?
    /// The trees' names as bytes, in order, so that equal filters are equal.
    private let names: [[UInt8]]?

    /// Everything.
    public static let all = CommitFilter()

    /// Makes a filter.
    public init(trees: Set<TreeName>? = nil, prefix: [UInt8]? = nil) {
        self.trees = trees
        self.prefix = prefix
        names = trees?.sorted().map { Array($0.description.utf8) }
    }

    /// The filter of a reader who may see chosen trees alone.
    ///
    /// - Parameter readable: The trees; nil for all.
    /// - Returns: What both let pass.
    public func limited(to readable: Set<TreeName>?) -> CommitFilter {
        guard let readable else { return self }
        return CommitFilter(trees: trees?.intersection(readable) ?? readable, prefix: prefix)
    }

    /// Whether every commit passes, also one with no effect to show: then seqs are dense.
    public var isEverything: Bool { trees == nil && prefix == nil }

    /// Whether every effect of a block passes, so that the hash of all of it tells the reader of
    /// nothing else.
    ///
    /// - Parameter block: Its name.
    /// - Returns: Whether a reader who starts from everything holds exactly that block.
    public func permits(_ block: BlockName) -> Bool {
        guard prefix == nil, block.tree != .tokens else { return false }
        guard let trees else { return true }
        return trees.contains(block.tree) || block.subject.map(trees.contains) ?? false
    }

    /// Whether effects of a block pass, as far as the block's name tells.
    ///
    /// - Parameters:
    ///   - tree: The tree whose records the block changes.
    ///   - subject: The tree it is about, when that is another one.
    /// - Returns: Whether they pass.
    func passes(tree: ByteView, subject: ByteView?) -> Bool {
        let isSystem = !tree.isEmpty && tree[0] == UInt8(ascii: "_")
        if isSystem, prefix != nil || tree.equals("_tokens") { return false }
        guard let names else { return true }
        return names.contains { name in
            name.withView { $0 == tree || $0 == subject }
        }
    }

    /// Whether an effect of a block that passes does so too.
    func passes(_ effect: EffectView) -> Bool {
        guard let prefix else { return true }
        // The name of a record in an id tree is empty.
        let name = effect.name
        guard name.count >= prefix.count else { return false }
        return prefix.withView { $0 == name[0..<prefix.count] }
    }
}
