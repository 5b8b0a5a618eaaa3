// `holdfast restore`: makes a database of a backup.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage

/// The way back from a backup.
enum RestoreCommand {
    static let command = Command(
        name: "restore",
        summary: "Makes a database of a backup, in a new directory.",
        positionals: ["DIR"],
        flags: [
            Flag("data", .text, "NEWDATA", "directory to make; one that is there must be empty"),
            Flag("at", .text, "POSITION", "SEQ or EPOCH:SEQ, as --list shows it (the last backup)"),
        ],
        notes: """
            Every part is hashed on its way. NEWDATA becomes the same database in a new epoch, with
            what stood at the backup's position, and is marked as healing: a server serves it for reading alone
            until `holdfast heal` says what becomes of the commits that were made after the backup. Ended
            early there is no database in NEWDATA, and the same command goes on.
            """,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let folder = BackupFolder(arguments.positionals[0])
        let target = DatabaseFolder(try arguments.required("data"))
        let source = try folder.existing()
        let backup = try chosen(of: folder.backups(source), arguments, folder)
        let disk = try target.made()
        let identity: Identity
        var progress = Progress("bytes written")
        do throws(CommitLogError) {
            identity = try backup.restore(from: source, to: disk, random: SystemRandom()) {
                progress.add($0)
            } prepare: { () throws(CommitLogError) in
                try BackupFiles.restore(from: source, to: disk, &progress)
            }
        } catch {
            throw failure(error, folder, target)
        }
        try Console.print(
            BackupFolder.line("database", "\(identity.databaseID)")
                + BackupFolder.line("restored", "\(backup.position)")
                + BackupFolder.line("epoch", "\(identity.epoch), new from here on")
                + BackupFolder.line("next", "serve it: it is healing, and takes no writes until")
                + BackupFolder.line("", "`holdfast heal` ends that")
        )
    }

    /// The backup that `--at` names, or the last one.
    private static func chosen(
        of backups: [Backup],
        _ arguments: Arguments,
        _ folder: BackupFolder
    ) throws(CommandFailure) -> Backup {
        let wanted = arguments.setting("at")
        if let wanted, !wanted.text.contains(":"), UInt64(wanted.text) == nil {
            throw wanted.failure("give a SEQ or EPOCH:SEQ")
        }
        let found = backups.last { backup in
            guard let wanted else { return true }
            return wanted.text == "\(backup.position)" || wanted.text == "\(backup.position.seq)"
        }
        if let found { return found }
        let path = folder.path
        throw CommandFailure(
            .notFound,
            "\(path) holds no backup" + (wanted.map { " of \($0.text)" } ?? "")
                + "; `holdfast backup \(path) --list` lists them"
        )
    }

    private static func failure(
        _ error: CommitLogError,
        _ folder: BackupFolder,
        _ target: DatabaseFolder
    ) -> CommandFailure {
        switch error {
        case .notEmpty(let name):
            CommandFailure(
                .cannotCreate,
                "\(target.path) is not empty (\(name)); give an empty or new directory"
            )
        case .alreadyPresent:
            CommandFailure(
                .cannotCreate,
                "\(target.path) holds a database already; give an empty or new directory"
            )
        case .damaged: folder.failure(error)
        default: CommandFailure(error, directory: target.path)
        }
    }
}
