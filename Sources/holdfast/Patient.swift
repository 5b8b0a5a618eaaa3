// A database that is healing, as `holdfast heal` treats it: behind a server, or in a directory
// nobody serves.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// How it stands with a database that was restored.
struct Chart {
    /// What messages call it.
    let name: String
    let databaseID: UniqueID
    let lineage: [EpochStart]
    /// The last commit it has, and the chain there.
    let head: Position
    let chain: Hash128
    /// The commit whose state was restored; nil when it is not healing.
    let restored: Position?
    /// Mirrors that have shown later commits.
    var ahead: [HealingDocument.Mirror] = []
}

/// A database that is to be healed.
protocol Patient {
    /// How it stands with it.
    func look() throws(CommandFailure) -> Chart
    /// Hands commits back to it.
    func take(_ tail: HealingTail) throws(CommandFailure)
    /// Ends the healing; gives the position writes are taken from.
    func end() throws(CommandFailure) -> String
}

/// A server's database.
struct ServerPatient: Patient {
    private let client: Client

    init(_ client: Client) { self.client = client }

    func look() throws(CommandFailure) -> Chart {
        let server: ServerDocument
        do {
            server = try ask("GET", "/v1", nil).withView { try ServerDocument($0) }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw Self.foreign
        }
        return Chart(
            name: "the server",
            databaseID: server.databaseID,
            lineage: server.lineage,
            head: server.head,
            chain: server.chain,
            restored: server.healing?.restored,
            ahead: server.healing?.ahead ?? []
        )
    }

    func take(_ tail: HealingTail) throws(CommandFailure) {
        var body = ByteBuffer()
        tail.append(to: &body)
        _ = try ask("POST", "/v1/heal", body.array)
    }

    func end() throws(CommandFailure) -> String {
        let body = try ask("POST", "/v1/heal?discard=true", [])
        let position = body.withView { body -> String? in
            do throws(JSONError) {
                return try JSONScanner.member(named: ByteView("position"), in: body)?.text
            } catch {
                // Told below: it is no server of this kind.
                return nil
            }
        }
        if let position { return position.filter { $0 != "\"" } }
        throw Self.foreign
    }

    private func ask(
        _ method: String,
        _ target: String,
        _ body: [UInt8]?
    ) throws(CommandFailure) -> [UInt8] {
        var answer = ByteBuffer()
        let isTail = body.map { !$0.isEmpty } ?? false
        _ = try client.send(
            method,
            target,
            fields: isTail ? [("content-type", "application/octet-stream")] : [],
            body: body,
            isLong: body != nil
        ) { (bytes: ByteView) throws(CommandFailure) in answer.append(bytes) }
        return answer.array
    }

    private static var foreign: CommandFailure {
        CommandFailure(.unreachable, "what answers at --url is no Holdfast server")
    }
}

/// A database in a directory nobody serves.
struct FolderPatient: Patient {
    private let folder: DatabaseFolder
    private let store: Store
    private let runner: StoreRunner

    /// Opens it for writing.
    init(_ folder: DatabaseFolder) throws(CommandFailure) {
        self.folder = folder
        _ = try folder.existingDisk()
        store = try folder.open(application: nil, logger: Logger(level: .warning))
        runner = StoreRunner(store)
    }

    /// Closes it.
    func close() throws(CommandFailure) { try told { () throws(StoreError) in try runner.close() } }

    func look() -> Chart {
        let lineage = store.lineage
        return store.read { reader in
            Chart(
                name: folder.path,
                databaseID: store.identity.databaseID,
                lineage: lineage,
                head: reader.confirmedPosition,
                chain: reader.confirmedChain,
                restored: reader.healing?.restored
            )
        }
    }

    func take(_ tail: HealingTail) throws(CommandFailure) {
        _ = try told { () throws(StoreError) in
            try store.handBack(tail.contents, of: tail.lineage, leadingTo: tail.hashes)
        }
    }

    func end() throws(CommandFailure) -> String {
        "\(try told { () throws(StoreError) in try store.discardLost() })"
    }

    private func told<T>(_ body: () throws(StoreError) -> T) throws(CommandFailure) -> T {
        do throws(StoreError) {
            return try body()
        } catch .readOnly(let why) {
            throw CommandFailure(.refused, "\(folder.path): \(why)")
        } catch {
            throw CommandFailure(error, directory: folder.path)
        }
    }
}
