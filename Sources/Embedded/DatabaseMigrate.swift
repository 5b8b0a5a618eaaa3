// Rewriting what older major versions wrote, so that nobody has to migrate it on every read.
//
// Records migrate when they are read in any case: a run that ends half way leaves nothing broken,
// and the next one goes on with what is left.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What a migration of a tree did, or would do.
public struct MigrationReport: Hashable, Sendable {
    /// How many records were looked at: every revision that stands.
    public let read: Int
    /// How many were, or would be, rewritten in the current version; released ones never are.
    public let changed: Int
    /// A line for each record that stays as it is, though an older major version wrote it and it
    /// is not released: its tree, its key and why.
    public let failed: [String]
}

extension Database {
    /// Rewrites in the current version what older major versions of a record type wrote.
    ///
    /// Goes through the steps declared with ``TreeDefinition/migrate(from:_:_:)``, a hundred
    /// records a change. It takes the right `migrate`. Who has borrowed a record is not in its way,
    /// and keeps it; what the holder wrote over the old version meanwhile is stranded.
    /// Released records stay as they are for ever, and one that cannot be migrated is told in the
    /// report; the others go on. Run again, it goes on with what is left.
    ///
    /// ```swift
    /// let rehearsal = try await db.migrate(Part.self, dryRun: true)
    /// if rehearsal.failed.isEmpty { _ = try await db.migrate(Part.self) }
    /// ```
    ///
    /// - Parameters:
    ///   - type: The record type.
    ///   - dryRun: Runs every step and writes nothing.
    /// - Returns: What was done. On a mirror, what its server refuses later is among `stranded()`.
    /// - Throws: `poisoned`, `full`, `offline`, `closed`, and `refused` with the code `not-yet`
    ///   when the task was cancelled; what was rewritten before stays.
    public func migrate<R: Record>(
        _ type: R.Type,
        dryRun: Bool = false
    ) async throws(DatabaseError) -> MigrationReport {
        try checkOpen()
        let cache = cache(R.self)
        var read = 0
        var changed = 0
        var failed: [String] = []
        var after: RecordKey?
        repeat {
            let page = cache.outdated(after: after)
            read += page.read
            after = page.last
            var keys: [Key<R>] = []
            for record in page.records {
                guard let key = Key<R>(stored: record.key) else { continue }
                do throws(DatabaseError) {
                    let value = try cache.decode(record.document, record.facts.schema, record.key)
                    _ = try cache.encode(value.value, over: nil)
                    keys.append(key)
                } catch {
                    failed.append("\(cache.name) \(key): \(error)")
                }
            }
            if dryRun {
                changed += keys.count
            } else {
                changed += try await rewrite(keys, cache, &failed)
            }
        } while after != nil
        return MigrationReport(read: read, changed: changed, failed: failed)
    }

    /// Rewrites records in one change, and one by one when that is refused.
    private func rewrite<R: Record>(
        _ keys: [Key<R>],
        _ cache: TreeCache<R>,
        _ failed: inout [String]
    ) async throws(DatabaseError) -> Int {
        guard !keys.isEmpty else { return 0 }
        do {
            return try await rewrite(keys, cache)
        } catch DatabaseError.refused(let refusal) {
            guard keys.count == 1 else {
                var changed = 0
                for key in keys { changed += try await rewrite([key], cache, &failed) }
                return changed
            }
            failed.append("\(cache.name) \(keys[0]): \(refusal)")
            return 0
        } catch let error as DatabaseError {
            throw error
        } catch {
            throw .refused(
                Refusal(.notYet, "The migration was cancelled; run it again to go on.")
            )
        }
    }

    private func rewrite<R: Record>(_ keys: [Key<R>], _ cache: TreeCache<R>) async throws -> Int {
        let why = "migrate \(cache.name) to \(cache.schema.version)"
        let receipt = try await write(why: why) { transaction in
            var count = 0
            for key in keys {
                // Somebody may have rewritten, released or deleted it meanwhile.
                guard let slot = key.stored, cache.isOutdated(slot) else { continue }
                try transaction.migrate(key)
                count += 1
            }
            return count
        }
        return receipt.value
    }
}

extension TreeCache {
    /// How many records one change of a migration rewrites at most.
    private static var migrationPageCount: Int { 100 }

    /// The next records that an older major version wrote and that may be rewritten.
    ///
    /// - Parameter after: Where the page before ended; nil for the first one.
    /// - Returns: How many were looked at, the records, and where to go on; nil at the end.
    fileprivate func outdated(
        after: RecordKey?
    ) -> (read: Int, records: [StoredRecord], last: RecordKey?) {
        var read = 0
        var records: [StoredRecord] = []
        let last = store.read { reader -> RecordKey? in
            guard let tree = reader.state.tree(name) else { return nil }
            var full: RecordKey?
            let last = reader.state.scan(
                tree,
                after: after,
                prefix: nil,
                .all,
                at: reader.state.head,
                entryCountMax: Self.pageEntryCount
            ) { key, location in
                read += 1
                guard let record = StoredRecord(reader, at: location), isOutdated(record.facts)
                else { return true }
                records.append(record)
                if records.count == Self.migrationPageCount { full = key }
                return full == nil
            }
            return full ?? last
        }
        return (read, records, last)
    }

    /// Whether a record, as it stands, is to be rewritten.
    fileprivate func isOutdated(_ key: RecordKey) -> Bool {
        store.read { reader in
            guard let tree = reader.state.tree(name),
                let location = reader.state.location(tree, key),
                let record = StoredRecord(reader, at: location)
            else { return false }
            return isOutdated(record.facts)
        }
    }

    private func isOutdated(_ facts: RecordFacts) -> Bool {
        !facts.state.isReleased && facts.schema != .none
            && facts.schema.major < schema.version.major
    }
}
