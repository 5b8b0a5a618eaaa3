// Fetches a snapshot: which request is next, and what comes of its reply.
//
// Pure but for the directory the parts go to: no socket and no clock. Whoever owns it sends the
// requests on one connection after another.
//
// Invariants:
// - a part is written when all of it is here and has the digest that names it; what is written is
//   never asked for again, not even by another process later;
// - the snapshot is asked for anew on every connection: what it names may have changed;
// - parts of other trees than the mirror's are never asked for.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastWire

/// Why a reply cannot be gone on with.
enum SnapshotError: Error, Equatable {
    /// The server has no snapshot, or not that part any more.
    case gone
    /// The server answered with another status.
    case refused(status: Int)
    /// What came is not what was asked for.
    case garbled(String)
    /// The directory cannot keep it.
    case disk(CommitLogError)
}

/// The way of a server's snapshot into a directory.
///
/// Confined to its owner.
final class SnapshotFetch: LinkErrand {
    /// What the server says of itself.
    private(set) var server: ServerDocument
    private let filter: BlockFilter
    /// The trees that are fetched; nil for all.
    var trees: Set<TreeName>? { filter.trees }
    /// Where the parts go.
    let disk: any Disk
    /// Parts that are here already, of the copy that is to be replaced.
    private let own: any Disk
    var writer: CheckpointWriter
    private var document: SnapshotDocument?
    private var missing: [PartReference] = []
    /// What has come of the first missing part, and which that is.
    private var piece = ByteBuffer()
    private var pieceDigest: Digest256?
    /// Bytes that were fetched, for whoever is curious.
    private(set) var fetchedByteCount = 0

    /// What is asked for at once; what a cut connection costs at most.
    ///
    /// Unit: bytes.
    static let pieceByteCount = 4 << 20

    /// Begins with nothing but what the directory has.
    ///
    /// - Parameters:
    ///   - server: What the server says of itself.
    ///   - filter: What the mirror may hold.
    ///   - disk: Where the parts go.
    ///   - own: The directory of the present copy.
    /// - Throws: `disk`.
    init(
        _ server: ServerDocument,
        _ filter: BlockFilter,
        into disk: any Disk,
        beside own: any Disk
    ) throws(SnapshotError) {
        self.server = server
        self.filter = filter
        self.disk = disk
        self.own = own
        do throws(CommitLogError) {
            writer = try CheckpointWriter(disk)
        } catch {
            throw .disk(error)
        }
    }

    /// Another connection goes on with it.
    func restart(_ server: ServerDocument) {
        self.server = server
        document = nil
        missing = []
    }

    /// What to ask for; nil when all is here.
    func next() -> LinkRequest? {
        guard document != nil else { return LinkRequest(path: "/v1/snapshot") }
        guard let part = missing.first else { return nil }
        let start = pieceDigest == part.digest ? piece.count : 0
        return LinkRequest(
            path: "/v1/snapshot/\(part.digest)",
            range: start..<min(part.byteCount, start + Self.pieceByteCount)
        )
    }

    /// Takes the reply to `next`.
    func take(_ response: Response) throws(SnapshotError) {
        guard response.status != 404 else { throw .gone }
        guard document != nil else { return try takeDocument(response) }
        guard response.status == 206 || response.status == 200 else {
            throw .refused(status: response.status)
        }
        guard let part = missing.first, let range = next()?.range else { return }
        if pieceDigest != part.digest {
            pieceDigest = part.digest
            piece.removeAll()
        }
        // A server that knows no ranges gives all of it.
        if response.status == 200 { piece.removeAll() }
        let isFitting =
            response.status == 200
            ? response.body.count == part.byteCount : response.body.count == range.count
        guard isFitting else { throw .garbled("a part of the snapshot has another length") }
        fetchedByteCount += response.body.count
        piece.append(response.body)
        guard piece.count == part.byteCount else { return }
        let bytes = piece.array
        piece.removeAll()
        pieceDigest = nil
        guard bytes.withView({ SHA256.digest($0) }) == part.digest else {
            throw .garbled("a part of the snapshot is not what its name says")
        }
        try write(part, bytes)
        missing.removeFirst()
    }

    private func takeDocument(_ response: Response) throws(SnapshotError) {
        guard response.status == 200 else { throw .refused(status: response.status) }
        let found: SnapshotDocument
        do {
            found = try response.body.withView { try SnapshotDocument($0) }
        } catch {
            throw .garbled("the snapshot is none")
        }
        guard found.databaseID == server.databaseID, found.position.seq > 0,
            server.lineage.last(where: { $0.firstSeq <= found.position.seq })?.epoch
                == found.position.epoch
        else { throw .garbled("the snapshot is another database's, or of another history") }
        missing = []
        for part in found.parts where isWanted(part) && !writer.has(part.digest) {
            if try !takeOwn(part) { missing.append(part) }
        }
        document = found
    }

    /// Takes a part from the copy that is here, when it has it.
    private func takeOwn(_ part: PartReference) throws(SnapshotError) -> Bool {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try own.contents(of: part.path)
        } catch {
            // Whatever it is, the server has it too.
            return false
        }
        guard bytes.withView({ SHA256.digest($0) }) == part.digest else { return false }
        try write(part, bytes)
        return true
    }

    private func write(_ part: PartReference, _ bytes: [UInt8]) throws(SnapshotError) {
        do throws(CommitLogError) {
            try writer.write(BuiltPart(reference: part, bytes: bytes))
        } catch {
            throw .disk(error)
        }
    }

    // MARK: The end

    /// The manifest of what is here, once `next` is nil.
    ///
    /// Of chosen trees it names those alone, and the parts of others are not in it.
    var manifest: Manifest? {
        guard let document, missing.isEmpty else { return nil }
        return Manifest(
            databaseID: document.databaseID,
            seq: document.position.seq,
            chain: document.chain,
            time: document.time,
            trees: document.trees,
            parts: document.parts.filter(isWanted)
        )
    }

    /// What changes did is the authority's to remember.
    private func isWanted(_ part: PartReference) -> Bool {
        part.kind != .changes && Array(part.block.utf8).withView { filter.permits($0) }
    }
}
