// An outbox's log, and how it is begun anew: what was settled is history nobody asks for.
//
// Invariants:
// - the new log is whole and durable before the file beside the directories names it; killed at any
//   step, the old or the new one is found, and both say the same;
// - when it cannot be known which one would be found, nothing more is kept.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// The log of an outbox.
struct OutboxLog {
    var disk: OutboxDisk
    var store: Store
    /// Why nothing more is kept; nil when it is.
    var failure: String?
    /// From how many bytes on it is begun anew.
    var limit: UInt64
}

/// What a log is opened with.
struct OutboxOptions: Sendable {
    var log = LogOptions(segmentByteCount: 4 << 20)
    /// From how many bytes on a log is begun anew when nothing pends.
    var anewByteCount: UInt64 = 8 << 20
}

extension Outbox {
    /// Opens the store in a directory, making it where there is none.
    static func open(
        on disk: any Disk,
        _ options: OutboxOptions,
        _ time: any TimeSource,
        _ random: any RandomSource,
        _ logger: Logger
    ) throws -> Store {
        if try !CommitLog.isPresent(disk: disk) {
            try Store.create(
                on: disk,
                application: application,
                options: options.log,
                time: time,
                random: random
            )
        }
        return try Store(
            disk: disk,
            application: application,
            options: options.log,
            time: time,
            random: random,
            logger: logger
        )
    }

    /// Begins the log anew when nothing pends and it is long.
    ///
    /// - Throws: `poisoned` when it cannot be known which log would be found.
    func beginAnew(_ state: State) throws(MirrorError) {
        guard state.queue.isEmpty else { return }
        try log.withLock { (log) throws(MirrorError) in
            guard log.failure == nil, log.store.read(\.logByteCount) >= log.limit else { return }
            guard let next = successor(of: log) else {
                log.limit *= 2
                return
            }
            do throws(DiskError) {
                try log.disk.swap()
            } catch {
                let failure = "the outbox could not be begun anew: \(error)"
                log.failure = failure
                throw .poisoned(failure)
            }
            let old = log.store
            log.store = next
            log.limit = max(options.anewByteCount, 2 * next.read(\.logByteCount))
            do {
                try old.close()
                try log.disk.clear(log.disk.other)
            } catch {
                // Nobody needs it; the next opening tries again.
                logger.log(.warning, "outbox.old.left", ["error": "\(error)"])
            }
        }
    }

    /// A log with what stands in this one; nil when there is none to be had now.
    private func successor(of log: OutboxLog) -> Store? {
        do {
            try log.disk.clear(log.disk.other)
            let disk = try log.disk.directory(log.disk.other)
            let next = try Self.open(on: disk, options, time, random, logger)
            for tree in OutboxTree.allCases {
                try commit(
                    [.defineTree(tree.name, TreeDefinition(keys: .name))],
                    to: next
                )
                var rest = Self.all(tree, in: log.store)[...]
                while !rest.isEmpty {
                    let part = Self.part(rest)
                    rest = rest.dropFirst(part.count)
                    try commit(
                        part.map { name, json in
                            .put(
                                WriteOperation(
                                    tree: tree.name,
                                    key: RecordKey(name: name),
                                    expects: .absent,
                                    value: json
                                )
                            )
                        },
                        to: next
                    )
                }
            }
            return next
        } catch {
            // The log that stands is as good as before.
            logger.log(.warning, "outbox.anew.failed", ["error": "\(error)"])
            return nil
        }
    }

    /// The first records, as many as one commit takes.
    private static func part(
        _ records: ArraySlice<(name: String, json: [UInt8])>
    ) -> ArraySlice<(name: String, json: [UInt8])> {
        var (count, byteCount) = (0, 0)
        for record in records {
            byteCount += record.json.count + 1024
            guard count == 0 || byteCount < Limits.commitByteCountMax / 2 else { break }
            count += 1
        }
        return records.prefix(count)
    }
}
