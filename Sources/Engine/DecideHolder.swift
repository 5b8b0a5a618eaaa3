// The rules of borrows that are another's: asking for them back, taking them away, handing them on.
internal import HoldfastBasics
internal import HoldfastRecords

extension Draft {
    /// Sets a flag the holder sees; a later recall takes the place of an earlier one.
    mutating func recall(_ id: UniqueID, _ note: String) throws(Refused) {
        try check(note: note)
        var (tree, record) = try holding(id)
        record.recalled = BorrowRecord.Recall(by: caller.user, at: at, note: note)
        insert(record, .recall, tree)
        results.append(.borrow(record, place: 0))
    }

    /// Ends a borrow, and serves the next in line.
    ///
    /// What the holder writes under it from now on is refused, and told who took it and why.
    mutating func seize(_ id: UniqueID) throws(Refused) {
        let (tree, record) = try standing(id)
        if !mayTakeAway(of: tree) {
            try checkMayWrite(tree)
            guard record.isOverdue(at: at) else {
                throw Refused(
                    .forbidden,
                    "Your token lacks the right 'seize' on \(tree.name), and borrow \(id) is not "
                        + "overdue. Recall it, and wait for \(record.user)."
                )
            }
        }
        guard !change.why.isEmpty else {
            throw Refused(
                .reasonRequired,
                "Say why borrow \(id) is taken away; \(record.user) will read it.",
                field: "why",
                borrow: facts(record, of: tree)
            )
        }
        end(record, of: tree, .seize)
        results.append(.ended(id))
    }

    /// Makes a borrow another's: by its user, from any device, or by who may take it away.
    mutating func setHolder(
        _ id: UniqueID,
        _ user: String,
        _ device: String
    ) throws(Refused) {
        var (tree, record) = try holding(id)
        if !mayTakeAway(of: tree) {
            try checkMayWrite(tree)
            guard record.user == caller.user else {
                throw Refused(
                    .borrowed,
                    "Borrow \(id) is \(record.user)'s on \(record.device), who may hand it on.",
                    borrow: facts(record, of: tree)
                )
            }
        }
        for name in [user, device] {
            guard (1...Limits.identityByteCountMax).contains(name.utf8.count),
                name.utf8.first != UInt8(ascii: "_")
            else {
                throw Refused(
                    .badBody,
                    "User and device have 1 to \(Limits.identityByteCountMax) bytes, and do not begin "
                        + "with '_'.",
                    field: "holder"
                )
            }
        }
        if record.user != user || record.device != device {
            (record.user, record.device) = (user, device)
            insert(record, .setHolder, tree)
        }
        results.append(.borrow(record, place: 0))
    }

    func check(note: String) throws(Refused) {
        guard note.utf8.count <= Limits.identityByteCountMax else {
            throw Refused(.tooLarge, "A note may have \(Limits.identityByteCountMax) bytes.")
        }
    }

    private func mayTakeAway(of tree: TreeState) -> Bool {
        context.rights?.has(.seize, on: tree.name) ?? true
    }

    private func checkMayWrite(_ tree: TreeState) throws(Refused) {
        if let rights = context.rights { try check(.write, on: tree.name, rights) }
    }

    private func standing(_ id: UniqueID) throws(Refused) -> (TreeState, BorrowRecord) {
        guard let record = record(id), let tree = lookup(record.tree) else {
            throw Refused(ended(id) ?? unknown(id))
        }
        return (tree, record)
    }

    private func holding(_ id: UniqueID) throws(Refused) -> (TreeState, BorrowRecord) {
        let (tree, record) = try standing(id)
        guard record.state != .queued else {
            throw Refused(
                .borrowMismatch,
                "Borrow \(id) waits in line; it holds nothing yet.",
                borrow: facts(record, of: tree)
            )
        }
        return (tree, record)
    }
}

extension BorrowRecord {
    /// Whether it should be back by now, in milliseconds since 1970.
    func isOverdue(at now: Int64) -> Bool { dueAt.map { $0 < now } ?? false }
}
