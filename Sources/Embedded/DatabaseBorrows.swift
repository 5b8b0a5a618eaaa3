// Borrowing: taking, waiting, giving back.
public import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

extension Database {
    /// What to do when another holds the record.
    public enum Wait: Hashable, Sendable {
        /// Throw at once.
        case refuse
        /// Join the line, and wait for as long as it takes; also for the server, when it is out of
        /// reach: the wish goes to it on reconnecting.
        case queue
        /// Join the line, and leave it after so long.
        case queueFor(Duration)
    }

    /// Borrows a record, so that nobody else changes it until it is returned.
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - wait: What to do when another holds it. A cancelled task leaves the line.
    ///   - note: Seen by others.
    ///   - due: When it should be back, to the millisecond.
    /// - Returns: The borrow; the record as read from now on is the one to go out from.
    /// - Throws: `refused` with `borrowed` (the holder, or the wait was given up), `not-found`;
    ///   `offline` (also when a wait was given up without the server), `poisoned`, `full`,
    ///   `closed`.
    public func borrow<R: Record>(
        _ key: Key<R>,
        wait: Wait = .refuse,
        note: String? = nil,
        due: Date? = nil
    ) async throws(DatabaseError) -> Borrow<R> {
        try checkOpen()
        var operation = BorrowOperation(
            tree: cache(R.self).name,
            key: try storedKey(key),
            borrow: newID(),
            note: note ?? "",
            dueAt: due?.milliseconds,
            queue: wait != .refuse
        )
        try await take(&operation, wait)
        let dueAt = operation.dueAt.map { Date(milliseconds: $0) }
        return Borrow(id: UUID(operation.borrow), key: key, dueAt: dueAt)
    }

    /// Borrows several records of any trees, all or none; never queued.
    ///
    /// - Parameters:
    ///   - keys: Which records.
    ///   - note: Seen by others.
    /// - Returns: A borrow for each, in the same order.
    /// - Throws: As ``borrow(_:wait:note:due:)``.
    public func borrow<each R: Record>(
        all keys: repeat Key<each R>,
        note: String? = nil
    ) async throws(DatabaseError) -> (repeat Borrow<each R>) {
        try checkOpen()
        var operations: [Operation] = []
        let borrows = (repeat try prepared(each keys, note, &operations))
        _ = try await authority.ask(operations, id: newID(), why: "")
        return borrows
    }

    private func prepared<R: Record>(
        _ key: Key<R>,
        _ note: String?,
        _ operations: inout [Operation]
    ) throws(DatabaseError) -> Borrow<R> {
        let id = newID()
        operations.append(
            .borrow(
                BorrowOperation(
                    tree: cache(R.self).name,
                    key: try storedKey(key),
                    borrow: id,
                    note: note ?? ""
                )
            )
        )
        return Borrow(id: UUID(id), key: key, dueAt: nil)
    }

    /// Borrows a record, lets `body` edit its value, writes it and gives the record back, in one
    /// commit.
    ///
    /// When `body` throws or is cancelled, the record goes back unchanged.
    ///
    /// ```swift
    /// try await db.borrowing(key, wait: .queue, why: "counted") { $0.stock = 42 }
    /// ```
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - wait: What to do when another holds it.
    ///   - why: For what reason; kept with the change.
    ///   - isolation: Where `body` runs: where the caller is.
    ///   - body: Edits the value; may wait for people and for other work.
    /// - Returns: What `body` returned, when the change is durable here.
    /// - Throws: As ``borrow(_:wait:note:due:)`` and ``write(why:isolation:_:)``, and what `body`
    ///   throws.
    @discardableResult
    public func borrowing<R: Record, T: Sendable>(
        _ key: Key<R>,
        wait: Wait = .refuse,
        why: String? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (inout R) async throws -> T
    ) async throws -> Receipt<T> {
        let borrow = try await borrow(key, wait: wait)
        do {
            let cache = cache(R.self)
            let slot = TransactionState.Slot(tree: cache.name, key: try storedKey(key))
            guard let base = cache.stored(slot.key) else {
                throw DatabaseError.refused(
                    Refusal(.notFound, "There is no record \(key) in '\(cache.name)'.")
                )
            }
            var value = try cache.box(of: base, key).content.value
            let result = try await body(&value)
            try Task.checkCancellation()
            let write = WriteOperation(
                tree: slot.tree,
                key: slot.key,
                expects: base.facts.isPending
                    ? .change(base.changeID) : .version(base.facts.version),
                borrow: borrow.id.stored,
                schema: cache.schema.version,
                value: try cache.encode(value, over: (base.document, base.facts.schema))
            )
            let proposal = try await submit(
                [.put(write), .return(borrow.id.stored)],
                requires: base.facts.isPending ? [base.changeID] : [],
                why: why
            )
            return Receipt(value: result, proposal: proposal, authority: authority)
        } catch {
            await giveBack(borrow.id.stored)
            throw error
        }
    }

    /// Gives a borrow back whose edit came to nothing; the error that led here says more.
    private func giveBack(_ id: UniqueID) async {
        do throws(DatabaseError) {
            _ = try await authority.ask([.return(id)], id: newID(), why: "")
        } catch {
            // It stands until it is returned, and `borrows()` lists it.
        }
    }

