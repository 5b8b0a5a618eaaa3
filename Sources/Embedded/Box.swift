// One decoded version of a record.
//
// Invariant: a box never changes. A write installs another one; whoever was lent a value keeps it
// alive by its box alone, so that no lock is held and no field copied meanwhile.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What is known of a stored version beside its value.
struct RecordFacts: Hashable, Sendable {
    /// Where its commit stands.
    let version: HoldfastRecords.Position
    /// Where it stands in its life.
    let state: HoldfastRecords.RecordState
    /// The schema version that wrote it.
    let schema: SchemaVersion
    /// When it was made, in milliseconds since 1970.
    let createdAt: Int64
    /// When it was changed last, in milliseconds since 1970.
    let modifiedAt: Int64
    /// Who changed it last.
    let modifiedBy: String
    /// Whether the server has not accepted it yet.
    let isPending: Bool

    /// The facts as an application sees them.
    func meta(hasUnknownFields: Bool) -> Meta {
        Meta(
            version: Position(version),
            state: RecordState(state),
            schemaVersion: schema.description,
            createdAt: Date(milliseconds: createdAt),
            modifiedAt: Date(milliseconds: modifiedAt),
            modifiedBy: modifiedBy,
            pending: isPending,
            unknownFields: hasUnknownFields
        )
    }
}

extension Date {
    /// Milliseconds since 1970.
    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }

    /// Milliseconds since 1970.
    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
}

extension Location {
    /// Whether a mirror's pending change lies there: its commits stand above every log's offsets.
    var isProvisional: Bool { frameOffset >= Location.parts.upperBound }
}

/// A stored version, copied out of the log.
struct StoredRecord: Sendable {
    let key: RecordKey
    let facts: RecordFacts
    /// The change that wrote it.
    let changeID: UniqueID
    /// Normalised JSON.
    let document: [UInt8]

    /// Copies the version that stands at a place; nil when it is a removal.
    init?(_ reader: StoreReader, at location: Location) {
        let isPending = location.isProvisional
        let record = reader.withEffect(at: location) { effect, commit -> StoredRecord? in
            guard effect.isSet else { return nil }
            let facts = RecordFacts(
                version: reader.state.position(of: commit.seq),
                state: effect.state,
                schema: effect.schema,
                createdAt: effect.createdAt,
                modifiedAt: commit.at,
                modifiedBy: commit.user.text,
                isPending: isPending
            )
            return StoredRecord(effect.key, facts, commit.changeID, effect.value.array)
        }
        guard let record else { return nil }
        self = record
    }

    private init(_ key: RecordKey, _ facts: RecordFacts, _ id: UniqueID, _ document: [UInt8]) {
        self.key = key
        self.facts = facts
        changeID = id
        self.document = document
    }
}

/// What many versions have in common: kept once for all their boxes.
final class BoxOrigin: Sendable {
    /// What is common.
    struct Facts: Hashable, Sendable {
        let epoch: Epoch
        let schema: SchemaVersion
        let modifiedBy: String
        let isPending: Bool
        let hasUnknownFields: Bool
    }

    let facts: Facts

    init(_ facts: Facts) { self.facts = facts }
}

/// The origins of a tree's boxes, each once as long as they are few.
struct BoxOrigins {
    private var known: [BoxOrigin.Facts: BoxOrigin] = [:]

    /// Above it they are gathered anew: that costs memory alone.
    private static let countMax = 256

    /// The origin of a version.
    mutating func origin(of record: RecordFacts, hasUnknownFields: Bool) -> BoxOrigin {
        let facts = BoxOrigin.Facts(
            epoch: record.version.epoch,
            schema: record.schema,
            modifiedBy: record.modifiedBy,
            isPending: record.isPending,
            hasUnknownFields: hasUnknownFields
        )
        if let found = known[facts] { return found }
        if known.count == Self.countMax { known.removeAll() }
        let origin = BoxOrigin(facts)
        known[facts] = origin
        return origin
    }
}

/// One decoded version of a record, shared by everybody who reads it.
typealias Box<R: Record> = SharedObject<Key<R>, Version<R>>

/// What a box keeps.
struct Version<R: Record>: Sendable {
    /// Seq of its commit; stands here because a read looks at it together with the key.
    let seq: UInt64
    /// The value.
    let value: R
    private let createdAt: Int64
    private let modifiedAt: Int64
    private let origin: BoxOrigin
    private let state: HoldfastRecords.RecordState

    /// Keeps a decoded version.
    init(value: R, facts: RecordFacts, origin: BoxOrigin) {
        self.value = value
        seq = facts.version.seq
        createdAt = facts.createdAt
        modifiedAt = facts.modifiedAt
        self.origin = origin
        state = facts.state
    }

    /// What is known beside the value.
    var meta: Meta {
        let common = origin.facts
        let facts = RecordFacts(
            version: HoldfastRecords.Position(epoch: common.epoch, seq: seq),
            state: state,
            schema: common.schema,
            createdAt: createdAt,
            modifiedAt: modifiedAt,
            modifiedBy: common.modifiedBy,
            isPending: common.isPending
        )
        return facts.meta(hasUnknownFields: common.hasUnknownFields)
    }

    /// An owned copy of everything.
    func entry(_ key: Key<R>) -> Entry<R> { Entry(key: key, value: value, meta: meta) }

    /// What a box costs beside value and document: its header, what is known of it and its slot.
    static var overhead: Int { 128 }
}

extension Key {
    /// A hash that spreads ids that were given out in a row, which is the common case.
    var spread: UInt64 {
        let number: UInt64
        if let id = id as? Number {
            number = id.rawValue
        } else {
            number = UInt64(truncatingIfNeeded: id.hashValue)
        }
        return (number &+ UInt64(revision) &* 0xD6E8_FEB8_6659_FD93) &* 0x9E37_79B9_7F4A_7C15
    }
}
