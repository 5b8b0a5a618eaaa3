// The server's snapshot in a simulation: compactions, and the way of parts to a mirror that the log
// does not reach back to any more, as `MirrorRenewal` and `MirrorLink` have it in a program.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire

@testable import Holdfast
@testable import HoldfastHTTP

extension SimulatedServer {
    /// What it says of itself before anybody is let in.
    var document: ServerDocument {
        let (lineage, seq) = (store.lineage, store.manifest?.seq)
        let head = store.progress.durable
        return store.read { reader in
            ServerDocument(
                version: "1",
                databaseID: store.identity.databaseID,
                application: store.identity.application,
                head: reader.state.position(of: head),
                chain: reader.chain(atSeq: head) ?? .zero,
                oldest: reader.oldest,
                lineage: lineage,
                snapshot: seq.map { reader.state.position(of: $0) }
            )
        }
    }

    /// Answers a request for the snapshot, or for a range of one of its parts.
    func answer(_ request: LinkRequest) throws -> Response {
        guard let manifest = store.manifest else { return Response(status: 404) }
        guard let range = request.range else {
            var body = ByteBuffer()
            SnapshotDocument(
                databaseID: manifest.databaseID,
                position: store.read { $0.state.position(of: manifest.seq) },
                chain: manifest.chain,
                time: manifest.time,
                trees: manifest.trees,
                parts: manifest.parts
            )
            .append(to: &body)
            return Response(status: 200, body: body.array)
        }
        let part = manifest.parts.first { request.path.hasSuffix("/\($0.digest)") }
        guard let part, let file = try store.part(part.digest) else { return Response(status: 404) }
        return Response(status: 206, body: file.view[range].array)
    }
}

extension Response {
    fileprivate init(status: Int, body: [UInt8] = []) {
        self.init(status: status, fields: [], body: body)
    }
}

/// A copy that is being made of the server's snapshot.
final class SimulatedRenewal {
    /// Where the parts go; outlives the process.
    let disk: SimulatedDisk
    private let fetch: SnapshotFetch
    private let trees: Set<TreeName>?

    /// Whether a copy cannot go on from the server's log, and can from its snapshot.
    static func isWanted(_ store: Store, by server: ServerDocument) -> Bool {
        guard let snapshot = server.snapshot else { return false }
        let (mine, failure) = store.read { ($0.confirmedPosition, $0.progress.failure) }
        guard failure == nil, snapshot.seq > mine.seq else { return false }
        return mine.seq == 0 || mine.seq < server.oldest.seq
    }

    /// Begins, or goes on with what an earlier process began.
    init(
        _ server: ServerDocument,
        _ trees: Set<TreeName>?,
        on disk: SimulatedDisk,
        beside own: SimulatedDisk
    ) throws {
        for path in disk.paths where !path.hasPrefix("parts/") { try disk.remove(path) }
        self.disk = disk
        self.trees = trees
        fetch = try SnapshotFetch(server, BlockFilter(trees: trees), into: disk, beside: own)
    }

    /// Another connection goes on with it.
    func restart(_ server: ServerDocument) { fetch.restart(server) }

    /// Sends one request and takes its reply.
    ///
    /// - Returns: Whether all is here.
    func step(_ server: SimulatedServer) throws -> Bool {
        guard let request = fetch.next() else { return true }
        try fetch.take(try server.answer(request))
        return fetch.next() == nil
    }

    /// Makes the copy, and opens it.
    func finish(
        for store: Store,
        _ time: FakeTime,
        _ random: SeededRandom
    ) throws -> Store {
        guard let manifest = fetch.manifest else { throw Disagreement("parts are missing still") }
        try Store.create(
            following: Identity(
                databaseID: fetch.server.databaseID,
                application: fetch.server.application,
                epoch: fetch.server.epoch
            ),
            trees: trees,
            from: manifest,
            lineage: fetch.server.lineage,
            base: store.endOfLog,
            &fetch.writer,
            on: disk,
            options: StoreBench.small,
            random: random
        )
        return try MirrorBench.open(disk, time, random)
    }
}
