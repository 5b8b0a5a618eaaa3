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

    /// Opens a database in which this process decides, and makes it where there is none.
    ///
    /// The directory is this process's alone until ``close()``. Works without any network.
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
    ///   - durability: When a write returns.
    ///   - user: Who writes.
    ///   - device: On which device; it holds borrows and creates ids in its own ranges.
    ///   - cacheByteCount: What decoded records of one tree may weigh together.
    /// - Returns: The open database.
    /// - Throws: `refused` (another application's, in use, a declaration that breaks the rules of
    ///   evolution, with the rules), `damaged`, `full`, `unavailable`.
    public static func open(
        _ directory: String,
        application: String,
        trees: [any Record.Type],
        durability: Durability = .group,
        user: String = "local",
        device: String = "local",
        cacheByteCount: Int = defaultCacheByteCount
    ) async throws(DatabaseError) -> Database {
        let types = try RecordTrees(trees)
        let store = try await Worker.run {
            Result { () throws(DatabaseError) in
                try StoreDirectory(directory).open(
                    application: application,
                    options: LogOptions(syncing: durability.syncing)
                )
            }
        }.get()
        return try await open(
            store,
            types,
            durability: durability,
            caller: Caller(user: user, device: device, app: application),
            cacheByteCount: cacheByteCount
        )
    }

    /// Opens a database on a store that no thread drives yet.
    static func open(
        _ store: Store,
        _ types: RecordTrees,
        durability: Durability = .group,
        caller: Caller,
        cacheByteCount: Int = defaultCacheByteCount
    ) async throws(DatabaseError) -> Database {
        let authority = LocalAuthority(store, caller: caller, durability: durability)
        let database = Database(
            store: store,
            authority: authority,
            gate: WriterGate(),
            trees: types,
            cacheByteCount: cacheByteCount
        )
        authority.start()
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
    private static let harmlessNames: Set = ["LOCK", "log", "IDENTITY.new", "lost+found"]

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
            if try !CommitLog.isPresent(disk: disk) {
                let names = try disk.names(in: "")
                if let other = names.first(where: { !Self.harmlessNames.contains($0) }) {
                    throw unavailable("it is no database and not empty (\(other))")
                }
                try Store.create(on: disk, application: application)
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
        case .gap, .diverged, .otherEpoch, .badContent, .notHealing, .otherRecords, .readOnly:
            unavailable("\(error)")
        }
    }

    private func error(_ error: CommitLogError) -> DatabaseError {
        switch error {
        case .inUse:
            .refused(
                Refusal(.busy, "Another process has \(path) open; close it there, or open another.")
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
