// The typed side of one tree in one database: its decoded boxes and the views over them.
//
// Invariants:
// - a box in the table is of the version that stands: whatever touches a key forgets its box in
//   the same step (`refresh`, under the store's lock), and a read that was on its way then is not
//   kept;
// - a view is folded when it is first asked for, while the state is held, and by `refresh` from
//   then on, in the same step as the records it is about;
// - what a view holds is read without a lock by whoever holds the state: it changes in steps alone;
// - locks are taken in one order: the store's, then one of these; never the other way.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import Synchronization

/// The cache of a tree, whatever its type.
protocol AnyTreeCache: AnyObject, Sendable {
    /// The tree.
    var name: TreeName { get }
    /// Some records may stand differently now; called under the store's lock.
    func refresh(_ reader: StoreReader, _ keys: [RecordKey])
    /// All records may stand differently now; called under the store's lock, while nobody holds the
    /// state.
    func refreshAll()
    /// Writes the checkpoints of the views that are folded; of those in which little changed only
    /// when all are asked for.
    func saveViews(each isEach: Bool)
}

/// The decoded boxes and the views of one tree.
final class TreeCache<R: Record>: AnyTreeCache {
    let schema: RecordSchema<R>
    /// The store tells this cache of its steps; whoever reads through it holds the database, which
    /// holds the store.
    unowned let store: Store
    private let boxes: SharedCache<Key<R>, Version<R>>
    private let loads = Lock(Loads())
    private let origins = Lock(BoxOrigins())
    /// One place per view of the schema; nil until first asked for.
    let views: Lock<[(any AnyViewFold<R>)?]>
    private let steps = Atomic<UInt64>(0)

    var name: TreeName { schema.tree }

    /// An empty cache.
    init(_ schema: RecordSchema<R>, store: Store, byteCountMax: Int) {
        self.schema = schema
        self.store = store
        boxes = SharedCache(byteCountMax: byteCountMax)
        views = Lock(Array(repeating: nil, count: schema.views.count))
    }

    /// How often records of the tree changed; means something while the state is held.
    var stepCount: UInt64 { steps.load(ordering: .acquiring) }

    // MARK: Boxes

    /// The box of the version that stands; nil when there is no such record.
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - watch: Waits until what is shown is durable; nil shows what stands.
    /// - Returns: The box.
    /// - Throws: `undecodable`.
    func box(_ key: Key<R>, _ watch: DurableWatch?) throws(DatabaseError) -> Box<R>? {
        let seqMax = watch?.seq ?? .max
        if let box = boxes.object(key, key.spread), box.content.seq <= seqMax { return box }
        return try load(key, watch)
    }

    /// Lends the value of the version that stands; nil when there is no such record.
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - watch: Waits until what is shown is durable; nil shows what stands.
    ///   - body: Is lent the value.
    /// - Returns: What `body` returns.
    /// - Throws: `undecodable`, and what `body` throws.
    func lend<T>(
        _ key: Key<R>,
        _ watch: DurableWatch?,
        _ body: (borrowing R) throws -> T
    ) throws -> T? {
        let seqMax = watch?.seq ?? .max
        let lent = try boxes.lend(key, key.spread) { box in
            box.content.seq <= seqMax ? Optional(try body(box.content.value)) : nil
        }
        if let lent, let result = lent { return result }
        return try load(key, watch).map { try body($0.content.value) }
    }

    @inline(never)
    private func load(_ key: Key<R>, _ watch: DurableWatch?) throws(DatabaseError) -> Box<R>? {
        guard let stored = key.stored else { return nil }
        while true {
            switch look(key, stored, watch) {
            case .box(let box): return box
            case .nothing: return nil
            case .early(let seq): watch?.block(until: seq)
            case .record(let record):
                let decoded = Result { () throws(DatabaseError) in try box(of: record, key) }
                loads.withLock { loads in
                    let isSame = loads.finish(key)
                    if isSame, case .success(let box) = decoded { boxes.insert(box) }
                }
                return try decoded.get()
            }
        }
    }

    private enum Finding {
        case nothing
        case box(Box<R>)
        case record(StoredRecord)
        /// Not durable yet.
        case early(UInt64)
    }

