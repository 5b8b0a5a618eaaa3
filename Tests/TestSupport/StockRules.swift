// How the model answers a change.
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastEngine

extension StockModel {
    /// A change on its way through the model.
    struct Trial {
        var model: StockModel
        let change: Change
        let caller: Caller
        let now: Int64
        /// Results of the store, one per operation; empty when it refused.
        let results: [OperationResult]
        var operation = 0
        var touched: Set<Slot> = []
    }

    struct No: Error {
        let code: RefusalCode
        init(_ code: RefusalCode) { self.code = code }
    }

    /// What the model says to a change.
    public enum Answer: Equatable, Sendable {
        /// It is accepted, and this stands afterwards.
        case accepted(StockModel)
        /// It changes nothing.
        case unchanged
        /// It is refused.
        case refused(RefusalCode)
    }

    /// Decides a change.
    ///
    /// - Parameters:
    ///   - change: What is proposed.
    ///   - caller: Who proposes it.
    ///   - now: The clock.
    ///   - seq: Seq of the commit it would become.
    ///   - results: What the store answered, for the ids it chose; empty when it refused.
    /// - Returns: The answer.
    /// - Throws: `Disagreement` when the store chose an id that may not be chosen.
    public func decide(
        _ change: Change,
        by caller: Caller,
        now: Int64,
        seq: UInt64,
        results: [OperationResult]
    ) throws -> Answer {
        var trial = Trial(
            model: self,
            change: change,
            caller: caller,
            now: now,
            results: results
        )
        do {
            for operation in change.operations {
                try trial.perform(operation)
                trial.operation += 1
            }
            try trial.checkUnique()
        } catch let no as No {
            return .refused(no.code)
        }
        // A borrow taken and given back by one change never was.
        for id in trial.model.ended.keys where ended[id] == nil {
            trial.model.ended[id] = taker(id) == nil ? nil : seq
        }
        let isNothing =
            trial.touched.isEmpty && trial.model.lines == lines && trial.model.ranges == ranges
        if isNothing { return .unchanged }
        for slot in trial.touched {
            trial.model.records[slot]?.version = seq
            trial.model.records[slot]?.change = change.id
            if trial.model.removed[slot] != nil { trial.model.removed[slot] = seq }
        }
        return .accepted(trial.model)
    }

    /// Lets grants lapse that nobody confirmed.
    ///
    /// - Parameters:
    ///   - now: The clock.
    ///   - seq: Seq of the commit that does it.
    /// - Returns: Whether any did.
    public mutating func lapse(now: Int64, seq: UInt64) -> Bool {
        let due = lines.filter { _, line in
            line.first.map { $0.state == .granted && $0.grantedAt + 120_000 <= now } ?? false
        }
        for (slot, line) in due {
            end(line[0].id, in: slot, now: now)
            ended[line[0].id] = seq
        }
        return !due.isEmpty
    }

    mutating func end(_ id: UniqueID, in slot: Slot, now: Int64) {
        guard var line = lines[slot] else { return }
        let wasFirst = line.first?.id == id
        line.removeAll { $0.id == id }
        ended[id] = 0
        if wasFirst, !line.isEmpty {
            line[0].state = .granted
            line[0].grantedAt = now
        }
        lines[slot] = line.isEmpty ? nil : line
    }

    func taker(_ id: UniqueID) -> (slot: Slot, taker: Taker)? {
        for (slot, line) in lines {
            if let taker = line.first(where: { $0.id == id }) { return (slot, taker) }
        }
        return nil
    }
}

extension StockModel.Trial {
    typealias Slot = StockModel.Slot
    typealias No = StockModel.No

