// The directory of a database, opened for serving or for looking, and what its failures mean to an
// operator.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastNetworking
internal import HoldfastServer
internal import HoldfastStorage
internal import HoldfastStore

/// A directory that holds a database, or will.
struct DatabaseFolder {
    let path: String

    init(_ path: String) { self.path = path }

    // What an interrupted making of a database, or the file system, leaves in an empty directory.
    private static let harmlessNames: Set = CommitLog.lockNames.union([
        "log", "IDENTITY.new", "lost+found",
    ])

    /// Opens the database for writing; makes one where there is none and `application` is named.
    func open(
        application: String?,
        syncing: Syncing = .batches,
        segmentByteCount: Int = Limits.segmentByteCount,
        logger: Logger
    ) throws(CommandFailure) -> Store {
        let options = LogOptions(segmentByteCount: segmentByteCount, syncing: syncing)
        let disk = try existing()
        if let disk, try isPresent(disk) {
            return try store(disk, application, options, logger)
        }
        guard let application else {
            throw CommandFailure(
                .usage,
                "\(path) holds no database yet; to make one, name the application it is for: "
                    + "--application NAME"
            )
        }
        if let disk { try refuseForeign(disk) }
        return try store(make(application, options, logger), application, options, logger)
    }

    /// Opens the disk for looking only.
    func existingDisk() throws(CommandFailure) -> PosixDisk {
        guard let disk = try existing(), try isPresent(disk) else {
            throw CommandFailure(CommitLogError.notPresent, directory: path)
        }
        return disk
    }

    /// Folds the database without changing anything, beside a live server too.
    func fold(_ disk: PosixDisk) throws(CommandFailure) -> Store {
        try store(disk, nil, LogOptions(isWritable: false), Logger(level: .error))
    }

    /// The directory, whatever it holds; nil when there is none.
    func existing() throws(CommandFailure) -> PosixDisk? {
        do throws(DiskError) {
            return try PosixDisk(path)
        } catch {
            if error.isMissing { return nil }
            throw CommandFailure(.cannotCreate, "cannot open the directory: \(error)")
        }
    }

    private func isPresent(_ disk: PosixDisk) throws(CommandFailure) -> Bool {
        do throws(CommitLogError) {
            return try CommitLog.isPresent(disk: disk)
        } catch {
            throw CommandFailure(error, directory: path)
        }
    }

    private func refuseForeign(_ disk: PosixDisk) throws(CommandFailure) {
        let names: [String]
        do throws(DiskError) {
            names = try disk.names(in: "")
        } catch {
            throw CommandFailure(CommitLogError.disk(error), directory: path)
        }
        guard let other = names.first(where: { !Self.harmlessNames.contains($0) }) else { return }
        throw CommandFailure(
            .cannotCreate,
            "\(path) is no database and not empty (\(other)); give an empty or new directory"
        )
    }

    /// The directory, which is made where there is none.
    func made() throws(CommandFailure) -> PosixDisk {
        do throws(DiskError) {
            return try PosixDisk(path, create: true)
        } catch {
            throw CommandFailure(
                .cannotCreate,
                "cannot make \(path): \(error); give a directory this user may write"
            )
        }
    }

    private func make(
        _ application: String,
        _ options: LogOptions,
        _ logger: Logger
    ) throws(CommandFailure) -> PosixDisk {
        let disk = try made()
        do throws(StoreError) {
            try Store.create(on: disk, application: application, options: options)
        } catch {
            if case .log(.disk(let cause)) = error {
                throw CommandFailure(.cannotCreate, "cannot make a database in \(path): \(cause)")
            }
            throw CommandFailure(error, directory: path)
        }
        logger.log(.info, "database.made", ["data": path, "application": application])
        return disk
    }

    private func store(
        _ disk: PosixDisk,
        _ application: String?,
        _ options: LogOptions,
        _ logger: Logger
    ) throws(CommandFailure) -> Store {
        do throws(StoreError) {
            let store = try Store(
                disk: disk,
                application: application,
                options: options,
                logger: logger
            )
            if options.isWritable { tell(store.recovery, logger) }
            return store
        } catch {
            throw CommandFailure(error, directory: path)
        }
    }

