// The way out of a database and back: a backup of everything, and a database made of it.
internal import Foundation
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastStorage
internal import HoldfastStore

/// `backup_bytes_per_s`, `restore_bytes_per_s`.
///
/// Records of 200 bytes, one a commit, in an open store, as a server has them. A backup is the
/// first of its directory: every part is put together, hashed, written and synced. A restore reads,
/// hashes, writes and syncs them. The peer copies the finished backup, file by file, and syncs what
/// it has written; it hashes nothing.
enum BackupMeasure {
    #if DEBUG
    private static let quickCount = 10_000
    #else
    private static let quickCount = 100_000
    #endif

    static func run(_ context: Context) throws {
        let count = context.choose(quick: quickCount, whole: 500_000)
        let opened = try StoreUnderTest(context.folder.fresh("backed-up"))
        for number in 0..<count {
            try opened.insert([Array(Sample.document(byteCount: 200, number: number).utf8)])
            if number % 4096 == 4095 { opened.store.syncStep() }
        }
        opened.store.syncStep()
        var (written, restored, copied): ([Double], [Double], [Double]) = ([], [], [])
        for _ in 0..<context.choose(quick: 2, whole: 5) {
            let path = context.folder.fresh("backups")
            let folder = try PosixDisk(path, create: true)
            var made: Backup?
            let backupSeconds = try Clock.seconds {
                var writer = try BackupWriter(folder, of: opened.store.identity)
                made = try opened.store.backUp(into: &writer)?.backup
                writer.close()
            }
            guard let backup = made else { throw BenchError("no backup was made") }
            let target = try PosixDisk(context.folder.fresh("restored"), create: true)
            let restoreSeconds = try Clock.seconds {
                _ = try backup.restore(from: folder, to: target, random: SystemRandom())
            }
            let copySeconds = try copy(path, to: context.folder.fresh("copied"))
            let byteCount = Double(backup.byteCount)
            written.append(byteCount / backupSeconds)
            restored.append(byteCount / restoreSeconds)
            copied.append(byteCount / copySeconds)
        }
        try opened.store.close()
        add(context, "backup_bytes_per_s", written, copied)
        add(context, "restore_bytes_per_s", restored, copied)
    }

    /// Copies a directory as an operator would, until it is on the disk; how long that takes.
    private static func copy(_ path: String, to target: String) throws -> Double {
        guard let shell = ChildProcess.find("sh") else { throw BenchError("there is no sh") }
        let script = "cp -r \"$1\" \"$2\" && find \"$2\" -exec sync {} +"
        return try Clock.seconds {
            _ = try ChildProcess(shell, ["-c", script, "copy", path, target]).finish()
        }
    }

    private static func add(
        _ context: Context,
        _ measure: String,
        _ rounds: [Double],
        _ copied: [Double]
    ) {
        context.report.add(
            Measurement(
                measure: measure,
                unit: "bytes/s",
                aim: .more,
                rounds: rounds,
                peer: .measured("cp -r and sync", rounds: copied)
            )
        )
    }
}
