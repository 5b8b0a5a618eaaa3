// The rules of borrows: taking, waiting, confirming, giving back.
internal import HoldfastBasics
internal import HoldfastRecords

extension Draft {
    // MARK: Operations

    mutating func borrow(_ taking: BorrowOperation) throws(Refused) {
        let tree = try tree(taking.tree)
        try checkKey(tree, taking.key)
        var taking = taking
        try checkTerm(&taking)
        try check(note: taking.note)
        _ = try existing(tree, taking.key)
        if let own = try own(taking, of: tree) {
            try confirm(own, taking, of: tree)
            return
        }
        guard let holder = holder(tree, taking.key) else {
            try take(taking, of: tree, .held, .borrow)
            return
        }
        let mine = line(tree, taking.key)
            .compactMap { record($0) }
            .first { $0.user == caller.user }
        if let mine, mine.id != holder.id {
            throw Refused(
                .borrowed,
                "Record \(taking.key) is borrowed by \(holder.user) on \(holder.device), and you "
                    + "wait for it already with borrow \(mine.id).",
                borrow: facts(mine, of: tree)
            )
        }
        // Several records are borrowed all or none, never queued.
        guard taking.queue, change.operations.count == 1, mine == nil else {
            throw Refused(
                .borrowed,
                "Record \(taking.key) is borrowed by \(holder.user) on \(holder.device).",
                borrow: facts(holder, of: tree)
            )
        }
        guard line(tree, taking.key).count <= Limits.borrowLineMax else {
            throw Refused(.lineFull, "\(Limits.borrowLineMax) borrowers wait already.")
        }
        try take(taking, of: tree, .queued, .queue)
    }

    mutating func giveBack(_ id: UniqueID) throws(Refused) {
        let (tree, record) = try callers(id)
        guard record.state != .queued else {
            throw Refused(
                .borrowMismatch,
                "Borrow \(id) waits in line; cancel it to leave.",
                borrow: facts(record, of: tree)
            )
        }
        end(record, of: tree, .return)
        results.append(.ended(id))
    }

    mutating func cancel(_ id: UniqueID) throws(Refused) {
        let (tree, record) = try callers(id)
        guard record.state == .queued else {
            throw Refused(
                .borrowMismatch,
                "Borrow \(id) holds its record; return it.",
                borrow: facts(record, of: tree)
            )
        }
        end(record, of: tree, .cancel)
        results.append(.ended(id))
    }

    // MARK: Taking

    /// A lease has a term, which is the usual one when none is given; nothing else has one.
    private func checkTerm(_ taking: inout BorrowOperation) throws(Refused) {
        guard taking.kind == .leased else {
            guard taking.termSeconds == nil else {
                throw Refused(
                    .badBody,
                    "A held borrow has no term: it ends when it is given back.",
                    field: "termSeconds"
                )
            }
            return
        }
        let term = taking.termSeconds ?? Limits.leaseSecondsDefault
        guard Limits.leaseSeconds.contains(term) else {
            throw Refused(
                .badBody,
                "The term of a lease is \(Limits.leaseSeconds.lowerBound) to "
                    + "\(Limits.leaseSeconds.upperBound) seconds.",
                field: "termSeconds"
            )
        }
        taking.termSeconds = term
    }

    /// The borrow a created or revised record leaves its maker with.
    mutating func take(_ id: UniqueID, of tree: TreeState, _ key: RecordKey) throws(Refused) {
        guard try own(BorrowOperation(tree: tree.name, key: key, borrow: id), of: tree) == nil
        else { throw Refused(.borrowMismatch, "Borrow \(id) exists already. Choose a new id.") }
        let taking = BorrowOperation(tree: tree.name, key: key, borrow: id)
        insert(
            BorrowRecord(taking, state: .held, order: seq, caller: caller, at: at),
            .borrow,
            tree
        )
    }

    private mutating func take(
        _ taking: BorrowOperation,
        of tree: TreeState,
        _ standing: BorrowState,
        _ label: Label
    ) throws(Refused) {
        let record = BorrowRecord(taking, state: standing, order: seq, caller: caller, at: at)
        insert(record, label, tree)
        let place = line(tree, taking.key).count - 1
        results.append(.borrow(record, place: place))
    }

    /// The caller's borrow of this id, when it stands already.
    private func own(
        _ taking: BorrowOperation,
        of tree: TreeState
    ) throws(Refused) -> BorrowRecord? {
        guard let record = record(taking.borrow) else {
            if let refusal = ended(taking.borrow) { throw Refused(refusal) }
            if isHidden(taking.borrow) { throw another(taking.borrow) }
            return nil
        }
        guard record.tree == tree.name, record.key == taking.key, isCallers(record) else {
            throw another(taking.borrow)
        }
        return record
    }

    private func another(_ id: UniqueID) -> Refused {
        Refused(.borrowMismatch, "Borrow \(id) is another one. Choose a new id.")
    }