    private func tell(_ found: LogRecovery, _ logger: Logger) {
        logger.log(
            .info,
            "database.opened",
            ["data": path, "commits": "\(found.commitCount)", "clean": "\(found.wasClean)"]
        )
        if found.cutByteCount > 0 {
            logger.log(
                .warning,
                "database.tail.cut",
                ["bytes": "\(found.cutByteCount)", "commits": "\(found.cutCommitCount)"]
            )
        }
        if found.resyncedCommitCount > 0 {
            logger.log(
                .info,
                "database.tail.synced",
                ["commits": "\(found.resyncedCommitCount)"]
            )
        }
    }
}

// MARK: What failures mean

extension CommandFailure {
    /// Why a database cannot be opened, read or closed.
    init(_ error: StoreError, directory: String) {
        switch error {
        case .log(let cause): self.init(cause, directory: directory)
        case .unfoldable(let seq, let cause):
            self.init(
                .damaged,
                "\(directory): commit \(seq) is whole, but cannot be folded (\(cause)); keep a copy "
                    + "of the directory and report it"
            )
        case .otherApplication(let expected, let found):
            self.init(
                .configuration,
                "\(directory) belongs to the application '\(found)', not '\(expected)'; give "
                    + "--application '\(found)' or another --data"
            )
        case .tooManyPins(let limit):
            self.init(.busy, "more than \(limit) readers; try again later")
        case .busy(let milliseconds):
            self.init(.busy, "\(directory): others have written for \(milliseconds) ms; try again")
        case .gap, .diverged, .otherEpoch, .badContent, .readOnly:
            self.init(.damaged, "\(directory): a mirror cannot go on: \(error)")
        case .notHealing:
            self.init(.refused, "\(directory) is not healing: there is nothing to hand back")
        case .otherRecords(let block):
            self.init(
                .damaged,
                "\(directory): all commits are here, but other records in \(block) than in the log "
                    + "they came of; run holdfast verify on both"
            )
        }
    }

    /// Why a log cannot be opened, read or closed.
    init(_ error: CommitLogError, directory: String) {
        switch error {
        case .alreadyPresent:
            self.init(.busy, "another process is making a database in \(directory); start again")
        case .notPresent:
            self.init(.notFound, "\(directory) holds no database; check --data")
        case .inUse:
            self.init(
                .busy,
                "another process has \(directory) open for writing; stop it, or give another --data"
            )
        case .damaged:
            self.init(
                .damaged,
                "\(directory): \(error); nothing was changed: keep a copy of the directory, "
                    + "`holdfast verify --data \(directory)` tells all that is damaged, "
                    + "`holdfast salvage` copies out what is whole"
            )
        case .unsupportedFormat:
            self.init(.damaged, "\(directory): \(error); use a newer holdfast")
        case .compacted:
            self.init(.notFound, "\(directory): \(error)")
        case .notEmpty, .otherDatabase:
            self.init(.cannotCreate, "\(directory): \(error); give an empty or new directory")
        case .disk(let cause):
            self.init(.diskFailed, "\(directory): \(cause)")
        case .stopped:
            self.init(.diskFailed, "\(directory): \(error)")
        }
    }

    /// Why a server cannot listen or serve its viewer.
    init(_ error: ServerError) {
        switch error {
        case .network(.addressInUse(let address)):
            self.init(
                .busy,
                "another process listens on \(address); stop it, or give another --listen"
            )
        case .network(let cause):
            if case .cannotMakeLoop = cause {
                self.init(.busy, "\(cause); give fewer --loops")
            } else {
                self.init(.configuration, "\(cause); give another --listen")
            }
        case .files(.unreadable(let path)):
            self.init(.configuration, "cannot read \(path); give another --web")
        case .files(.tooLarge(let path, let limit)):
            self.init(
                .configuration,
                "\(path) is larger than \(limit) bytes; give a --web that holds the viewer alone"
            )
        }
    }
}
