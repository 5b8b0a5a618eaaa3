// Which contents of files a mirror keeps.
internal import HoldfastEmbedded
internal import HoldfastRecords

/// The files whose contents a mirror keeps without being asked for them.
///
/// The others are fetched when they are asked for, and stay for as long as there is room.
public struct MirroredFiles: Hashable, Sendable {
    /// None: each is fetched when it is asked for.
    public static let whenAsked = MirroredFiles(trees: [])
    /// What live records of any tree that is copied name.
    public static let all = MirroredFiles(trees: nil)

    /// What live records of some trees name: it is there when there is no connection.
    ///
    /// - Parameter trees: Names of trees, be they declared yet or not.
    /// - Returns: The choice.
    public static func named(in trees: String...) -> MirroredFiles {
        MirroredFiles(trees: Set(trees))
    }

    private let trees: Set<String>?

    private init(trees: Set<String>?) { self.trees = trees }

    /// What is pinned.
    ///
    /// - Throws: `refused` with `unknown-tree` when a name is none.
    var pins: FilePins {
        get throws(DatabaseError) {
            guard let trees else { return .all }
            var names: Set<TreeName> = []
            for name in trees.sorted() {
                guard let tree = TreeName(name) else {
                    throw .refused(
                        HoldfastEmbedded.Refusal(.unknownTree, "'\(name)' cannot be a tree's name.")
                    )
                }
                names.insert(tree)
            }
            return names.isEmpty ? .none : .trees(names)
        }
    }
}