    mutating func perform(_ step: HoldfastRecords.Operation) throws {
        switch step {
        case .put(let write) where write.key == nil || write.expects == .absent:
            try create(write)
        case .put(let write): try replace(write) { _ in Part(json: write.value) }
        case .patch(let write): try replace(write) { $0.merged(with: Part(json: write.value)) }
        case .delete(let target): try delete(target)
        case .release(let target, let number): try release(target, number)
        case .setState(let target, let state): try setState(target, state)
        case .revise(let tree, let key, let hold): try revise(Slot(tree: tree, key: key), hold)
        case .borrow(let taking): try borrow(taking)
        case .return(let id): try giveBack(id, isQueued: false)
        case .cancel(let id): try giveBack(id, isQueued: true)
        case .recall(let id, _): try recall(id)
        case .seize(let id): try seize(id)
        case .setHolder(let id, let user, let device): try setHolder(id, user, device)
        case .reserve(let tree, _, let count): try reserve(tree, count)
        case .defineTree: throw Disagreement("the model declares no trees")
        }
    }

    // MARK: Writing

    private func checkKey(_ slot: Slot) throws(No) {
        guard slot.key.id.kind == (slot.tree == StockModel.footprints ? .name : .id),
            slot.tree == StockModel.parts || slot.key.revision == 0
        else { throw No(.badKey) }
    }

    private func existing(_ slot: Slot) throws(No) -> StockModel.Record {
        try checkKey(slot)
        if let record = model.records[slot] { return record }
        throw No(model.removed[slot] == nil ? .notFound : .deleted)
    }

    private func check(_ part: Part, in tree: TreeName) throws(No) {
        if tree == StockModel.parts, part.hasOddStock || part.number == nil {
            throw No(.invalidField)
        }
    }

    private mutating func create(_ write: WriteOperation) throws {
        if write.borrow != nil { throw No(.badBody) }
        let slot = Slot(tree: write.tree, key: try write.key ?? chosen(write.tree))
        if write.key != nil { try checkMayCreate(slot) }
        let part = Part(json: write.value)
        try check(part, in: slot.tree)
        model.records[slot] = StockModel.Record(
            part: part,
            state: slot.tree == StockModel.parts ? .draft(0) : .plain,
            version: model.removed.removeValue(forKey: slot) ?? 0,
            change: change.id
        )
        if case .number(let number) = slot.key.id {
            model.used[slot.tree, default: []].insert(number)
        }
        touched.insert(slot)
        if let hold = write.hold { try take(hold, slot, .held) }
    }

    private func checkMayCreate(_ slot: Slot) throws(No) {
        guard slot.key.revision == 0 else { throw No(.badKey) }
        if model.records[slot] != nil { throw No(.exists) }
        guard case .number(let number) = slot.key.id else { return }
        let range = model.ranges[slot.tree]?.first { $0.ids.contains(number) }
        guard range?.device == caller.device else { throw No(.outsideRange) }
        if model.used[slot.tree]?.contains(number) == true { throw No(.idTaken) }
    }

    /// The id the store chose; any free one when it refused the change.
    private func chosen(_ tree: TreeName) throws -> RecordKey {
        if tree == StockModel.footprints { throw No(.badKey) }
        guard !results.isEmpty else { return RecordKey(number: 1 << 50 + UInt64(operation)) }
        guard results.indices.contains(operation),
            case .created(tree, let key) = results[operation], case .number(let number) = key.id
        else { throw Disagreement("no id of \(tree) among the results \(results)") }
        if model.used[tree]?.contains(number) == true {
            throw Disagreement("the store chose id \(number) of \(tree) again")
        }
        if model.ranges[tree]?.contains(where: { $0.ids.contains(number) }) == true {
            throw Disagreement("the store chose id \(number) of \(tree) in a device's range")
        }
        return key
    }

    private mutating func replace(
        _ write: WriteOperation,
        _ value: (Part) -> Part
    ) throws(No) {
        guard let key = write.key else { throw No(.badKey) }
        let slot = Slot(tree: write.tree, key: key)
        if write.hold != nil { throw No(.badBody) }
        try checkKey(slot)
        if write.expects == nil, write.borrow == nil { throw No(.preconditionRequired) }
        let record = try existing(slot)
        try checkReplace(slot, record, write.expects, write.borrow)
        let part = value(record.part)
        try check(part, in: slot.tree)
        model.records[slot]?.part = part
        model.records[slot]?.change = change.id
        touched.insert(slot)
    }

