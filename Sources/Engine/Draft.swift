// A change while it is decided: the state as it would stand after the operations so far.
//
// Invariants: at most one effect per key; `marks[n]` tells of `effects[n]`; the state itself is
// never touched.
internal import HoldfastBasics
internal import HoldfastRecords

/// What a record is at a point of a change.
enum Standing {
    /// There never was one.
    case absent
    /// It was deleted by the effect there, or by this change.
    case deleted(Location?)
    /// It stands.
    case live(LiveRecord)
}

/// The facts of a live record that rules ask for.
struct LiveRecord {
    var state: RecordState
    var schema: SchemaVersion
    var created: Stamp
    /// Seq of its version, 0 when this change made it.
    var seq: UInt64
    /// Change of its version.
    var changeID: UniqueID
    /// Where its version lies; nil when this change made or changed it.
    var location: Location?
    /// Its value when this change made or changed it.
    var value: [UInt8]?
}

/// The effects of a change so far.
struct Draft {
    struct Slot: Hashable {
        let tree: ObjectIdentifier
        let key: RecordKey
    }

    /// Whose effects they are: a tree, and the tree its records are about.
    struct Owner {
        let tree: TreeState
        let subject: TreeState?
    }

    /// What is known of an effect beside itself; the owner is the number of one of `owners`.
    struct Mark {
        let owner: Int
        var operation: Int
        /// A record made and unmade by this very change leaves no effect.
        var isVoid = false
    }

    let state: EngineState
    let change: Change
    let context: DecisionContext
    /// Commit time.
    let at: Int64
    /// When and by whom the commit is made.
    let stamp: Stamp
    var operation = 0
    private(set) var effects: [Effect] = []
    private(set) var marks: [Mark] = []
    private(set) var owners: [Owner] = []
    private var slots = DraftSlots()
    var lines: [Slot: [UniqueID]] = [:]
    var borrows: [UniqueID: BorrowRecord?] = [:]
    var ranges: [RangeRecord] = []
    /// Trees this change declares.
    var declared: [TreeName: TreeState] = [:]
    /// Where the next ids of each tree come from, for callers that give none.
    var sources: [ObjectIdentifier: Range<UInt64>] = [:]
    /// The tree that needed one last, and where its ids go on: most often also the next one's.
    var recentSource: (tree: ObjectIdentifier, ids: Range<UInt64>)?
    var results: [OperationResult] = []

    init(state: EngineState, change: Change, context: DecisionContext) {
        self.state = state
        self.change = change
        self.context = context
        at = max(state.lastTime, context.now)
        stamp = Stamp(at: at, user: context.caller.user, device: context.caller.device)
        // Most operations lead to one effect.
        effects.reserveCapacity(change.operations.count)
        marks.reserveCapacity(change.operations.count)
        results.reserveCapacity(change.operations.count)
    }

    /// Seq of the commit this would become.
    var seq: UInt64 { state.head + 1 }

    var caller: Caller { context.caller }

    // MARK: Looking up

    /// The application's tree of a name.
    func tree(_ name: TreeName) throws(Refused) -> TreeState {
        if let tree = lookup(name), !tree.isSystem { return tree }
        guard !name.isSystem else {
            throw Refused(.systemTree, "Tree \(name) is the system's; use its own routes.")
        }
        throw unknownTree(name)
    }

    /// There is no such tree, or none the caller may know of.
    func unknownTree(_ name: TreeName) -> Refused {
        Refused(
            .unknownTree,
            "There is no tree \(name). Declare it with PUT /v1/trees/\(name)."
        )
    }

    /// A tree that stands, or that this change declares.
    func lookup(_ name: TreeName) -> TreeState? {
        guard !declared.isEmpty, let tree = declared[name] else { return state.tree(name) }
        return tree
    }

    /// Whether this change did something to a record, also when it undid it again.
    func hasEffect(_ tree: TreeState, _ key: RecordKey) -> Bool {
        effect(on: tree, key) != nil
    }

    /// The number of this change's effect on a record; nil when there is none.
    private func effect(on tree: TreeState, _ key: RecordKey) -> Int? {
        if marks.isEmpty { return nil }
        return slots.find(tree, key, self)
    }

    /// Whether one of this change's effects is on a record.
    func effect(_ index: Int, isOn tree: TreeState, _ key: RecordKey) -> Bool {
        owners[marks[index].owner].tree === tree && effects[index].key == key
    }

    func standing(_ tree: TreeState, _ key: RecordKey) -> Standing {
        if let index = effect(on: tree, key) {
            guard let image = effects[index].image else {
                return marks[index].isVoid ? .absent : .deleted(nil)
            }
            return .live(
                LiveRecord(
                    state: image.state,
                    schema: image.schema,
                    created: image.created,
                    seq: effects[index].previousSeq,
                    changeID: change.id,
                    location: nil,
                    value: image.value
                )
            )
        }
        guard let location = tree.index.location(key) else { return .absent }
        return state.source.withEffect(at: location) { effect, commit in
            guard effect.isSet else { return .deleted(location) }
            return .live(
                LiveRecord(
                    state: effect.state,
                    schema: effect.schema,
                    created: effect.created,
                    seq: commit.seq,
                    changeID: commit.changeID,
                    location: location
                )
            )
        }
    }