    /// Gives borrows back, all in one commit; the next in line are served.
    ///
    /// - Parameter borrows: What this device holds.
    /// - Throws: `refused` with `borrow-ended`; `offline`, `poisoned`, `full`, `closed`.
    public func `return`<each R: Record>(
        _ borrows: repeat Borrow<each R>
    ) async throws(DatabaseError) {
        try checkOpen()
        var operations: [Operation] = []
        for borrow in repeat each borrows { operations.append(.return(borrow.id.stored)) }
        guard !operations.isEmpty else { return }
        _ = try await authority.ask(operations, id: newID(), why: "")
    }

    /// The borrows that stand, holders before those who wait, by key.
    ///
    /// - Parameter mine: Whether only those of this user and device.
    /// - Returns: A list of one position.
    /// - Throws: `closed`.
    public func borrows(mine: Bool = true) throws(DatabaseError) -> [AnyBorrow] {
        let caller = authority.caller
        return try snapshot { (_) throws(DatabaseError) in
            store.read { reader in
                var all: [(BorrowRecord, place: Int)] = []
                for tree in reader.state.allTrees {
                    for record in tree.borrows {
                        let isMine = record.user == caller.user && record.device == caller.device
                        guard isMine || !mine else { continue }
                        let place = tree.line(of: record.key).firstIndex(of: record.id)
                        all.append((record, place ?? 0))
                    }
                }
                return all.sorted { a, b in
                    (a.0.tree, a.0.key, a.0.order) < (b.0.tree, b.0.key, b.0.order)
                }
                .map { AnyBorrow($0.0, place: $0.place) }
            }
        }
    }

    private func storedKey<R: Record>(_ key: Key<R>) throws(DatabaseError) -> RecordKey {
        if let stored = key.stored { return stored }
        throw .refused(Refusal(.badKey, "'\(key)' is no key of '\(cache(R.self).name)'."))
    }

    // MARK: Waiting

    /// Takes a borrow, and waits for it as told.
    ///
    /// A wait that is given up ends with one last try under an id of its own.
    private func take(
        _ operation: inout BorrowOperation,
        _ wait: Wait
    ) async throws(DatabaseError) {
        guard wait != .refuse else {
            _ = try await authority.ask([.borrow(operation)], id: newID(), why: "")
            return
        }
        let key = AnyKey(tree: operation.tree, key: operation.key)
        lines.join(key, operation.borrow)
        let asked = operation
        let waiting = Task { () -> Result<Bool, DatabaseError> in
            do throws(DatabaseError) {
                return .success(try await self.stand(asked, key))
            } catch {
                return .failure(error)
            }
        }
        let timer = limit(wait, waiting)
        let result = await withTaskCancellationHandler {
            await waiting.value
        } onCancel: {
            waiting.cancel()
        }
        timer?.cancel()
        lines.leave(key, asked.borrow)
        news.notify()
        if case .success(true) = result { return }
        // It may have been served meanwhile: what is taken is not kept.
        await leave(operation)
        guard case .success = result else {
            _ = try result.get()
            return
        }
        // Given up: the authority says who is in the way.
        operation.borrow = newID()
        operation.queue = false
        _ = try await authority.ask([.borrow(operation)], id: newID(), why: "")
    }

    private func limit(
        _ wait: Wait,
        _ waiting: Task<Result<Bool, DatabaseError>, Never>
    ) -> Task<Void, Never>? {
        guard case .queueFor(let duration) = wait else { return nil }
        return Task {
            do {
                try await Task.sleep(for: duration)
                waiting.cancel()
            } catch {
                // It was served in time.
            }
        }
    }

    /// Stands in line until the record is held; false when the task is cancelled before.
    private func stand(
        _ operation: BorrowOperation,
        _ key: AnyKey
    ) async throws(DatabaseError) -> Bool {
        while true {
            try checkOpen()
            let (count, statusCount) = (news.count, authority.statusChanges.count)
            if Task.isCancelled { return false }
            do throws(DatabaseError) {
                if lines.isFirst(key, operation.borrow), try await isHeld(operation) { return true }
            } catch .offline {
                // A server that will have nothing of this mirror is not waited for.
                if case .refused = authority.status { throw .offline }
                await authority.statusChanges.wait(past: statusCount)
                continue
            }
            await news.wait(past: count)
        }
    }

    /// Asks for the record once; false while the line is not that far.
    private func isHeld(_ operation: BorrowOperation) async throws(DatabaseError) -> Bool {
        let standing = store.read { $0.state.borrow(operation.borrow)?.record.state }
        switch standing {
        case .held: return true
        case .queued: return false
        case .granted, nil: break
        }
        do throws(DatabaseError) {
            let results = try await authority.ask([.borrow(operation)], id: newID(), why: "")
            for case .borrow(let record, _) in results { return record.state == .held }
            return false
        } catch .refused(let refusal) where refusal.code == .borrowed && standing == nil {
            // This user holds it or waits for it already, elsewhere: that ends some time.
            return false
        }
    }

    /// Leaves the line, or gives back what came too late.
    private func leave(_ operation: BorrowOperation) async {
        let id = operation.borrow
        do throws(DatabaseError) {
            guard let standing = store.read({ $0.state.borrow(id)?.record.state }) else { return }
            let end: Operation = standing == .queued ? .cancel(id) : .return(id)
            _ = try await authority.ask([end], id: newID(), why: "")
        } catch {
            // A grant nobody confirms lapses; a borrow that stands is listed by `borrows()`.
        }
    }
}

extension TreeCache {
    /// The version that stands, as it is stored.
    func stored(_ key: RecordKey) -> StoredRecord? {
        store.read { reader in
            guard let tree = reader.state.tree(name),
                let location = reader.state.location(tree, key)
            else { return nil }
            return StoredRecord(reader, at: location)
        }
    }
}
