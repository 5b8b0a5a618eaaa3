// `holdfast heal`: ends the healing of a restored database, after what came since its backup was
// handed back by whoever has it, or without.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastWire

/// What becomes of the commits that were made after a backup.
enum HealCommand {
    static let command = Command(
        name: "heal",
        summary: "Ends the healing of a restored database: writes are taken again.",
        positionals: [],
        flags: [
            Flag("from", .text, "MIRROR", "directory of a mirror that has what is lost"),
            Flag(toggle: "discard", "gives up the commits after the last one that is there"),
            Flag("data", .text, "DATA", "directory of the restored database, which nobody serves"),
        ] + Client.flags,
        notes: """
            --from: run where the mirror's directory is, the mirror open or not. Commits that the server had
            accepted, and the restore lost, go back as they were: same positions, same ids. What the mirror has
            not been answered yet stays in it. Any mirror of all trees serves, if its log reaches back to the
            backup; so does another copy of the database's directory. Nothing is taken of one that does not
            fit, and what was cut off goes on when the same command runs again. Then the healing ends, unless
            another mirror has shown later commits still: heal from that one too, or say --discard as well.

            --discard: a new epoch begins. Ids that lost commits may have given out are passed
            over. Mirrors take the restored state; what a mirror itself had written after it comes
            back there as stranded changes, `lost-by-restore`, to be offered again.

            Without --data the server at --url does it; which mirrors have more than it, `GET /v1` tells.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let source = arguments.text("from")
        guard source != nil || arguments.has("discard") else {
            throw arguments.usage(
                "say what becomes of the commits after the backup: --from MIRROR or --discard"
            )
        }
        guard let path = arguments.text("data") else {
            return try heal(ServerPatient(Client(arguments)), source, arguments)
        }
        if arguments.setting("url")?.origin == "--url" {
            throw arguments.usage("give --data or --url, not both")
        }
        let patient = try FolderPatient(DatabaseFolder(path))
        do throws(CommandFailure) {
            try heal(patient, source, arguments)
            try patient.close()
        } catch {
            try patient.close()
            throw error
        }
    }

    private static func heal(
        _ patient: some Patient,
        _ path: String?,
        _ arguments: Arguments
    ) throws(CommandFailure) {
        if let path {
            let chart = try patient.look()
            let source = try HealSource(path, for: chart)
            let count = try source.handBack(to: patient, after: chart.head.seq)
            try Console.print(
                BackupFolder.line("returned", "\(count) commits, up to \(source.head)")
            )
            let ahead = try patient.look().ahead.filter { $0.position.seq > source.head.seq }
            guard ahead.isEmpty || arguments.has("discard") else {
                let names = ahead.map { "\($0.device) (\($0.position))" }.joined(separator: ", ")
                throw CommandFailure(
                    .refused,
                    "healing goes on, as other mirrors have shown later commits: \(names); heal "
                        + "--from one of them too, or end it by --discard"
                )
            }
        }
        try Console.print(
            BackupFolder.line("healed", "writes are taken from \(try patient.end()) on")
        )
    }
}
