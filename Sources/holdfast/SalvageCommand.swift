// `holdfast salvage`: copies what is whole out of a damaged database, which it only reads.
//
// Everything is read before anything is written. The new directory gets its records first, then
// the log, then IDENTITY: killed in between it holds no database, and `serve` refuses it.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage

/// The rescue of a database.
enum SalvageCommand {
    static let command = Command(
        name: "salvage",
        summary: "Copies what is whole out of a damaged database. Changes nothing in it.",
        positionals: [],
        flags: [
            Flag("data", .text, "DIR", environment: true, "directory of the damaged database"),
            Flag("to", .text, "NEWDIR", "directory to make; one that is there must be empty"),
        ],
        notes: """
            NEWDIR becomes a database of the commits before the first damage, under a new epoch, which takes
            no writes until it is healed: `holdfast heal --from MIRROR` brings back all that a mirror, or an
            older copy of the directory, has behind the damage; `holdfast heal --discard` gives it up. Without
            such a copy, whole commits behind the damage cannot follow: the last whole version of every record
            they touched is written to NEWDIR/\(SalvagedRecords.name), a record or removal a line, for people
            to look at and put back. A torn tail alone is no damage: it is cut, as `serve` does, and the epoch
            stays. Stop the server first. With nothing whole, nothing is made and the exit code is 65.
            """,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let folder = DatabaseFolder(try arguments.required("data"))
        let target = DatabaseFolder(try arguments.required("to"))
        let disk = try source(folder)
        if isInside(target.path, folder.path) {
            throw arguments.usage("--to \(target.path) lies in \(folder.path), which is only read")
        }
        try refuseUsed(target)
        let salvage = try survey(disk, folder)
        let made: (epoch: Epoch, recordCount: Int)
        do {
            made = try write(salvage, to: target)
        } catch let error as CommitLogError {
            throw unfinished(CommandFailure(error, directory: target.path), target)
        } catch let error as DiskError {
            throw unfinished(
                CommandFailure(CommitLogError.disk(error), directory: target.path),
                target
            )
        } catch let error as CommandFailure {
            throw error
        } catch {
            // `ContentError`: a commit is whole, but of a later version.
            throw unfinished(CommandFailure(.damaged, "\(folder.path): \(error)"), target)
        }
        try Console.print(describe(salvage, made.epoch, made.recordCount, target))
    }

    // MARK: Reading

    private static func source(_ folder: DatabaseFolder) throws(CommandFailure) -> PosixDisk {
        guard let disk = try folder.existing() else {
            throw CommandFailure(CommitLogError.notPresent, directory: folder.path)
        }
        let names: [String]
        do throws(DiskError) {
            names = try disk.names(in: "")
        } catch {
            throw CommandFailure(CommitLogError.disk(error), directory: folder.path)
        }
        if names.contains("IDENTITY") { return disk }
        if names.contains("outbox") { throw mirror(folder) }
        if names.contains("log") { throw nameless(folder, "IDENTITY is missing") }
        throw CommandFailure(CommitLogError.notPresent, directory: folder.path)
    }

    private static func survey(
        _ disk: PosixDisk,
        _ folder: DatabaseFolder
    ) throws(CommandFailure) -> LogSalvage {
        var progress = Progress("commits read")
        let salvage: LogSalvage
        do throws(CommitLogError) {
            salvage = try CommitLog.salvage(disk: disk) { progress.step() }
        } catch {
            if case .damaged("IDENTITY", _, let why) = error {
                throw nameless(folder, "IDENTITY is damaged: \(why)")
            }
            if case .damaged = error { throw CommandFailure(.damaged, "\(folder.path): \(error)") }
            throw CommandFailure(error, directory: folder.path)
        }
        guard salvage.role == .authority else { throw mirror(folder) }
        let isNothing =
            salvage.keptHead == 0 && salvage.laterCount == 0 && !salvage.isCheckpointLater
        guard salvage.damages.isEmpty || !isNothing else {
            let lines = salvage.damages.map { "\($0)" } + ["\(folder.path): no commit is whole"]
            throw CommandFailure(.damaged, lines.joined(separator: "\n"))
        }
        return salvage
    }

    private static func nameless(_ folder: DatabaseFolder, _ why: String) -> CommandFailure {
        CommandFailure(
            .damaged,
            "\(folder.path): \(why); nothing else tells which database this is: put the file back "
                + "from a copy of the directory, it does not change but for its epoch"
        )
    }