    /// The value of a live record, copied.
    func value(of record: LiveRecord) -> [UInt8] {
        if let value = record.value { return value }
        guard let location = record.location else { return [] }
        return state.source.withEffect(at: location) { effect, _ in effect.value.array }
    }

    /// Who removed what stood at a place, and how.
    func ending(at location: Location?) -> Ending? {
        guard let location else {
            return Ending(stamp: stamp, label: nil, reason: change.why)
        }
        return state.source.withEffect(at: location) { Ending($0, of: $1) }
    }

    // MARK: Effects

    /// Sets the first revision of a record whose id nothing has ever borne, nor this change.
    mutating func recordNew(_ tree: TreeState, _ key: RecordKey, _ image: PostImage) {
        slots.append(tree, made: key, effect: effects.count)
        effects.append(Effect(key: key, label: .create, previousSeq: 0, image: image))
        marks.append(Mark(owner: owner(tree, nil), operation: operation))
    }

    /// Sets or removes a record.
    mutating func record(
        _ tree: TreeState,
        subject: TreeState? = nil,
        _ key: RecordKey,
        _ label: Label,
        _ image: PostImage?
    ) {
        if let index = effect(on: tree, key) {
            effects[index].image = image
            marks[index].operation = operation
            // What this change made stays its making, whatever else it does to it.
            let isNew = effects[index].previousSeq == 0
            if !isNew || image == nil { effects[index].label = label }
            marks[index].isVoid = isNew && image == nil && tree.name.isSystem
            return
        }
        var previousSeq: UInt64 = 0
        if let location = tree.index.location(key) {
            previousSeq = state.source.withEffect(at: location) { $1.seq }
        }
        slots.append(tree, key, effect: effects.count)
        effects.append(Effect(key: key, label: label, previousSeq: previousSeq, image: image))
        marks.append(Mark(owner: owner(tree, subject), operation: operation))
    }

    /// The number of an owner, which is added when it is new.
    private mutating func owner(_ tree: TreeState, _ subject: TreeState?) -> Int {
        // Most often that of the effect before.
        if let last = marks.last?.owner, owners[last].tree === tree,
            owners[last].subject === subject
        {
            return last
        }
        if let known = owners.firstIndex(where: { $0.tree === tree && $0.subject === subject }) {
            return known
        }
        owners.append(Owner(tree: tree, subject: subject))
        return owners.count - 1
    }

    /// A record of a system tree.
    mutating func system(
        _ name: TreeName,
        about subject: TreeState?,
        _ key: RecordKey,
        _ label: Label,
        _ value: [UInt8]?
    ) {
        guard let tree = state.tree(name) else { return }
        var created = stamp
        if case .live(let record) = standing(tree, key) { created = record.created }
        let image = value.map {
            PostImage(state: .plain, schema: .none, created: created, value: $0)
        }
        record(tree, subject: subject, key, label, image)
    }

    // MARK: Commit

    /// The commit of everything so far; nil when nothing happened.
    func commit() -> Commit? {
        let blocks = blocks()
        guard !blocks.isEmpty else { return nil }
        let hasDetails = !caller.app.isEmpty || !change.why.isEmpty
        return Commit(
            seq: seq,
            epochIndex: UInt32(state.epochIndex(of: seq)),
            at: at,
            madeAt: change.madeAt,
            changeID: change.id,
            jobID: change.jobID,
            digest: change.digest,
            deviceSeq: change.deviceSeq,
            user: caller.user,
            device: caller.device,
            app: caller.app,
            why: change.why,
            detailsSalt: hasDetails ? salt() : .zero,
            blocks: blocks
        )
    }

    /// The effects by tree, in the order in which the trees were first touched.
    private func blocks() -> [Block] {
        guard let first = owners.first else { return [] }
        let hasVoid = marks.contains(where: \.isVoid)
        // Most changes are about one tree: their effects are its block, and no effect is copied.
        if owners.count == 1, !hasVoid {
            return [Block(name: first.block, salt: salt(), effects: effects)]
        }
        var blocks: [Block] = []
        // A tree that this change declares anew is another object of the same name.
        var blockOf: [BlockName: Int] = [:]
        var blockOfOwner = [Int?](repeating: nil, count: owners.count)
        for place in marks.indices where !marks[place].isVoid {
            let owner = marks[place].owner
            if let index = blockOfOwner[owner] {
                blocks[index].effects.append(effects[place])
                continue
            }
            let name = owners[owner].block
            let index = blockOf[name] ?? blocks.count
            if index == blocks.count {
                blockOf[name] = index
                blocks.append(Block(name: name, salt: salt(), effects: []))
            }
            blockOfOwner[owner] = index
            blocks[index].effects.append(effects[place])
        }
        return blocks
    }

    private func salt() -> Hash128 {
        Hash128(high: context.random.next(), low: context.random.next())
    }
}

extension Draft.Owner {
    /// The block its effects go into.
    var block: BlockName { BlockName(tree: tree.name, subject: subject?.name) }
}
