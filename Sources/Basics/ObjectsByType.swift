// Objects of generic classes, found by what they are generic over.

/// One object for each of a few types; put together once.
///
/// A lookup neither asks the runtime nor counts a reference: it stands on the way of every read.
public struct ObjectsByType: Sendable {
    private let entries: [(type: ObjectIdentifier, object: any AnyObject & Sendable)]

    /// The objects by the types they are looked up by.
    public init(_ entries: [(type: ObjectIdentifier, object: any AnyObject & Sendable)]) {
        self.entries = entries
    }

    /// Lends the object of a type.
    ///
    /// - Precondition: It is an `Object`, whatever it was put in as.
    /// - Parameters:
    ///   - type: Whose object.
    ///   - class: What it is.
    ///   - body: Is lent the object while this table lives.
    /// - Returns: What `body` returns; nil when there is none.
    public func lend<Object: AnyObject, T>(
        _ type: Any.Type,
        as class: Object.Type,
        _ body: (Object) throws -> T
    ) rethrows -> T? {
        let wanted = ObjectIdentifier(type)
        for index in entries.indices where entries[index].type == wanted {
            let object = Unmanaged.passUnretained(
                unsafeDowncast(entries[index].object, to: Object.self)
            )
            return try object._withUnsafeGuaranteedRef { try body($0) }
        }
        return nil
    }
}
