// A value with its key and its facts.

/// What a read gives: the value with its key and facts beside it.
///
/// `entry.title` reads through to the value.
///
/// ```swift
/// if let entry = try db.record(key) { print(entry.key, entry.title, entry.meta.state) }
/// ```
@dynamicMemberLookup
public struct Entry<R: Record>: Identifiable, Sendable {
    /// The record's key.
    public let key: Key<R>
    /// The record's value.
    public let value: R
    /// What the database knows beside the value.
    public let meta: Meta

    /// The key.
    public var id: Key<R> { key }

    /// Puts an entry together.
    init(key: Key<R>, value: R, meta: Meta) {
        self.key = key
        self.value = value
        self.meta = meta
    }

    /// A field of the value.
    public subscript<T>(dynamicMember path: KeyPath<R, T>) -> T { value[keyPath: path] }
}

extension Entry: Equatable {
    /// Whether both show the same version of the same record.
    ///
    /// Complexity: constant; values are not compared.
    public static func == (a: Entry, b: Entry) -> Bool { a.key == b.key && a.meta == b.meta }
}
