// What happened, commit by commit.
internal import HoldfastBasics
internal import HoldfastRecords

/// What one commit did to records.
public struct Event: Sendable {
    /// Where it stands in the history.
    public let position: Position
    /// Whether it was made here.
    public let origin: Origin
    /// Who made it.
    public let user: String
    /// On which device.
    public let device: String
    /// For what reason, when one was given.
    public let why: String?
    /// What happened to records, in order.
    public let changes: [RecordEvent]

    /// Where a commit was made.
    public enum Origin: Hashable, Sendable {
        /// On this device.
        case local
        /// On another one.
        case remote
    }
}

/// What happened to one record.
public struct RecordEvent: Sendable {
    /// What happened.
    public enum Kind: Hashable, Sendable {
        /// The record was made.
        case created
        /// Its value was changed.
        case changed
        /// It was deleted.
        case deleted
        /// The draft became final.
        case released
        /// It was made as the next revision of another.
        case revised
        /// The number of its state changed.
        case stateSet
        /// Somebody took it.
        case borrowed
        /// Somebody waits for it.
        case queued
        /// Somebody gave it back, or waits no longer.
        case returned
    }

    /// What happened.
    public let kind: Kind
    /// To which record.
    public let key: AnyKey
    /// Its value before; nil when there was none, and for borrows.
    public let before: JSONDocument?
    /// Its value afterwards; nil when there is none, and for borrows.
    public let after: JSONDocument?
    let facts: RecordFacts?
    let database: Database

    /// The record afterwards as its type.
    ///
    /// - Parameter type: One of the types the database was opened with.
    /// - Returns: Nil when the event is of another tree, or there is no value afterwards.
    /// - Throws: `undecodable`.
    public func after<R: Record>(as type: R.Type) throws(DatabaseError) -> Entry<R>? {
        let cache = database.cache(type)
        guard key.tree == cache.name.description, let after, let facts,
            let key = Key<R>(text: key.text), let stored = key.stored
        else { return nil }
        let decoded = try cache.decode(after.bytes, facts.schema, stored)
        return Entry(
            key: key,
            value: decoded.value,
            meta: facts.meta(hasUnknownFields: decoded.hasUnknownFields)
        )
    }
}
