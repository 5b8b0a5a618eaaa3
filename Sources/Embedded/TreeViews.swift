// The views of a tree: folded when asked for, in step with the records, kept beside the log.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

extension TreeCache {
    /// What a view holds; it is folded first when it was not asked for before.
    ///
    /// Called while the state is held, and to be used as long as it is.
    ///
    /// - Precondition: The view is declared in the type's `define`.
    func state<V: RecordView>(_ type: V.Type, _ name: String, _ revisions: Revisions) -> V.State
    where V.R == R {
        let place = schema.views.firstIndex {
            $0 is V && $0.revisions == revisions && $0.name.sameBytes(as: name)
        }
        guard let place else { preconditionFailure("view '\(name)' is not declared by \(R.self)") }
        guard let fold = fold(place) as? ViewFold<V> else {
            preconditionFailure("the place of another view")
        }
        return fold.state
    }

    private func fold(_ place: Int) -> any AnyViewFold<R> {
        if let found = views.withLock({ $0[place] }) { return found }
        let made = schema.views[place].fold
        fill(made, schema.views[place].checkpoint(schema))
        return views.withLock { views in
            // Who was faster has folded the same.
            if let found = views[place] { return found }
            views[place] = made
            return made
        }
    }

    // MARK: Folding

    /// A record on its way into a view.
    private enum Found {
        case saved(RecordKey, [UInt8])
        case record(StoredRecord)
    }

    /// Puts every record into a view of none, a page at a time: from its checkpoint what has not
    /// changed since, the others as they stand.
    private func fill(_ fold: any AnyViewFold<R>, _ checkpoint: ViewCheckpoint?) {
        var saved = checkpoint.flatMap { ViewCheckpointReader($0, of: store) }
        if saved != nil { fold.didSave() }
        var after: RecordKey?
        repeat {
            var page: [Found] = []
            after = store.read { reader in
                guard let tree = reader.state.tree(name) else { return nil }
                return reader.state.scan(
                    tree,
                    after: after,
                    prefix: nil,
                    fold.revisions.choice,
                    at: reader.state.head,
                    entryCountMax: Self.pageEntryCount
                ) { key, location in
                    if !location.isProvisional,
                        let item = saved?.item(of: key, seq: reader.seq(at: location))
                    {
                        page.append(.saved(key, item))
                    } else if let record = StoredRecord(reader, at: location) {
                        page.append(.record(record))
                    }
                    return true
                }
            }
            for found in page { put(found, into: fold) }
        } while after != nil
    }

    private func put(_ found: Found, into fold: any AnyViewFold<R>) {
        switch found {
        case .record(let record): fold.set(record.key.id, to: folding(record))
        case .saved(let key, let item):
            if fold.set(key, toSaved: item) { return }
            let record = store.read { reader in
                reader.state.tree(name)
                    .flatMap { reader.state.location($0, key) }
                    .flatMap { StoredRecord(reader, at: $0) }
            }
            fold.set(key.id, to: record.map { folding($0) } ?? .nothing)
        }
    }

    /// Folds a step: some ids may stand differently now.
    func fold(
        _ reader: StoreReader,
        _ ids: Set<HoldfastRecords.RecordID>,
        into folds: [any AnyViewFold<R>]
    ) {
        for id in ids {
            var foldings: [Revisions: Folding<R>] = [:]
            for fold in folds {
                let folding = foldings[fold.revisions] ?? folding(reader, id, fold.revisions)
                foldings[fold.revisions] = folding
                fold.set(id, to: folding)
            }
        }
    }

    private func folding(
        _ reader: StoreReader,
        _ id: HoldfastRecords.RecordID,
        _ revisions: Revisions
    ) -> Folding<R> {
        guard let tree = reader.state.tree(name),
            let found = reader.state.revision(
                tree,
                of: id,
                revisions.choice,
                at: reader.state.head
            ),
            let record = StoredRecord(reader, at: found.location)
        else { return .nothing }
        return folding(record)
    }

    private func folding(_ record: StoredRecord) -> Folding<R> {
        do throws(DatabaseError) {
            let decoded = try decode(record.document, record.facts.schema, record.key)
            return .record(
                FoldedRecord(
                    key: record.key,
                    value: decoded.value,
                    facts: record.facts,
                    hasUnknownFields: decoded.hasUnknownFields,
                    document: record.document
                )
            )
        } catch {
            return .undecodable
        }
    }

    // MARK: Checkpoints

    /// Writes the checkpoints of the views that are folded.
    ///
    /// Reads and writes go on meanwhile. What cannot be written is left: a view can be folded
    /// without.
    ///
    /// - Parameter isEach: Also of those in which little changed since the last one.
    func saveViews(each isEach: Bool) {
        for (place, view) in schema.views.enumerated() {
            let isWanted = views.withLock { views in
                views[place].map { isEach || $0.isWorthSaving } ?? false
            }
            guard isWanted, let checkpoint = view.checkpoint(schema) else { continue }
            do throws(DiskError) {
                try save(place, checkpoint, on: store.directory)
            } catch {
                // The checkpoint before, if there is one, stays.
                continue
            }
        }
    }

    private func save(
        _ place: Int,
        _ checkpoint: ViewCheckpoint,
        on disk: any Disk
    ) throws(DiskError) {
        var writer = try ViewCheckpointWriter(checkpoint, on: disk)
        do throws(DiskError) {
            var after: RecordKey?
            repeat {
                after = store.read { save(place, $0, after: after, to: &writer) }
                try writer.flush()
            } while after != nil
            // Behind all of its entries, which are of durable commits.
            guard let position = store.read(\.durablePosition) else { return try writer.abandon() }
            try writer.finish(store.identity.databaseID, position)
        } catch {
            try writer.abandon()
            throw error
        }
        views.withLock { $0[place]?.didSave() }
    }

    /// Writes the entries of a page; gives the key after which the next begins.
    private func save(
        _ place: Int,
        _ reader: StoreReader,
        after bound: RecordKey?,
        to writer: inout ViewCheckpointWriter
    ) -> RecordKey? {
        views.withLock { views in
            guard let tree = reader.state.tree(name), let fold = views[place] else { return nil }
            return reader.state.scan(
                tree,
                after: bound,
                prefix: nil,
                fold.revisions.choice,
                at: reader.state.head,
                entryCountMax: Self.pageEntryCount
            ) { key, location in
                guard !location.isProvisional, reader.wait(for: location) == nil else {
                    return true
                }
                let (seq, schema) = reader.withEffect(at: location) { ($1.seq, $0.schema) }
                // What an older major wrote is what its migration makes of it, which may change.
                guard self.schema.isOwnMajor(schema) else { return true }
                writer.append(key, seq: seq) { fold.appendItem(of: key, to: &$0) }
                return true
            }
        }
    }

    // MARK: Checking

    /// Compares every view that was folded with one folded anew, while the state is held; the first
    /// difference in words, or nil.
    func checkInvariants() -> String? {
        if let broken = checkBoxes() { return broken }
        let folded = views.withLock { views in views.map { ($0?.fresh(), $0?.lines) } }
        for (place, (fresh, lines)) in folded.enumerated() {
            guard let fresh, let lines else { continue }
            fill(fresh, nil)
            if fresh.lines != lines {
                return "view \(place) of \(name): \(lines) instead of \(fresh.lines)"
            }
        }
        return nil
    }
}

extension StoreReader {
    /// Seq of the commit that has an effect.
    fileprivate func seq(at location: Location) -> UInt64 {
        withEffect(at: location) { $1.seq }
    }
}
