// `decide`: every rule of the model, once. Nothing reaches the log by another way.
public import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// Decides a change.
    ///
    /// The state is not touched: the caller logs the commit and then applies it.
    /// - Parameters:
    ///   - change: What is proposed; its values are normalised JSON.
    ///   - context: Who asks, and when.
    /// - Returns: A commit, or why there is none.
    public func decide(_ change: Change, _ context: DecisionContext) -> Decision {
        if let offset = frameOffset(ofChange: change.id) {
            return replay(change, at: offset, context)
        }
        var draft = Draft(state: self, change: change, context: context)
        do throws(Refused) {
            try draft.checkLimits()
            if let missing = change.requires.first(where: { frameOffset(ofChange: $0) == nil }) {
                // Whether the authority has it by then, a mirror cannot know.
                guard context.role == .authority else { return .undetermined }
                throw Refused(
                    .requirementMissing,
                    "This change builds on change \(missing), which was not accepted."
                )
            }
            // Lent, not copied: a copy would retain every text and value of every operation.
            let operations = change.operations.span
            for index in operations.indices {
                try draft.checkIsVisible(operations[index])
                if context.rights != nil { try draft.checkRights(operations[index]) }
                if context.role == .preview, draft.isBeyondPreview(operations[index]) {
                    return .undetermined
                }
                try draft.perform(operations[index])
                draft.operation += 1
            }
            try draft.checkUniques()
        } catch {
            var refusal = error.refusal
            // What is wrong with the change as a whole is no operation's.
            let isWhole = refusal.code == .requirementMissing
            if refusal.operation == nil, !isWhole, draft.operation < change.operations.count {
                refusal.operation = draft.operation
            }
            return .refused(refusal)
        }
        return decision(of: draft)
    }

    /// Whether a change of this id was accepted; `decide` then replays it, or refuses another one.
    public func remembers(_ id: UniqueID) -> Bool { frameOffset(ofChange: id) != nil }

    /// The commit that is due because of time, if any: grants nobody confirmed lapse, and leases
    /// nobody renewed.
    ///
    /// - Parameters:
    ///   - now: The clock, in milliseconds since 1970.
    ///   - random: Gives the change id and salts.
    ///   - ended: Leases whose term is over.
    /// - Returns: A commit of the system's, or nil when nothing is due.
    public func decideDue(
        now: Int64,
        random: any RandomSource,
        ended: Set<UniqueID> = []
    ) -> Commit? {
        let due = trees.flatMap { tree in
            tree.lines.records.values.filter { record in
                (record.lapsesAt ?? .max) <= now || ended.contains(record.id)
            }.map { (tree, $0) }
        }
        guard !due.isEmpty else { return nil }
        let change = Change(
            id: .version7(milliseconds: now, random: random),
            operations: []
        )
        let context = DecisionContext(caller: .system, now: now, random: random)
        var draft = Draft(state: self, change: change, context: context)
        for (tree, record) in due.sorted(by: { $0.1.order < $1.1.order }) {
            draft.end(record, of: tree, .lapse)
        }
        return draft.commit()
    }

    /// The leased borrows that hold their records.
    public var leases: [BorrowRecord] {
        trees.flatMap { tree in
            tree.lines.records.values.filter { $0.kind == .leased && $0.state == .held }
        }
    }

    /// When `decideDue` has something to do next, in milliseconds since 1970; nil for never.
    public var nextDue: Int64? {
        trees.compactMap { $0.lines.records.values.compactMap(\.lapsesAt).min() }.min()
    }

    /// What becomes of a change whose id was used before.
    func replay(
        _ change: Change,
        at offset: UInt64,
        _ context: DecisionContext
    ) -> Decision {
        let digest = source.withCommit(at: offset) { $0.digest }
        let isKnown = digest != .zero && change.digest != .zero
        // Whoever may not see all trees is told of a commit when it shows that it made it.
        let mustBeKnown = context.role == .authority && context.visibleTrees != nil
        guard isKnown ? digest == change.digest : !mustBeKnown else {
            return .refused(
                Refusal(
                    .idempotencyMismatch,
                    "The id \(change.id) was used for another request. Take a new one."
                )
            )
        }
        return .replayed(frameOffset: offset)
    }
}

extension BorrowRecord {
    /// When a grant nobody confirmed ends, in milliseconds since 1970; nil for other borrows.
    var lapsesAt: Int64? {
        guard state == .granted, let grantedAt else { return nil }
        return grantedAt + Limits.grantMilliseconds
    }
}

