// `holdfast backup`: the state of a database as one more backup in a directory of them, of a server
// that runs or of a database's directory.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastStorage
internal import HoldfastStore

/// The making of backups, and the care of their directory.
enum BackupCommand {
    static let command = Command(
        name: "backup",
        summary: "Writes what stands as a backup into a directory; only what is new there.",
        positionals: ["DIR"],
        flags: [
            Flag("data", .text, "DATA", "directory of the database, also beside its server"),
            Flag("keep", .number, "COUNT", "drops older backups, so that so many stay"),
            Flag(toggle: "list", "lists the backups of DIR instead of making one"),
            Flag(toggle: "verify", "reads every byte of DIR instead of making one"),
        ] + Client.flags,
        notes: """
            DIR holds any number of backups of one database. Each is whole by itself: what stood at one
            position, and what every change did; of history there is none. Parts that two backups have in
            common are there once. Ended at any moment, older backups stay as they were, and the next
            try goes on with the parts that are there. Without --data the server at --url is asked, which
            writes a snapshot first. `holdfast restore` makes a database of a backup.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let path = arguments.positionals[0]
        let count = try arguments.integer("keep", 1...1_000_000)
        if arguments.has("list") || arguments.has("verify") {
            if arguments.has("data") {
                throw arguments.usage("--list and --verify make no backup: they take no --data")
            }
            let folder = BackupFolder(path)
            let disk = try folder.existing()
            if let count { try folder.keep(Int(count), disk) }
            if arguments.has("list") { try folder.list(disk) }
            if arguments.has("verify") { try folder.verify(disk) }
            return
        }
        if arguments.has("data"), arguments.setting("url")?.origin == "--url" {
            throw arguments.usage("give --data or --url, not both")
        }
        let folder = BackupFolder(path)
        if let data = arguments.text("data") {
            try backUp(DatabaseFolder(data), folder)
        } else {
            try BackupFetch(Client(arguments), folder).run()
        }
        if let count { try folder.keep(Int(count), folder.existing()) }
    }

    private static func backUp(
        _ database: DatabaseFolder,
        _ folder: BackupFolder
    ) throws(CommandFailure) {
        let source = try database.existingDisk()
        let told = try Progress.telling("backing up") { () throws(CommandFailure) in
            let store = try database.fold(source)
            do throws(CommitLogError) {
                try CommitLog.syncSeen(on: source)
            } catch {
                throw CommandFailure(error, directory: database.path)
            }
            var writer = try folder.writer(of: store.identity)
            defer { writer.close() }
            try folder.files.copy(of: store, from: source)
            do throws(StoreError) {
                guard let made = try store.backUp(into: &writer) else { return Told?.none }
                return (made.backup, made.isNew, writer.writtenCount, writer.writtenByteCount)
            } catch {
                guard case .log(let cause) = error else {
                    throw CommandFailure(error, directory: database.path)
                }
                throw CommandFailure(cause, directory: folder.path)
            }
        }
        guard let told else {
            return try Console.print(BackupFolder.line("backup", "none: the database is empty"))
        }
        try folder.tell(told)
    }

    /// What a backup did: whether it is new, and what was written for it.
    typealias Told = (backup: Backup, isNew: Bool, partCount: Int, byteCount: Int)
}

/// A directory of backups, and what its failures mean to an operator.
struct BackupFolder {
    let path: String

    init(_ path: String) { self.path = path }

    /// The files of its database.
    var files: BackupFiles { BackupFiles(folder: self) }

    /// Begins a backup; makes the directory where there is none.
    func writer(of identity: Identity) throws(CommandFailure) -> BackupWriter {
        let disk = try DatabaseFolder(path).made()
        do throws(CommitLogError) {
            return try BackupWriter(disk, of: identity)
        } catch {
            throw failure(error)
        }
    }

    /// The directory, which must hold backups.
    func existing() throws(CommandFailure) -> PosixDisk {
        if let disk = try DatabaseFolder(path).existing() {
            do throws(CommitLogError) {
                if try Backup.identity(on: disk) != nil { return disk }
            } catch {
                throw failure(error)
            }
        }
        throw CommandFailure(
            .notFound,
            "\(path) holds no backups; `holdfast backup \(path)` makes one there"
        )
    }

    /// The backups that can be read, oldest first; damaged ones are told on standard error.
    func backups(_ disk: PosixDisk) throws(CommandFailure) -> [Backup] {
        do throws(CommitLogError) {
            let (backups, damages) = try Backup.all(on: disk)
            for damage in damages { Console.complain("\(path): \(damage)") }
            return backups
        } catch {
            throw failure(error)
        }
    }

    func list(_ disk: PosixDisk) throws(CommandFailure) {
        var text = ""
        for backup in try backups(disk) {
            text += "\(backup.position)  \(Timestamp.text(milliseconds: backup.madeAt))  "
            text += "\(backup.manifest.parts.count) parts, \(backup.byteCount) bytes\n"
        }
        try Console.print(text)
    }

    func verify(_ disk: PosixDisk) throws(CommandFailure) {
        var progress = Progress("bytes read")
        var (count, byteCount) = (0, 0)
        var damages: [CommitLogError]
        do throws(CommitLogError) {
            damages = try Backup.verify(on: disk) { bytes in
                count += 1
                byteCount += bytes
                progress.add(bytes)
            }
        } catch {
            throw failure(error)
        }
        let (files, fileDamages) = try self.files.verify(disk, &progress)
        damages += fileDamages
        guard damages.isEmpty else {
            let lines = damages.map { "\(path): \($0)" }
            throw CommandFailure(
                .damaged,
                lines.joined(separator: "\n") + "\nremove a damaged part, and the next backup "
                    + "writes it again where it still stands; keep another copy of \(path)"
            )
        }
        try Console.print(
            Self.line("backups", "\(try backups(disk).count)")
                + Self.line("parts", "\(count), \(byteCount) bytes")
                + (files.isEmpty ? "" : Self.line("files", files)) + "whole\n"
        )
    }

    func keep(_ count: Int, _ disk: PosixDisk) throws(CommandFailure) {
        let dropped: [Backup]
        do throws(CommitLogError) {
            dropped = try BackupWriter.keep(count, on: disk)
        } catch {
            throw failure(error)
        }
        try Console.print(dropped.map { Self.line("dropped", "\($0.position)") }.joined())
    }

    func tell(_ told: BackupCommand.Told) throws(CommandFailure) {
        let backup = told.backup
        try Console.print(
            Self.line("backup", "\(backup.position)" + (told.isNew ? "" : ", there already"))
                + Self.line(
                    "parts",
                    "\(backup.manifest.parts.count), \(backup.byteCount) bytes"
                )
                + Self.line("written", "\(told.partCount), \(told.byteCount) bytes")
        )
    }

    static func line(_ name: String, _ value: String) -> String { pad(name, 10) + value + "\n" }

    /// Why backups cannot be written or read.
    func failure(_ error: CommitLogError) -> CommandFailure {
        switch error {
        case .notEmpty(let name):
            CommandFailure(
                .cannotCreate,
                "\(path) holds no backups and is not empty (\(name)); give an empty or new directory"
            )
        case .otherDatabase:
            CommandFailure(.configuration, "\(path): \(error); give another directory")
        case .inUse:
            CommandFailure(.busy, "another backup is being written into \(path); try again later")
        case .damaged:
            CommandFailure(
                .damaged,
                "\(path): \(error); `holdfast backup \(path) --verify` tells all that is damaged"
            )
        default: CommandFailure(error, directory: path)
        }
    }
}
