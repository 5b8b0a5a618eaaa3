// The rules of put, patch and delete.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

extension Draft {
    mutating func put(_ write: WriteOperation) throws(Refused) {
        let tree = try tree(write.tree)
        try checkSize(write.value)
        guard let key = write.key, write.expects != .absent else {
            try create(tree, write)
            return
        }
        guard write.hold == nil else {
            throw Refused(
                .badBody,
                "hold keeps a record that is made; one that stands is borrowed by itself.",
                field: "hold"
            )
        }
        try checkKey(tree, key)
        try checkIsConditional(write.expects, write.borrow)
        let record = try existing(tree, key)
        try checkReplace(tree, key, record, write.expects, write.borrow)
        try replace(tree, key, record, write, .put, value: write.value)
    }

    mutating func patch(_ write: WriteOperation) throws(Refused) {
        let tree = try tree(write.tree)
        guard let key = write.key else {
            throw Refused(.badKey, "A patch must name the record it changes.")
        }
        try checkKey(tree, key)
        try checkIsConditional(write.expects, write.borrow)
        let record = try existing(tree, key)
        try checkReplace(tree, key, record, write.expects, write.borrow)
        let merged: [UInt8]
        do {
            merged = try value(of: record).withView { base in
                try write.value.withView { try JSONMergePatch.apply(patch: $0, to: base) }
            }
        } catch {
            throw Refused(.badJSON, "The patch cannot be merged: \(error).")
        }
        try checkSize(merged)
        try replace(tree, key, record, write, .patch, value: merged)
    }

    mutating func delete(_ target: RecordOperation) throws(Refused) {
        let tree = try tree(target.tree)
        try checkKey(tree, target.key)
        try checkIsConditional(target.expects, target.borrow)
        let record = try existing(tree, target.key)
        try checkReplace(tree, target.key, record, target.expects, target.borrow)
        self.record(tree, target.key, .delete, nil)
        for id in line(tree, target.key) { removeBorrow(id, of: tree, .end) }
        setLine(tree, target.key, [])
        results.append(.deleted(tree.name, target.key))
    }

    private mutating func replace(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ write: WriteOperation,
        _ label: Label,
        value: [UInt8]
    ) throws(Refused) {
        let schema = try checkValue(tree, value, write.schema)
        let image = PostImage(
            state: record.state,
            schema: schema,
            created: record.created,
            value: value
        )
        self.record(tree, key, label, image)
        results.append(.changed(tree.name, key))
    }

    // MARK: Creating

    private mutating func create(_ tree: TreeState, _ write: WriteOperation) throws(Refused) {
        if let expects = write.expects, expects != .absent {
            throw Refused(.badKey, "A record that is expected to stand must be named by its key.")
        }
        guard write.borrow == nil else {
            throw Refused(
                .badBody,
                "A record that does not stand is under no borrow; hold keeps the new one.",
                field: "borrow"
            )
        }
        let key: RecordKey
        if let given = write.key {
            key = given
            try checkKey(tree, key)
            guard key.revision == 0 else {
                throw Refused(.badKey, "Records begin at revision 0; revise makes the next ones.")
            }
            try checkMayCreate(tree, key)
        } else {
            key = try newKey(tree)
        }
        let schema = try checkValue(tree, write.value, write.schema)
        let image = PostImage(
            state: tree.declaration.isVersioned ? .draft(0) : .plain,
            schema: schema,
            created: stamp,
            value: write.value
        )
        if write.key == nil, case .number(let id) = key.id {
            recordNew(tree, id, image)
        } else {
            record(tree, key, .create, image)
        }
        if let hold = write.hold { try take(hold, of: tree, key) }
        results.append(.created(tree.name, key))
    }

    private func checkMayCreate(_ tree: TreeState, _ key: RecordKey) throws(Refused) {
        if case .live(let record) = standing(tree, key) {
            throw Refused(
                .exists,
                "Record \(key.id.text) exists. Read it, and write with its version.",
                current: record.location.map { RecordReference(tree: tree.name, location: $0) }
            )
        }
        guard case .number(let number) = key.id else {
            var stands = false
            tree.index.forEachRevision(of: key.id) { revision, _ in
                if case .live = standing(tree, RecordKey(key.id, revision: revision)) {
                    stands = true
                }
                return !stands
            }
            guard !stands else {
                throw Refused(.exists, "Other revisions of \(key.id.text) exist. Revise one.")
            }
            return
        }
        let range = range(tree, of: number)
        // Ids that a restore took from those they were given to are open to whoever has them still.
        let isMine = range?.device == caller.device || range?.device == RangeRecord.lostDevice
        guard isMine else {
            throw Refused(
                .outsideRange,
                "Id \(number) lies in no range of device \(caller.device). Ask for a range with "
                    + "POST /v1/ranges, or POST the record and let the server choose its id."
            )
        }
        guard !tree.isUsed(number), !isMadeHere(tree, key) else {
            throw Refused(.idTaken, "Id \(number) was used before. Ids are never used again.")
        }
    }

    private func isMadeHere(_ tree: TreeState, _ key: RecordKey) -> Bool {
        if case .absent = standing(tree, key) { return false }
        return true
    }

    /// The next id of the server's own range, for callers that give none.
    private mutating func newKey(_ tree: TreeState) throws(Refused) -> RecordKey {
        guard tree.declaration.keys == .id else {
            throw Refused(
                .badKey,
                "Records of \(tree.name) have names. PUT the record by its name."
            )
        }
        if let id = nextID(tree) { return RecordKey(number: id) }
        let device = Caller.system.device
        // The newest first: it is the one that is not used up.
        for range in ranges.reversed() where range.tree == tree.name && range.device == device {
            if let key = unusedKey(tree, range) { return key }
        }
        for range in tree.ranges.ranges.reversed() where range.device == device {
            if let key = unusedKey(tree, range) { return key }
        }
        let range = try addRange(
            tree,
            id: .version7(milliseconds: context.now, random: context.random),
            device: device,
            count: Limits.serverRangeCount
        )
        goOn(tree, with: range.first + 1..<range.end)
        return RecordKey(number: range.first)
    }