extension Commit {
    /// Upper bound of the content's size, near enough to refuse before encoding.
    var estimatedByteCount: Int {
        var sum = 8192
        for block in blocks {
            sum += 256
            let effects = block.effects.span
            for index in effects.indices {
                sum += 640 + (effects[index].image?.value.count ?? 0)
            }
        }
        return sum
    }
}

extension Draft {
    func checkLimits() throws(Refused) {
        guard change.operations.count <= Limits.effectCountMax else {
            throw Refused(
                .tooLarge,
                "A change may hold \(Limits.effectCountMax) operations. Send a job instead."
            )
        }
        guard change.requires.count <= Limits.requiredCountMax else {
            throw Refused(
                .tooLarge,
                "A change may require \(Limits.requiredCountMax) others."
            )
        }
        let longest = max(caller.user.utf8.count, caller.device.utf8.count, caller.app.utf8.count)
        guard longest <= Limits.identityByteCountMax else {
            throw Refused(
                .tooLarge,
                "User, device and application may have \(Limits.identityByteCountMax) bytes each."
            )
        }
        guard change.why.utf8.count <= Limits.whyByteCountMax else {
            throw Refused(.tooLarge, "A reason may have \(Limits.whyByteCountMax) bytes.")
        }
    }

    mutating func perform(_ step: Operation) throws(Refused) {
        switch step {
        case .put(let write): try put(write)
        case .patch(let write): try patch(write)
        case .delete(let target): try delete(target)
        case .release(let target, let number): try release(target, number)
        case .revise(let tree, let key, let hold): try revise(tree, key, hold)
        case .setState(let target, let state): try setState(target, state)
        case .borrow(let taking): try borrow(taking)
        case .return(let id): try giveBack(id)
        case .cancel(let id): try cancel(id)
        case .recall(let id, let note): try recall(id, note)
        case .seize(let id): try seize(id)
        case .setHolder(let id, let user, let device): try setHolder(id, user, device)
        case .reserve(let tree, let range, let count): try reserve(tree, range, count)
        case .defineTree(let name, let definition): try defineTree(name, definition)
        }
    }

    /// No value of a unique field may end up with two ids, whatever way there the change took.
    func checkUniques() throws(Refused) {
        var gains: [(index: UniqueIndex, value: [UInt8], id: RecordID, operation: Int)] = []
        var losses: [ObjectIdentifier: [[UInt8]: Int]] = [:]
        guard owners.contains(where: { !$0.tree.uniques.isEmpty }) else { return }
        for place in marks.indices where !owners[marks[place].owner].tree.uniques.isEmpty {
            let (tree, operation) = (owners[marks[place].owner].tree, marks[place].operation)
            let key = effects[place].key
            if case .some(let location) = tree.index.location(key) {
                state.source.withEffect(at: location) { effect, _ in
                    guard effect.isSet else { return }
                    state.forEachUnique(tree, effect) { index, value in
                        losses[ObjectIdentifier(index), default: [:]][value.array, default: 0] += 1
                    }
                }
            }
            guard let image = effects[place].image else { continue }
            image.value.withView { document in
                tree.validator.uniqueFields.forEachValue(in: document) { ordinal, value in
                    gains.append((tree.uniques[ordinal], value.array, key.id, operation))
                }
            }
        }
        var gained: [ObjectIdentifier: [[UInt8]: RecordID]] = [:]
        for gain in gains {
            let index = ObjectIdentifier(gain.index)
            let lost = losses[index]?[gain.value] ?? 0
            let owner = gain.value.withView { gain.index.owner(of: $0) }
            let other = gained[index]?[gain.value]
            if let owner, owner.id != gain.id, owner.count > lost {
                throw uniqueRefusal(gain.index.field, owner.id, gain.operation)
            }
            if let other, other != gain.id {
                throw uniqueRefusal(gain.index.field, other, gain.operation)
            }
            gained[index, default: [:]][gain.value] = gain.id
        }
    }

    private func uniqueRefusal(_ field: String, _ owner: RecordID, _ at: Int) -> Refused {
        var refusal = Refusal(
            .unique,
            "Record \(owner.text) has the same \(field), which is unique in this tree.",
            field: field
        )
        refusal.operation = at
        return Refused(refusal)
    }
}
