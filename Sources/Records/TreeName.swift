// Names of trees, and of the blocks that carry their effects.
internal import HoldfastBasics

/// The name of a tree: `[a-z][a-z0-9_-]{0,62}`, or a system tree's, which begins with `_`.
public struct TreeName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The name as text; ASCII only, so that `==` is equality of bytes.
    public let description: String

    private init(known: String) { description = known }

    /// Takes an application's tree name; nil when it is not one.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= Limits.treeNameByteCountMax,
            (97...122).contains(first),
            bytes.allSatisfy({ byte in
                (97...122).contains(byte) || (48...57).contains(byte) || byte == 95 || byte == 45
            })
        else { return nil }
        description = text
    }

    /// Takes any tree's name, also a system tree's; nil when it is none.
    public init?(any text: String) {
        if let system = Self.system.first(where: { $0.description == text }) {
            self = system
        } else {
            self.init(text)
        }
    }

    /// Who borrowed what, and who waits.
    public static let borrows = TreeName(known: "_borrows")
    /// Which device may create which ids.
    public static let ranges = TreeName(known: "_ranges")
    /// Known devices.
    public static let devices = TreeName(known: "_devices")
    /// Declarations of all trees.
    public static let trees = TreeName(known: "_trees")
    /// Attachments.
    public static let files = TreeName(known: "_files")
    /// Access tokens; never leave the server.
    public static let tokens = TreeName(known: "_tokens")

    /// All system trees.
    public static let system: [TreeName] = [.trees, .borrows, .ranges, .devices, .files, .tokens]

    /// Whether it is the system's.
    public var isSystem: Bool { description.utf8.first == UInt8(ascii: "_") }

    /// Order by bytes.
    public static func < (a: TreeName, b: TreeName) -> Bool { a.description < b.description }

    /// The block that carries effects of this tree about `subject`: `_borrows/parts`.
    public func block(about subject: TreeName) -> BlockName {
        BlockName(tree: self, subject: subject)
    }
}

/// The name of a block: a tree, and for `_borrows` and `_ranges` the tree they are about.
public struct BlockName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The tree whose records the block changes.
    public let tree: TreeName
    /// The tree whose rights the block follows, when that is another one.
    public let subject: TreeName?

    /// Names a block.
    public init(tree: TreeName, subject: TreeName? = nil) {
        self.tree = tree
        self.subject = subject
    }

    /// `parts` or `_borrows/parts`.
    public var description: String {
        subject.map { tree.description + "/" + $0.description } ?? tree.description
    }

    /// Order of their text.
    public static func < (a: BlockName, b: BlockName) -> Bool { a.description < b.description }

    /// Reads what `description` wrote; anything else is nil.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let tree = TreeName(any: String(parts[0])) else {
            return nil
        }
        guard parts.count == 2 else {
            self.init(tree: tree)
            return
        }
        guard let subject = TreeName(any: String(parts[1])) else { return nil }
        self.init(tree: tree, subject: subject)
    }
}