    /// The id after the last one that was made, of the same range; nil when that is used.
    private mutating func nextID(_ tree: TreeState) -> UInt64? {
        guard let recent = recentSource, recent.tree == ObjectIdentifier(tree),
            let id = recent.ids.first, !tree.isUsed(id), !hasEffect(tree, RecordKey(number: id))
        else { return nil }
        recentSource = (recent.tree, id + 1..<recent.ids.upperBound)
        return id
    }

    /// From now on the ids of a tree come from here.
    private mutating func goOn(_ tree: TreeState, with ids: Range<UInt64>) {
        if let recent = recentSource { sources[recent.tree] = recent.ids }
        recentSource = (ObjectIdentifier(tree), ids)
    }

    /// The next id of a range that was never used; nil when it is used up.
    private mutating func unusedKey(_ tree: TreeState, _ range: RangeRecord) -> RecordKey? {
        var id = max(range.first, nextFree(tree))
        while id < range.end, tree.isUsed(id) || isMadeHere(tree, RecordKey(number: id)) {
            id = max(id + 1, tree.usedIDs.nextAbsent(from: id + 1))
        }
        guard id < range.end else { return nil }
        goOn(tree, with: id + 1..<range.end)
        return RecordKey(number: id)
    }

    private func nextFree(_ tree: TreeState) -> UInt64 {
        let id = ObjectIdentifier(tree)
        if let recent = recentSource, recent.tree == id { return recent.ids.lowerBound }
        return sources[id]?.lowerBound ?? 0
    }

    // MARK: Checks

    func checkSize(_ value: [UInt8]) throws(Refused) {
        guard value.count <= Limits.valueByteCountMax else {
            throw Refused(
                .tooLarge,
                "A value may have \(Limits.valueByteCountMax) bytes; this one has \(value.count)."
            )
        }
    }

    func checkKey(_ tree: TreeState, _ key: RecordKey) throws(Refused) {
        guard key.id.kind == tree.declaration.keys else {
            let kind = tree.declaration.keys == .id ? "numbers" : "names"
            throw Refused(.badKey, "Keys of tree \(tree.name) are \(kind).")
        }
        if case .number(let number) = key.id, !(1...Limits.numberMax).contains(number) {
            throw Refused(.badKey, "Ids run from 1 to \(Limits.numberMax).")
        }
        guard tree.declaration.isVersioned || key.revision == 0 else {
            throw Refused(.badKey, "Tree \(tree.name) is not versioned; its revision is always 0.")
        }
    }

    /// The live record of a key.
    func existing(_ tree: TreeState, _ key: RecordKey) throws(Refused) -> LiveRecord {
        switch standing(tree, key) {
        case .live(let record): return record
        case .absent:
            throw Refused(.notFound, "There is no record \(key.id.text) in \(tree.name).")
        case .deleted(let location):
            throw Refused(
                .deleted,
                "Record \(key.id.text) of \(tree.name) was deleted.",
                ended: ending(at: location)
            )
        }
    }

    /// What every change of a live record's value must fulfil.
    mutating func checkReplace(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(Refused) {
        guard !record.state.isReleased else {
            throw Refused(
                .released,
                "Record \(key) is released and never changes. Revise it to go on.",
                current: reference(tree, record)
            )
        }
        try checkTurn(tree, key, record, expects, borrow)
    }

    /// A change of what stands names what it saw, or its borrow; asked before what stands is told.
    func checkIsConditional(
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(Refused) {
        guard expects != nil || borrow != nil else {
            throw Refused(
                .preconditionRequired,
                "Name the version you read (If-Match, expects) or your borrow, so that nobody's "
                    + "work is overwritten."
            )
        }
    }

    /// The version or the borrow under which a record may be changed.
    mutating func checkTurn(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(Refused) {
        if let borrow {
            try checkHolds(tree, key, borrow)
        } else if let holder = self.holder(tree, key) {
            throw Refused(
                .borrowed,
                "Record \(key) is borrowed by \(holder.user) on \(holder.device). Borrow it, or "
                    + "wait in line.",
                borrow: facts(holder, of: tree),
                current: reference(tree, record)
            )
        }
        try checkExpectation(tree, key, record, expects)
    }

    private func checkExpectation(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ expects: Expectation?
    ) throws(Refused) {
        let holds: Bool
        switch expects {
        case nil: holds = true
        case .absent: holds = false
        case .version(let version): holds = version == state.position(of: record.seq)
        case .change(let id): holds = id == record.changeID
        }
        guard holds else {
            throw Refused(
                .stale,
                "Record \(key) changed since you read it. Read it again and repeat your change.",
                current: reference(tree, record)
            )
        }
    }

    func reference(_ tree: TreeState, _ record: LiveRecord) -> RecordReference? {
        record.location.map { RecordReference(tree: tree.name, location: $0) }
    }

    /// Checks a value against the schema version it names and gives that version.
    private func checkValue(
        _ tree: TreeState,
        _ value: [UInt8],
        _ schema: SchemaVersion?
    ) throws(Refused) -> SchemaVersion {
        let validator = tree.validator
        if validator.takesAnything(writtenWith: schema) { return .none }
        let refusal = value.withView { validator.validate($0, writtenWith: schema) }
        if let refusal { throw Refused(refusal) }
        return schema ?? validator.current ?? .none
    }
}
