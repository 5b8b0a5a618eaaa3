// Opening a database of this process's own.
internal import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage
public import HoldfastStore

extension Database {
    /// When a write returns: what it survives from then on.
    ///
    /// In every mode it survives the end of the process, kill -9 included. With `interval` and
    /// `none` a power cut may take the last writes, never a part of one; when the database was not
    /// closed, its positions go on in a new epoch at the next opening, so that nobody takes one for
    /// another.
    public enum Durability: Hashable, Sendable {
        /// When it is durable; writes of several tasks share a sync.
        case group
        /// When it is durable by a sync of its own, before the next write begins.
        case each
        /// When the system has it; it is durable after so long at most.
        case interval(Duration)
        /// When the system has it; it is durable when the system says, and after `close()`.
        case none

        var syncing: Syncing {
            switch self {
            case .group: .batches
            case .each: .commits
            case .interval(let duration):
                .every(
                    milliseconds: duration.components.seconds * 1000
                        + duration.components.attoseconds / 1_000_000_000_000_000
                )
            case .none: .never
            }
        }
    }

    /// Who else may write.
    public enum Access: Hashable, Sendable {
        /// Nobody: the directory is this process's alone until it is closed.
        case exclusive
        /// Other processes that open it so too.
        ///
        /// Each write takes its turn: it first takes up what the others have written, and the next
        /// one begins when it is durable. Who waits longer than the limit for others gets `refused`
        /// with `busy`, and nothing was done. Between writes, what others write arrives by itself
        /// soon after, and with ``Database/refresh()`` at once.
        case shared(waitingAtMost: Duration = .seconds(60))

        var waitMilliseconds: Int64? {
            guard case .shared(let limit) = self else { return nil }
            return max(0, Int64(limit / .milliseconds(1)))
        }
    }

    /// Opens a database in which this process decides, and makes it where there is none.
    ///
    /// The directory is this process's alone until ``close()``, unless `access` says otherwise.
    /// Works without any network.
    ///
    /// ```swift
    /// let db = try await Database.open("data", application: "rig", trees: [Part.self])
    /// ```
    ///
    /// - Parameters:
    ///   - directory: Where it lives.
    ///   - application: The application it belongs to, for ever.
    ///   - trees: The record types; trees that are not there yet are made, older ones declared
    ///     anew.
    ///   - durability: When a write returns; a shared database knows `each` and `group` alone.
    ///   - access: Who else may write.
    ///   - user: Who writes.
    ///   - device: On which device; it holds borrows and creates ids in its own ranges. Processes
    ///     that share a database may be one device, or several.
    ///   - cacheByteCount: What decoded records of one tree may weigh together.
    /// - Returns: The open database.
    /// - Throws: `refused` (another application's, in use or open in the other way, a durability
    ///   that cannot be shared, a declaration that breaks the rules of evolution, with the rules),
    ///   `damaged`, `full`, `unavailable`.
    public static func open(
        _ directory: String,
        application: String,
        trees: [any Record.Type],
        durability: Durability = .group,
        access: Access = .exclusive,
        user: String = "local",
        device: String = "local",
        cacheByteCount: Int = defaultCacheByteCount
    ) async throws(DatabaseError) -> Database {
        let types = try RecordTrees(trees)
        guard access == .exclusive || durability == .group || durability == .each else {
            throw .refused(
                Refusal(
                    .unsupported,
                    "What one process writes to a shared database must be durable before the next "
                        + "one writes: open it with the durability .group or .each."
                )
            )
        }
        let folder = StoreDirectory(directory)
        let store = try await Worker.run {
            Result { () throws(DatabaseError) in
                try folder.open(
                    application: application,
                    options: LogOptions(
                        syncing: durability.syncing,
                        sharedWaitMilliseconds: access.waitMilliseconds
                    )
                )
            }
        }.get()
        return try await open(
            store,
            in: folder,
            types,
            durability: durability,
            caller: Caller(user: user, device: device, app: application),
            cacheByteCount: cacheByteCount
        )
    }

    /// Opens a database on a store that no thread drives yet.
    static func open(
        _ store: Store,
        in folder: StoreDirectory = StoreDirectory(""),
        _ types: RecordTrees,
        durability: Durability = .group,
        caller: Caller,
        cacheByteCount: Int = defaultCacheByteCount
    ) async throws(DatabaseError) -> Database {
        let authority = LocalAuthority(store, folder, caller: caller, durability: durability)
        let database = Database(
            store: store,
            authority: authority,
            gate: WriterGate(),
            trees: types,
            cacheByteCount: cacheByteCount
        )
        let news = database.news
        authority.start { news.notify() }
        do throws(DatabaseError) {
            try await authority.declare(types.proposals)
        } catch {
            do throws(DatabaseError) {
                try await database.close()
            } catch {
                // The first error says more.
            }
            throw error
        }
        return database
    }
}

