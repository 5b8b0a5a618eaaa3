// Which record a request means: in a body, in a path, by its parameters.
public import HoldfastBasics
public import HoldfastRecords

/// A key as callers give it: the revision may be left out where the tree has none.
public struct KeyChoice: Hashable, Sendable {
    /// The id or name.
    public var id: RecordID
    /// The revision; nil when it was not named.
    public var revision: UInt32?

    /// Chooses a record.
    public init(_ id: RecordID, revision: UInt32?) {
        self.id = id
        self.revision = revision
    }

    /// Reads the key of a path and its `revision` parameter.
    ///
    /// - Parameters:
    ///   - segment: The decoded segment of the path.
    ///   - kind: The tree's kind of keys.
    ///   - revision: The value of the parameter; nil when there is none.
    /// - Throws: `badKey` when the segment is no key of the kind, `badParameter`.
    public init(
        path segment: ByteView,
        kind: KeyKind,
        revision: ByteView?
    ) throws(ShapeRefusal) {
        self.id = try Self.id(path: segment, kind: kind)
        guard let revision else {
            self.revision = nil
            return
        }
        guard let number = decimalNumber(revision), number <= UInt64(Limits.revisionMax) else {
            throw ShapeRefusal(
                .badParameter,
                "Give revision as a number from 0 to \(Limits.revisionMax).",
                field: "revision"
            )
        }
        self.revision = UInt32(number)
    }

    /// The whole key.
    ///
    /// - Parameter isVersioned: Whether the tree's records have revisions.
    /// - Returns: The key; without a revision it is 0.
    /// - Throws: `revisionRequired` when they have and none was named.
    public func key(isVersioned: Bool) throws(ShapeRefusal) -> RecordKey {
        guard revision != nil || !isVersioned else { throw .revisionRequired() }
        return RecordKey(id, revision: revision ?? 0)
    }

    /// Reads the id or name in a path.
    ///
    /// - Parameters:
    ///   - segment: The decoded segment of the path.
    ///   - kind: The tree's kind of keys.
    /// - Returns: The id or name.
    /// - Throws: `badKey`.
    public static func id(path segment: ByteView, kind: KeyKind) throws(ShapeRefusal) -> RecordID {
        if let id = RecordID(segment, kind: kind) { return id }
        switch kind {
        case .id:
            throw ShapeRefusal(
                .badKey,
                "Keys of this tree are ids: give a number from 1 to \(Limits.numberMax)."
            )
        case .name:
            throw ShapeRefusal(
                .badKey,
                "Keys of this tree are names: give 1 to \(Limits.nameByteCountMax) bytes of UTF-8 "
                    + "without control characters."
            )
        }
    }
}

/// Which revision a read means.
public enum RevisionSelection: Hashable, Sendable {
    /// The latest that stands.
    case latest
    /// The latest released one.
    case released
    /// This one.
    case number(UInt32)

    /// Reads the `revision` parameter of a read.
    ///
    /// - Parameter text: Its value; nil, when there is none, means `latest`.
    /// - Throws: `badParameter`.
    public init(parameter text: ByteView?) throws(ShapeRefusal) {
        guard let text, !text.equals("latest") else {
            self = .latest
            return
        }
        if text.equals("released") {
            self = .released
        } else if let number = decimalNumber(text), number <= UInt64(Limits.revisionMax) {
            self = .number(UInt32(number))
        } else {
            throw ShapeRefusal(
                .badParameter,
                "Give revision as latest, released or a number.",
                field: "revision"
            )
        }
    }
}

extension ShapeRefusal {
    /// A write or borrow on a versioned tree that names no revision.
    static func revisionRequired(_ field: String = "revision", operation: Int? = nil) -> Self {
        ShapeRefusal(
            .revisionRequired,
            "Records of this tree have revisions: name the one you mean.",
            field: field,
            operation: operation
        )
    }
}
