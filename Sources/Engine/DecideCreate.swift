// The rules of making records, and where their ids come from.
internal import HoldfastBasics
internal import HoldfastRecords

extension Draft {
    mutating func create(_ tree: TreeState, _ write: WriteOperation) throws(Refused) {
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
        var isNew = true
        if let given = write.key {
            key = given
            try checkKey(tree, key)
            guard key.revision == 0 else {
                throw Refused(.badKey, "Records begin at revision 0; revise makes the next ones.")
            }
            isNew = isNewID(tree, key)
            try checkMayCreate(tree, key, isNew: isNew)
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
        if isNew {
            recordNew(tree, key, image)
        } else {
            record(tree, key, .create, image)
        }
        if let hold = write.hold { try take(hold, of: tree, key) }
        results.append(.created(tree.name, key))
    }

    /// Whether nothing has ever borne the id of a key, nor does this change do anything to it.
    private func isNewID(_ tree: TreeState, _ key: RecordKey) -> Bool {
        guard !hasEffect(tree, key) else { return false }
        if case .number(let number) = key.id { return !tree.isUsed(number) }
        return !tree.index.holds(key.id)
    }

    private func checkMayCreate(
        _ tree: TreeState,
        _ key: RecordKey,
        isNew: Bool
    ) throws(Refused) {
        if !isNew { try checkIsFree(tree, key) }
        guard case .number(let number) = key.id else { return }
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
        guard isNew || !tree.isUsed(number) && !isMadeHere(tree, key) else {
            throw Refused(.idTaken, "Id \(number) was used before. Ids are never used again.")
        }
    }

    /// Whether no record stands under the id of a key, which was borne before.
    private func checkIsFree(_ tree: TreeState, _ key: RecordKey) throws(Refused) {
        if case .live(let record) = standing(tree, key) {
            throw Refused(
                .exists,
                "Record \(key.id.text) exists. Read it, and write with its version.",
                current: record.location.map { RecordReference(tree: tree.name, location: $0) }
            )
        }
        guard case .name = key.id else { return }
        var stands = false
        tree.index.forEachRevision(of: key.id) { revision, _ in
            if case .live = standing(tree, RecordKey(key.id, revision: revision)) { stands = true }
            return !stands
        }
        guard !stands else {
            throw Refused(.exists, "Other revisions of \(key.id.text) exist. Revise one.")
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
}