/// The directory of a database.
///
/// For this package's own modules.
public struct StoreDirectory: Sendable {
    private let path: String

    // What an interrupted making of a database, or the file system, leaves in an empty directory.
    private static let harmlessNames: Set = CommitLog.lockNames.union([
        "log", "IDENTITY.new", "lost+found",
    ])

    /// Names a directory.
    public init(_ path: String) { self.path = path }

    /// Opens the database of an application for reading, beside the process that writes it too.
    ///
    /// - Parameter application: Its name.
    /// - Returns: The store; nothing was changed, made or locked.
    /// - Throws: `refused` (another application's), `damaged`, `unavailable`.
    func openForReading(application: String) throws(DatabaseError) -> Store {
        do {
            return try Store(
                disk: PosixDisk(path),
                application: application,
                options: LogOptions(isWritable: false),
                logger: Logger(level: .error)
            )
        } catch let error as StoreError {
            throw self.error(error)
        } catch let error as DiskError {
            throw self.error(.disk(error))
        } catch {
            throw unavailable("\(error)")
        }
    }

    /// Opens the database of an application, and makes it where there is none.
    ///
    /// - Parameters:
    ///   - application: Its name.
    ///   - options: How its log is opened.
    /// - Returns: The store, without a sync thread.
    /// - Throws: `refused`, `damaged`, `full`, `unavailable`.
    public func open(
        application: String,
        options: LogOptions = LogOptions()
    ) throws(DatabaseError) -> Store {
        guard (1...Limits.identityByteCountMax).contains(application.utf8.count),
            application.utf8.allSatisfy({ $0 >= 32 && $0 != 127 })
        else {
            throw .refused(
                Refusal(
                    .wrongDatabase,
                    "'\(application)' is no name of an application: give a short line of text."
                )
            )
        }
        do {
            let disk = try PosixDisk(path, create: true)
            // One look: another process may be making it.
            let names = try disk.names(in: "")
            if !names.contains(Identity.path) {
                if let other = names.first(where: { !Self.harmlessNames.contains($0) }) {
                    throw unavailable("it is no database and not empty (\(other))")
                }
                try Store.create(on: disk, application: application, options: options)
            }
            return try Store(
                disk: disk,
                application: application,
                options: options,
                logger: Logger(level: .error)
            )
        } catch let error as DatabaseError {
            throw error
        } catch let error as StoreError {
            throw self.error(error)
        } catch let error as CommitLogError {
            throw self.error(error)
        } catch let error as DiskError {
            throw self.error(.disk(error))
        } catch {
            throw unavailable("\(error)")
        }
    }

    private func unavailable(_ reason: String) -> DatabaseError {
        .unavailable(directory: path, reason: reason)
    }

    /// What a store's error is to an application.
    func error(_ error: StoreError) -> DatabaseError {
        switch error {
        case .log(let cause): self.error(cause)
        case .unfoldable(let seq, let cause):
            unavailable(
                "commit \(seq) is whole, but cannot be folded (\(cause)); keep a copy of the directory"
            )
        case .otherApplication(let expected, let found):
            .refused(
                Refusal(
                    .wrongDatabase,
                    "\(path) belongs to the application '\(found)', not to '\(expected)'."
                )
            )
        case .tooManyPins(let limit): unavailable("more than \(limit) readers")
        case .busy(let milliseconds):
            .refused(
                Refusal(
                    .busy,
                    "Other processes that share \(path) have not let this one write for "
                        + "\(milliseconds) ms; try again."
                )
            )
        case .gap, .diverged, .otherEpoch, .badContent, .notHealing, .otherRecords, .readOnly:
            unavailable("\(error)")
        }
    }

    private func error(_ error: CommitLogError) -> DatabaseError {
        switch error {
        case .inUse:
            .refused(
                Refusal(
                    .busy,
                    "Another process has \(path) open; close it there, open another, or have every "
                        + "process open it with shared access."
                )
            )
        case .damaged(let file, let offset, _):
            .damaged(file: path + "/" + file, offset: UInt64(max(0, offset)))
        case .disk(let cause) where cause.isFull: .full
        case .alreadyPresent:
            unavailable("another process is making a database there; open it again")
        case .unsupportedFormat: unavailable("\(error); use a newer version")
        case .compacted, .notPresent, .notEmpty, .otherDatabase, .stopped, .disk:
            unavailable("\(error)")
        }
    }
}