    private static func mirror(_ folder: DatabaseFolder) -> CommandFailure {
        CommandFailure(
            .configuration,
            "\(folder.path) is a mirror's: its server has what it copied; let the application "
                + "connect anew, in another directory"
        )
    }

    // MARK: Writing

    /// Refuses a directory that holds anything, before the long work begins.
    private static func refuseUsed(_ target: DatabaseFolder) throws(CommandFailure) {
        guard let disk = try target.existing() else { return }
        let names: [String]
        do throws(DiskError) {
            names = try disk.names(in: "")
        } catch {
            throw CommandFailure(CommitLogError.disk(error), directory: target.path)
        }
        guard let other = names.first(where: { $0 != "lost+found" }) else { return }
        throw CommandFailure(
            .cannotCreate,
            "\(target.path) is not empty (\(other)); give an empty or new directory"
        )
    }

    private static func write(
        _ salvage: LogSalvage,
        to target: DatabaseFolder
    ) throws -> (epoch: Epoch, recordCount: Int) {
        let disk = try target.made()
        let count = try SalvagedRecords.write(of: salvage, to: disk)
        return (try salvage.write(to: disk, random: SystemRandom()), count)
    }

    private static func unfinished(
        _ failure: CommandFailure,
        _ target: DatabaseFolder
    ) -> CommandFailure {
        CommandFailure(
            failure.code,
            failure.message + "\n\(target.path) is not finished and holds no database: remove it "
                + "before another try"
        )
    }

    /// Whether a path, which may not exist yet, leads into a directory.
    private static func isInside(_ path: String, _ directory: String) -> Bool {
        guard let directory = resolved(directory) else { return false }
        var path = path
        while true {
            if let found = resolved(path) {
                return found == directory || found.hasPrefix(directory + "/")
            }
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            let above = parentDirectory(of: path)
            path = above.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : above
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }

    // MARK: Telling

    /// How many damages are told one by one.
    private static let toldCountMax = 100

    private static func describe(
        _ salvage: LogSalvage,
        _ epoch: Epoch,
        _ recordCount: Int,
        _ target: DatabaseFolder
    ) -> String {
        let isWhole = salvage.damages.isEmpty
        let list = "\(target.path)/\(SalvagedRecords.name)"
        var text = line("database", "\(salvage.identity.databaseID)")
        text += line("application", salvage.identity.application)
        text += line("kept", kept(salvage))
        text += line(
            "epoch",
            isWhole ? "\(epoch), as before" : "\(epoch), new from \(salvage.keptHead + 1) on"
        )
        if !isWhole {
            let checkpoint = salvage.isCheckpointLater ? ", and the checkpoint before them" : ""
            let later = "\(salvage.laterCount), whole, behind the first damage"
            text += line("later", later + checkpoint)
            text += line("records", recordCount == 0 ? "none" : "\(recordCount) in \(list)")
        }
        if salvage.tailByteCount > 0 {
            let (bytes, commits) = (salvage.tailByteCount, salvage.tailCommitCount)
            text += line("tail", "\(bytes) torn bytes left out, whole commits in them: \(commits)")
        }
        for damage in salvage.damages.prefix(toldCountMax) { text += line("found", "\(damage)") }
        if salvage.damages.count > toldCountMax {
            text += line("found", "\(salvage.damages.count - toldCountMax) more")
        }
        if isWhole {
            text += line("next", "nothing is damaged; serve one of the two directories, not both")
        } else {
            let heal = "holdfast heal --data \(target.path)"
            text += line("next", "\(heal) --from DIR, of a mirror or a copy that has the rest;")
            let back = recordCount == 0 ? "" : ", then put back what is wanted of the list"
            text += line("", "where there is none: \(heal) --discard\(back)")
            text += line("", "keep the damaged directory")
        }
        return text
    }

    private static func kept(_ salvage: LogSalvage) -> String {
        guard salvage.keptHead > 0 else { return "none" }
        let commits = "commits \(salvage.keptFirst) to \(salvage.keptHead)"
        guard let seq = salvage.checkpointSeq else { return commits }
        return "the checkpoint of commit \(seq), and \(commits)"
    }

    private static func line(_ name: String, _ value: String) -> String {
        pad(name, 13) + value + "\n"
    }
}