    private mutating func delete(_ target: RecordOperation) throws(No) {
        let slot = Slot(tree: target.tree, key: target.key)
        try checkIsConditional(slot, target)
        let record = try existing(slot)
        try checkReplace(slot, record, target.expects, target.borrow)
        model.records[slot] = nil
        model.removed[slot] = record.version
        for taker in model.lines.removeValue(forKey: slot) ?? [] { model.ended[taker.id] = 0 }
        touched.insert(slot)
    }

    // MARK: Lifecycle

    private mutating func release(_ target: RecordOperation, _ number: UInt32) throws(No) {
        let slot = Slot(tree: target.tree, key: target.key)
        guard slot.tree == StockModel.parts else { throw No(.badState) }
        try checkIsConditional(slot, target)
        let record = try existing(slot)
        try checkReplace(slot, record, target.expects, target.borrow)
        model.records[slot]?.state = .released(number)
        model.records[slot]?.change = change.id
        touched.insert(slot)
    }

    private mutating func setState(_ target: RecordOperation, _ next: RecordState) throws(No) {
        let slot = Slot(tree: target.tree, key: target.key)
        guard slot.tree == StockModel.parts else { throw No(.badState) }
        try checkIsConditional(slot, target)
        let record = try existing(slot)
        try checkTurn(slot, record, target.expects, target.borrow)
        guard record.state.isReleased == next.isReleased, next != .plain else {
            throw No(.badState)
        }
        model.records[slot]?.state = next
        model.records[slot]?.change = change.id
        touched.insert(slot)
    }

    private mutating func revise(_ slot: Slot, _ hold: UniqueID?) throws(No) {
        guard slot.tree == StockModel.parts else { throw No(.badState) }
        let record = try existing(slot)
        guard record.state.isReleased else { throw No(.notReleased) }
        func isRevision(_ other: Slot) -> Bool {
            other.tree == slot.tree && other.key.id == slot.key.id
        }
        let standing = model.records.keys.filter(isRevision).map(\.key.revision)
        let latest = Slot(
            tree: slot.tree,
            key: RecordKey(slot.key.id, revision: standing.max() ?? 0)
        )
        guard model.records[latest]?.state.isReleased == true else { throw No(.notReleased) }
        let next = Slot(
            tree: slot.tree,
            key: RecordKey(slot.key.id, revision: model.highest[slot.key.id, default: 0] + 1)
        )
        model.highest[slot.key.id] = next.key.revision
        model.records[next] = StockModel.Record(
            part: record.part,
            state: .draft(0),
            version: 0,
            change: change.id
        )
        touched.insert(next)
        if let hold { try take(hold, next, .held) }
    }

    // MARK: Whose turn it is

    private func checkIsConditional(_ slot: Slot, _ target: RecordOperation) throws(No) {
        try checkKey(slot)
        guard target.expects != nil || target.borrow != nil else {
            throw No(.preconditionRequired)
        }
    }

    private mutating func checkReplace(
        _ slot: Slot,
        _ record: StockModel.Record,
        _ expects: HoldfastRecords.Expectation?,
        _ borrow: UniqueID?
    ) throws(No) {
        if record.state.isReleased { throw No(.released) }
        try checkTurn(slot, record, expects, borrow)
    }

    private mutating func checkTurn(
        _ slot: Slot,
        _ record: StockModel.Record,
        _ expects: HoldfastRecords.Expectation?,
        _ borrow: UniqueID?
    ) throws(No) {
        if let borrow {
            guard let (held, taker) = model.taker(borrow) else { throw gone(borrow) }
            guard held == slot else { throw No(.borrowMismatch) }
            guard taker.isOf(caller), taker.state != .queued else { throw No(.borrowed) }
            confirm(slot)
        } else if model.lines[slot] != nil {
            throw No(.borrowed)
        }
        switch expects {
        case nil: return
        case .absent: throw No(.stale)
        case .version(let version) where version.seq == record.version: return
        case .change(let id) where id == record.change: return
        default: throw No(.stale)
        }
    }