    private func look(_ key: Key<R>, _ stored: RecordKey, _ watch: DurableWatch?) -> Finding {
        store.read { reader in
            guard let tree = reader.state.tree(name),
                let location = reader.state.location(tree, stored)
            else { return .nothing }
            if watch != nil, let seq = reader.wait(for: location) { return .early(seq) }
            if let box = boxes.object(key, key.spread) { return .box(box) }
            guard let record = StoredRecord(reader, at: location) else { return .nothing }
            loads.withLock { $0.begin() }
            return .record(record)
        }
    }

    /// Records on their way from the log into the cache.
    private struct Loads {
        private var count = 0
        /// Keys that changed since the oldest of them began.
        private var touched: Set<Key<R>> = []
        private var hasTouchedAll = false

        var isEmpty: Bool { count == 0 }

        /// A record is read; `finish` is called once for it.
        mutating func begin() { count += 1 }

        /// A record changed.
        mutating func touch(_ key: Key<R>) { if count > 0 { touched.insert(key) } }

        /// All records changed.
        mutating func touchAll() { hasTouchedAll = count > 0 }

        /// A record came back.
        ///
        /// - Returns: Whether it is still the one that stands.
        mutating func finish(_ key: Key<R>) -> Bool {
            defer {
                if count == 0 { (touched, hasTouchedAll) = ([], false) }
            }
            count -= 1
            return !hasTouchedAll && !touched.contains(key)
        }
    }

    /// Decodes a stored version.
    func box(of record: StoredRecord, _ key: Key<R>) throws(DatabaseError) -> Box<R> {
        let decoded = try decode(record.document, record.facts.schema, record.key)
        let origin = origins.withLock {
            $0.origin(of: record.facts, hasUnknownFields: decoded.hasUnknownFields)
        }
        return Box(
            key: key,
            hash: key.spread,
            content: Version(value: decoded.value, facts: record.facts, origin: origin),
            // An estimate: what is decoded weighs about what was written.
            byteCount: Version<R>.overhead + MemoryLayout<R>.size + record.document.count
        )
    }

    /// Decodes a document.
    func decode(
        _ document: [UInt8],
        _ version: SchemaVersion,
        _ key: RecordKey
    ) throws(DatabaseError) -> (value: R, hasUnknownFields: Bool) {
        let result = document.withView { view in
            Result { () throws(DatabaseError) in
                try schema.decode(view, schema: version, key: key)
            }
        }
        return try result.get()
    }

    /// Encodes a value over what it was made of.
    func encode(
        _ value: R,
        over base: (document: [UInt8], schema: SchemaVersion)?
    ) throws(DatabaseError) -> [UInt8] {
        guard let base else { return try schema.encode(value, over: nil) }
        let result = base.document.withView { view in
            Result { () throws(DatabaseError) in
                try schema.encode(value, over: (view, base.schema))
            }
        }
        return try result.get()
    }

    /// Boxes held and what they weigh, in bytes.
    var usage: (count: Int, byteCount: Int) { boxes.usage }

    /// Lets go of all boxes.
    func empty() { boxes.removeAll() }

    /// The first broken invariant of the boxes in words, or nil.
    func checkBoxes() -> String? { boxes.checkInvariants() }

    // MARK: Steps

    func refresh(_ reader: StoreReader, _ keys: [RecordKey]) {
        steps.wrappingAdd(1, ordering: .releasing)
        loads.withLock { loads in
            if loads.isEmpty, boxes.usage.count == 0 { return }
            for key in keys {
                guard let key = Key<R>(stored: key) else { continue }
                loads.touch(key)
                boxes.remove(key, key.spread)
            }
        }
        views.withLock { views in
            let folds = views.compactMap(\.self)
            if !folds.isEmpty { fold(reader, Set(keys.map(\.id)), into: folds) }
        }
    }

    func refreshAll() {
        steps.wrappingAdd(1, ordering: .releasing)
        loads.withLock { loads in
            loads.touchAll()
            boxes.removeAll()
        }
        // They are folded anew when they are asked for.
        views.withLock { views in
            for place in views.indices { views[place] = nil }
        }
    }

    /// How many entries of the engine's index are looked at under one lock.
    static var pageEntryCount: Int { 256 }
}
