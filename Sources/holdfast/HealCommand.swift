// `holdfast heal`: ends the healing of a restored database.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// What becomes of the commits that were made after a backup.
enum HealCommand {
    static let command = Command(
        name: "heal",
        summary: "Ends the healing of a restored database: writes are taken again.",
        positionals: [],
        flags: [
            Flag(toggle: "discard", "gives up the commits after the backup"),
            Flag("data", .text, "DATA", "directory of the restored database, which nobody serves"),
        ] + Client.flags,
        notes: """
            --discard: the new epoch begins for good. Ids that lost commits may have given out are passed
            over. Mirrors take the restored state; what a mirror itself had written after the backup comes
            back there as stranded changes, `lost-by-restore`, to be offered again. Without --data the server
            at --url does it; which mirrors have more than it, `GET /v1` tells.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        guard arguments.has("discard") else {
            throw arguments.usage("say what becomes of the commits after the backup: --discard")
        }
        guard let path = arguments.text("data") else { return try ask(Client(arguments)) }
        if arguments.setting("url")?.origin == "--url" {
            throw arguments.usage("give --data or --url, not both")
        }
        try discard(DatabaseFolder(path))
    }

    private static func ask(_ client: Client) throws(CommandFailure) {
        var body = ByteBuffer()
        _ = try client.send("POST", "/v1/heal?discard=true", body: [], isLong: true) {
            (bytes: ByteView) throws(CommandFailure) in body.append(bytes)
        }
        var position: String?
        do throws(JSONError) {
            let found = try JSONScanner.member(named: ByteView("position"), in: body.view)
            position = found?.text.filter { $0 != "\"" }
        } catch {
            // Told below: it is no server of this kind.
        }
        guard let position else {
            throw CommandFailure(.unreachable, "what answers at --url is no Holdfast server")
        }
        try tell(position)
    }

    private static func discard(_ folder: DatabaseFolder) throws(CommandFailure) {
        _ = try folder.existingDisk()
        let store = try folder.open(application: nil, logger: Logger(level: .warning))
        let runner = StoreRunner(store)
        let result = Result { () throws(StoreError) -> Position in
            do throws(StoreError) {
                let position = try store.discardLost()
                try runner.close()
                return position
            } catch {
                try runner.close()
                throw error
            }
        }
        switch result {
        case .success(let position): try tell("\(position)")
        case .failure(.readOnly(let why)):
            throw CommandFailure(.refused, "\(folder.path): \(why)")
        case .failure(let error): throw CommandFailure(error, directory: folder.path)
        }
    }

    private static func tell(_ position: String) throws(CommandFailure) {
        try Console.print(BackupFolder.line("healed", "writes are taken from \(position) on"))
    }
}
