// A backup of a server that runs: its snapshot, fetched part by part.
//
// A part that was cut off goes on where it was. When another snapshot takes the place of the one
// that is fetched, the new one is fetched instead: what is here already counts for it too.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastWire

/// One backup of one server.
struct BackupFetch {
    private let client: Client
    private let folder: BackupFolder

    init(_ client: Client, _ folder: BackupFolder) {
        self.client = client
        self.folder = folder
    }

    /// How often a snapshot that went away is asked for again, and a part that was cut.
    private static let tryCountMax = 5

    /// Has the server write a snapshot, and fetches what of it is not there yet.
    func run() throws(CommandFailure) {
        try Progress.telling("the server writes its snapshot") { () throws(CommandFailure) in
            _ = try client.send("POST", "/v1/snapshot?whole=true", body: [], isLong: true) {
                (_: ByteView) throws(CommandFailure) in
            }
        }
        let server: ServerDocument
        do {
            server = try get("/v1").withView { try ServerDocument($0) }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw Self.foreign
        }
        guard server.head.seq > 0 else {
            return try Console.print(BackupFolder.line("backup", "none: the database is empty"))
        }
        guard LogStart.isLineage(server.lineage), server.application.utf8.allSatisfy({ $0 >= 32 }),
            server.application.utf8.count <= Limits.identityByteCountMax
        else { throw Self.foreign }
        let identity = Identity(
            databaseID: server.databaseID,
            application: server.application,
            epoch: server.epoch
        )
        var writer = try folder.writer(of: identity)
        defer { writer.close() }
        for attempt in 1... {
            do throws(CommandFailure) {
                let manifest = try fetch(server, &writer)
                try folder.files.fetch(client)
                return try finish(manifest, server, writer)
            } catch {
                // A part that is not there any more: another snapshot is.
                guard error.code == .notFound, attempt < Self.tryCountMax else { throw error }
            }
        }
    }

    /// Fetches the parts of the server's snapshot that are not there yet.
    private func fetch(
        _ server: ServerDocument,
        _ writer: inout BackupWriter
    ) throws(CommandFailure) -> Manifest {
        let document: SnapshotDocument
        do {
            document = try get("/v1/snapshot").withView { try SnapshotDocument($0) }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw Self.foreign
        }
        let epoch = server.lineage.last { $0.firstSeq <= document.position.seq }?.epoch
        guard document.databaseID == server.databaseID, document.position.seq > 0,
            epoch == document.position.epoch
        else {
            throw CommandFailure(
                .unreachable,
                "the snapshot is of another history than the server told of; try again"
            )
        }
        var progress = Progress("bytes fetched")
        for part in document.parts where !writer.has(part.digest) {
            let bytes = try fetch(part)
            do throws(CommitLogError) {
                try writer.write(BuiltPart(reference: part, bytes: bytes))
            } catch {
                throw folder.failure(error)
            }
            progress.add(part.byteCount)
        }
        return Manifest(
            databaseID: document.databaseID,
            seq: document.position.seq,
            chain: document.chain,
            time: document.time,
            trees: document.trees,
            parts: document.parts
        )
    }

    /// Fetches one part; what came before a cut is kept.
    private func fetch(_ part: PartReference) throws(CommandFailure) -> [UInt8] {
        var bytes = ByteBuffer()
        var cutCount = 0
        while bytes.count < part.byteCount {
            let before = bytes.count
            do throws(CommandFailure) {
                _ = try client.send(
                    "GET",
                    "/v1/snapshot/\(part.digest)",
                    fields: [("range", "bytes=\(before)-\(part.byteCount - 1)")]
                ) { (more: ByteView) throws(CommandFailure) in
                    guard bytes.count + more.count <= part.byteCount else { throw Self.foreign }
                    bytes.append(more)
                }
            } catch {
                guard error.code == .unreachable else { throw error }
                cutCount = bytes.count > before ? 1 : cutCount + 1
                guard cutCount < Self.tryCountMax else { throw error }
                Console.complain("\(error.message); going on in a second ...")
                sleep(1)
            }
        }
        guard SHA256.digest(bytes.view) == part.digest else {
            throw CommandFailure(
                .damaged,
                "what the server sent as part \(part.digest) is not what its name says; run "
                    + "holdfast verify on the server's directory"
            )
        }
        return bytes.array
    }

    private func finish(
        _ manifest: Manifest,
        _ server: ServerDocument,
        _ writer: BackupWriter
    ) throws(CommandFailure) {
        let made: (backup: Backup, isNew: Bool)
        do throws(CommitLogError) {
            made = try writer.finish(
                manifest,
                application: server.application,
                lineage: server.lineage,
                at: SystemTime().wallMilliseconds()
            )
        } catch {
            throw folder.failure(error)
        }
        try folder.tell(
            (made.backup, made.isNew, writer.writtenCount, writer.writtenByteCount)
        )
    }

    private func get(_ target: String) throws(CommandFailure) -> [UInt8] {
        var body = ByteBuffer()
        _ = try client.send("GET", target) { (bytes: ByteView) throws(CommandFailure) in
            body.append(bytes)
        }
        return body.array
    }

    private static var foreign: CommandFailure {
        CommandFailure(.unreachable, "what answers at --url is no Holdfast server")
    }
}
