// Brings a file's content from the server: a block after the other, going on where it was cut.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

/// What comes of moving one file.
enum FileOutcome: Sendable {
    /// All of it is where it was to go, durably.
    case done
    /// The server says no, and would say so again.
    case refused(Refusal)
    /// The disk here refuses.
    case failed(FileError)
}

/// An errand about one file.
protocol FileErrand: LinkErrand {
    /// Nil while it is under way.
    var outcome: FileOutcome? { get }
}

/// The way of one file from the server into a directory.
///
/// Confined to its owner.
final class FileFetch: FileErrand {
    private(set) var outcome: FileOutcome?
    private let digest: Digest256
    private let files: FileStore
    private let turn: UploadTurn

    /// What is asked for at once.
    ///
    /// Unit: bytes.
    static let pieceByteCount = 1 << 20

    /// Begins, or goes on with what came before.
    ///
    /// - Parameters:
    ///   - digest: Which file.
    ///   - files: Where it goes.
    ///   - caller: Who asks.
    ///   - now: The clock, in milliseconds since 1970.
    /// - Throws: `disk`.
    init(
        _ digest: Digest256,
        into files: FileStore,
        by caller: Caller,
        now: Int64
    ) throws(FileError) {
        self.digest = digest
        self.files = files
        let name = UploadName(digest, by: caller)
        let count: Int?
        do throws(DiskError) {
            count = try files.byteCount(of: name)
        } catch {
            throw .disk(error)
        }
        turn = try files.begin(name, at: count, now: now)
    }

    private var offset: Int { turn.upload.byteCount }

    func next() -> LinkRequest? {
        guard outcome == nil else { return nil }
        return LinkRequest(
            path: "/v1/files/\(digest)",
            range: offset..<offset + Self.pieceByteCount
        )
    }

    func take(_ response: Response) throws {
        switch response.status {
        case 206:
            guard let text = try response.single("content-range"),
                let part = Array(text.utf8).withView({ ContentRange($0) }),
                part.range.lowerBound == offset, part.range.count == response.body.count
            else { throw LinkEnd.garbled("a part of a file is not the one that was asked for.") }
            keep { () throws(FileError) in
                try turn.append(response.body)
                if offset == part.byteCount { try finish() }
            }
        case 200:
            // A server that knows no ranges gives all of it, and an empty file has none.
            guard offset == 0 else { throw LinkEnd.garbled("all of a file came for a part.") }
            keep { () throws(FileError) in
                if !response.body.isEmpty { try turn.append(response.body) }
                try finish()
            }
        case 416:
            // There is nothing behind what is here.
            keep { () throws(FileError) in try finish() }
        default: outcome = .refused(try FileVerdict.refusal(response))
        }
    }

    private func keep(_ body: () throws(FileError) -> Void) {
        do throws(FileError) {
            try body()
        } catch {
            outcome = .failed(error)
        }
    }

    private func finish() throws(FileError) {
        do throws(FileError) {
            try files.finish(turn, as: digest)
            outcome = .done
        } catch .digest {
            try files.giveUp(turn.upload)
            outcome = .refused(
                Refusal(.hashMismatch, "What came of file \(digest) is not what its name says.")
            )
        }
    }
}

/// What a reply says about a file that cannot be had, or is not taken.
enum FileVerdict {
    /// Reads the refusal of a reply.
    ///
    /// - Returns: What will be said again.
    /// - Throws: `LinkEnd.refused` for what passes: too many requests, a full disk, a restart.
    static func refusal(_ response: Response) throws(LinkEnd) -> Refusal {
        let end = LinkEnd.refused(status: response.status, detail: "a file is not taken or given.")
        guard !end.mayRetry, response.status >= 400 else { throw end }
        do {
            return try response.body.withView { try ProblemDocument($0) }.refusal
        } catch {
            throw end
        }
    }
}
