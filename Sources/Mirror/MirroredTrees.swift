// Which trees a mirror copies.
internal import HoldfastEmbedded
internal import HoldfastRecords

/// The trees a mirror copies: all of its server's, or chosen ones alone.
///
/// Trees are copied whole or not at all. Of a tree that is not copied nothing is sent to the
/// mirror: no record, no key, no borrow, and no reason of a change that did nothing else. What it
/// copies it may change; keys into other trees are read as what they are, keys.
///
/// Another choice than before makes a new copy, beside which what waits to be sent stays: fewer
/// trees at the next opening that reaches the server, more trees at once, or `connect` throws
/// `offline` and leaves all as it was. A tree with changes that wait stays until they are settled.
/// Give back what you borrowed in a tree before you leave it out: from then on you cannot.
///
/// Of the chosen trees the mirror has those its token opens, which is asked on every connection.
/// Trees that it may not read any more go at once, in memory and on the disk, and live queries tell
/// of it; changes to them that wait are refused by the server, and kept as stranded ones. Trees
/// that it may read come in by themselves. Without a connection what was there last stays.
public struct MirroredTrees: Hashable, Sendable {
    /// All trees, also those that are declared later.
    public static let all = MirroredTrees(others: nil)
    /// The trees of the record types the mirror is opened with.
    public static let listed = MirroredTrees(others: [])

    /// The trees of the record types the mirror is opened with, and others by their names, which
    /// ``Database/anyTree(_:)`` reads.
    ///
    /// - Parameter names: Trees of the application, be they declared yet or not.
    /// - Returns: The choice.
    public static func listed(and names: String...) -> MirroredTrees {
        MirroredTrees(others: Set(names))
    }

    private let others: Set<String>?

    private init(others: Set<String>?) { self.others = others }

    /// The names of the chosen trees; nil for all.
    ///
    /// - Throws: `refused` with `unknown-tree` when a name is none, or there is not one tree.
    func names(_ types: RecordTrees) throws(DatabaseError) -> Set<TreeName>? {
        guard let others else { return nil }
        var trees = Set(types.proposals.map(\.tree))
        for name in others.sorted() {
            guard let tree = TreeName(name) else {
                throw .refused(
                    HoldfastEmbedded.Refusal(.unknownTree, "'\(name)' cannot be a tree's name.")
                )
            }
            trees.insert(tree)
        }
        guard !trees.isEmpty else {
            throw .refused(
                HoldfastEmbedded.Refusal(.unknownTree, "Choose one tree to copy at least.")
            )
        }
        return trees
    }
}
