// Keys without the type of their record.
internal import HoldfastBasics
internal import HoldfastRecords

/// A key of any tree, in text.
///
/// Texts are equal when their UTF-8 bytes are.
public struct AnyKey: Hashable, Sendable, CustomStringConvertible {
    /// The tree's name.
    public let tree: String
    /// The key: `12.0`, split at the last dot.
    public let text: String

    /// Names a record.
    ///
    /// - Parameters:
    ///   - tree: The tree's name.
    ///   - text: The key, like `12.0` or `R_0603.0`.
    public init(tree: String, text: String) {
        self.tree = tree
        self.text = text
    }

    /// Drops the type of a key.
    ///
    /// - Parameter key: A key of a record.
    public init<R: Record>(_ key: Key<R>) {
        self.init(tree: TreeDefinition<R>.defined.name, text: key.description)
    }

    /// The key with its type.
    ///
    /// - Parameter type: The record's type.
    /// - Returns: The key; nil when it is one of another tree.
    public func key<R: Record>(of type: R.Type) -> Key<R>? {
        tree == TreeDefinition<R>.defined.name ? Key(text: text) : nil
    }

    /// `parts/12.0`.
    public var description: String { tree + "/" + text }

    /// By UTF-8 bytes.
    public static func == (a: AnyKey, b: AnyKey) -> Bool {
        a.text.utf8.elementsEqual(b.text.utf8) && a.tree.utf8.elementsEqual(b.tree.utf8)
    }

    /// Hashes the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(bytes: tree)
        hasher.combine(bytes: text)
    }

    /// The key the engine gave.
    init(tree: TreeName, key: RecordKey) {
        self.init(tree: tree.description, text: key.description)
    }

    /// The key as the engine takes it; nil when it is none of that kind.
    func stored(kind: KeyKind) -> RecordKey? {
        Array(text.utf8).withView { RecordKey(reference: $0, kind: kind) }
    }
}