    /// Taking again: a grant becomes held, what is held or queued stays; note and due date are as
    /// they are said now.
    private mutating func confirm(
        _ old: BorrowRecord,
        _ taking: BorrowOperation,
        of tree: TreeState
    ) throws(Refused) {
        guard old.kind == taking.kind else {
            throw Refused(
                .borrowMismatch,
                "Borrow \(old.id) is \(old.kind.rawValue). Give it back to take another.",
                borrow: facts(old, of: tree)
            )
        }
        var record = old
        if record.state == .granted { record.state = .held }
        (record.note, record.dueAt) = (taking.note, taking.dueAt)
        record.termSeconds = taking.termSeconds
        if record != old { insert(record, .confirm, tree) }
        let place = line(tree, record.key).firstIndex(of: record.id) ?? 0
        results.append(.borrow(record, place: place))
    }

    // MARK: Writing under a borrow

    /// A write's borrow must stand, be of that record, and be the caller's turn.
    mutating func checkHolds(
        _ tree: TreeState,
        _ key: RecordKey,
        _ id: UniqueID
    ) throws(Refused) {
        guard var record = record(id) else {
            throw Refused(ended(id) ?? unknown(id))
        }
        guard record.tree == tree.name, record.key == key else {
            throw Refused(.borrowMismatch, "Borrow \(id) is of \(record.tree) \(record.key).")
        }
        guard isCallers(record), record.state != .queued else {
            throw Refused(
                .borrowed,
                "Borrow \(id) does not hold the record for \(caller.user) on \(caller.device).",
                borrow: (holder(tree, key)).map { facts($0, of: tree) }
            )
        }
        guard record.state == .granted else { return }
        record.state = .held
        insert(record, .confirm, tree)
    }

    // MARK: Ending

    /// Ends a borrow and serves the next in line.
    mutating func end(_ record: BorrowRecord, of tree: TreeState, _ label: Label) {
        removeBorrow(record.id, of: tree, label)
        var line = line(tree, record.key)
        let wasFirst = line.first == record.id
        line.removeAll { $0 == record.id }
        setLine(tree, record.key, line)
        guard wasFirst, let next = line.first, var served = self.record(next) else { return }
        served.state = .granted
        served.grantedAt = at
        insert(served, .grant, tree)
    }

    mutating func removeBorrow(_ id: UniqueID, of tree: TreeState, _ label: Label) {
        borrows[id] = .some(nil)
        system(.borrows, about: tree, RecordKey(id), label, nil)
    }

    mutating func insert(_ record: BorrowRecord, _ label: Label, _ tree: TreeState) {
        borrows[record.id] = .some(record)
        var line = line(tree, record.key)
        if !line.contains(record.id) {
            line.append(record.id)
            setLine(tree, record.key, line)
        }
        system(.borrows, about: tree, RecordKey(record.id), label, record.json)
    }

    // MARK: Looking up

    func line(_ tree: TreeState, _ key: RecordKey) -> [UniqueID] {
        lines[Slot(tree: ObjectIdentifier(tree), key: key)] ?? tree.line(of: key)
    }

    mutating func setLine(_ tree: TreeState, _ key: RecordKey, _ line: [UniqueID]) {
        lines[Slot(tree: ObjectIdentifier(tree), key: key)] = line
    }

    func record(_ id: UniqueID) -> BorrowRecord? {
        if let mine = borrows[id] { return mine }
        return visibleBorrow(id)
    }

    func holder(_ tree: TreeState, _ key: RecordKey) -> BorrowRecord? {
        line(tree, key).first.flatMap { record($0) }
    }

    func isCallers(_ record: BorrowRecord) -> Bool {
        record.user == caller.user && record.device == caller.device
    }

    func facts(_ record: BorrowRecord, of tree: TreeState) -> BorrowFacts {
        BorrowFacts(
            id: record.id,
            user: record.user,
            device: record.device,
            takenAt: record.takenAt,
            dueAt: record.dueAt,
            note: record.note,
            queue: max(0, line(tree, record.key).count - 1),
            isYours: record.user == caller.user
        )
    }

    private func callers(_ id: UniqueID) throws(Refused) -> (TreeState, BorrowRecord) {
        guard let record = record(id), let tree = lookup(record.tree) else {
            throw Refused(ended(id) ?? unknown(id))
        }
        guard isCallers(record) else {
            throw Refused(
                .borrowed,
                "Borrow \(id) is \(record.user)'s on \(record.device).",
                borrow: facts(record, of: tree)
            )
        }
        return (tree, record)
    }

    /// The refusal for a borrow that ended; nil when there never was one of that id.
    func ended(_ id: UniqueID) -> Refusal? {
        if case .some(.none) = borrows[id] { return endedRefusal(id, ending(at: nil)) }
        return state.endedBorrow(id, in: context.visibleTrees)
    }

    func unknown(_ id: UniqueID) -> Refusal {
        Refusal(.unknownBorrow, "There is no borrow \(id).")
    }
}

func endedRefusal(_ id: UniqueID, _ ending: Ending?) -> Refusal {
    var end = "ended"
    if let ending, ending.label == .seize {
        end = "was taken away by \(ending.stamp.user): \(ending.reason)"
    }
    return Refusal(
        .borrowEnded,
        "Borrow \(id) \(end). Keep your edit, borrow the record anew and compare.",
        ended: ending
    )
}