    private func gone(_ borrow: UniqueID) -> No {
        No(model.ended[borrow] != nil ? .borrowEnded : .unknownBorrow)
    }

    // MARK: Borrows and ranges

    private mutating func confirm(_ slot: Slot) {
        guard model.lines[slot]?[0].state == .granted else { return }
        model.lines[slot]?[0].state = .held
    }

    private mutating func take(
        _ id: UniqueID,
        _ slot: Slot,
        _ state: BorrowState
    ) throws(No) {
        if model.taker(id) != nil { throw No(.borrowMismatch) }
        if model.ended[id] != nil { throw No(.borrowEnded) }
        let taker = StockModel.Taker(
            id: id,
            user: caller.user,
            device: caller.device,
            state: state
        )
        model.lines[slot, default: []].append(taker)
    }

    private mutating func borrow(_ taking: BorrowOperation) throws(No) {
        let slot = Slot(tree: taking.tree, key: taking.key)
        _ = try existing(slot)
        if let (held, taker) = model.taker(taking.borrow) {
            guard held == slot, taker.isOf(caller) else { throw No(.borrowMismatch) }
            if taker.state == .granted { confirm(slot) }
            return
        }
        if model.ended[taking.borrow] != nil { throw No(.borrowEnded) }
        let line = model.lines[slot] ?? []
        let queues = taking.queue && change.operations.count == 1
        if !line.isEmpty, !queues || line.contains(where: { $0.isOf(caller) }) {
            throw No(.borrowed)
        }
        try take(taking.borrow, slot, line.isEmpty ? .held : .queued)
    }

    private mutating func giveBack(_ id: UniqueID, isQueued: Bool) throws(No) {
        guard let (slot, taker) = model.taker(id) else { throw gone(id) }
        guard taker.isOf(caller) else { throw No(.borrowed) }
        guard (taker.state == .queued) == isQueued else { throw No(.borrowMismatch) }
        model.end(id, in: slot, now: now)
    }

    private func heldSlot(_ id: UniqueID) throws(No) -> Slot {
        guard let (slot, taker) = model.taker(id) else { throw gone(id) }
        if taker.state == .queued { throw No(.borrowMismatch) }
        return slot
    }

    private mutating func recall(_ id: UniqueID) throws(No) {
        model.lines[try heldSlot(id)]?[0].recallCount += 1
    }

    private mutating func seize(_ id: UniqueID) throws(No) {
        guard let (slot, _) = model.taker(id) else { throw gone(id) }
        if change.why.isEmpty { throw No(.reasonRequired) }
        model.end(id, in: slot, now: now)
    }

    private mutating func setHolder(
        _ id: UniqueID,
        _ user: String,
        _ device: String
    ) throws(No) {
        let slot = try heldSlot(id)
        model.lines[slot]?[0].user = user
        model.lines[slot]?[0].device = device
    }

    private mutating func reserve(_ tree: TreeName, _ count: UInt64) throws {
        if tree == StockModel.footprints { throw No(.badKey) }
        guard !results.isEmpty else { return }
        guard results.indices.contains(operation), case .range(let range) = results[operation],
            range.end - range.first == count, range.device == caller.device
        else { throw Disagreement("no range of \(count) ids among the results \(results)") }
        let ids = range.first..<range.end
        let isTaken = model.ranges[tree]?.contains { $0.ids.overlaps(ids) } ?? false
        if isTaken || model.used[tree]?.contains(where: { ids.contains($0) }) == true {
            throw Disagreement("the range \(ids) of \(tree) was given out already")
        }
        model.ranges[tree, default: []].append(StockModel.Range(device: range.device, ids: ids))
    }

    // MARK: At the end

    /// No number belongs to two ids, whichever way there the change took.
    func checkUnique() throws(No) {
        var owners: [String: RecordID] = [:]
        for (slot, record) in model.records where slot.tree == StockModel.parts {
            guard let number = record.part.number else { continue }
            if let owner = owners[number], owner != slot.key.id { throw No(.unique) }
            owners[number] = slot.key.id
        }
    }
}
