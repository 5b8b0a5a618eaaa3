// Looking through a damaged log for what is whole: `holdfast salvage`. Changes nothing.
//
// Two parts come of it. *Kept* are the commits before the first damage: their chain is whole, and
// `write` makes a database of them. *Later* are whole commits behind it: the chain does not lead to
// them, so they cannot be replayed, but what they hold can be shown to people.
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// What is whole in a log that may be damaged.
///
/// It keeps the log's files mapped as long as it lives.
public struct LogSalvage: Sendable {
    /// Which database it is.
    public let identity: Identity
    /// The epochs that the log knew of, as far as a segment's head can be read; oldest first.
    public internal(set) var lineage: [EpochStart] = []
    /// Whether it is an authority's or a mirror's.
    public internal(set) var role = LogRole.authority
    /// Whether it waits for commits that a restore, or an earlier damage, cost it.
    public internal(set) var healing: Healing?
    /// Every damage found, in order; with none the log is whole.
    public internal(set) var damages: [CommitLogError] = []
    /// Seq of the last commit before the first damage; 0 when there is none.
    public internal(set) var keptHead: UInt64 = 0
    /// Bytes of a torn tail behind the last commit, which no opening would keep either.
    public internal(set) var tailByteCount = 0
    /// Whole commits in that tail; they were never acknowledged.
    public internal(set) var tailCommitCount = 0

    /// A segment of the kept part.
    struct Kept: Sendable {
        let piece: Piece
        let header: SegmentHeader
        /// End of its last kept frame, in bytes of the file.
        let end: Int
    }

    /// A segment file, with a head or without.
    struct Piece: Sendable {
        let path: String
        let byteCount: Int
        let map: MappedFile

        var bytes: ByteView { map.view[0..<byteCount] }
    }

    /// Where a whole commit lies.
    struct Place: Sendable {
        let piece: Int
        let offset: Int
        let byteCount: Int
    }

    var kept: [Kept] = []
    /// Chain after `keptHead`.
    var keptChain = Hash128.zero
    /// The checkpoint a log needs whose beginning was dropped; nil for a log from the first commit.
    var checkpoint: Checkpoint?
    /// Whether the kept commits reach it, so that it goes into the database that is made.
    var keepsCheckpoint = false
    var pieces: [Piece] = []
    var later: [Place] = []

    init(identity: Identity) { self.identity = identity }

    /// The first commit kept: above 1 where the log's beginning was dropped; 0 when none is.
    public var keptFirst: UInt64 { kept.first?.header.firstSeq ?? 0 }

    /// The commit of the checkpoint in whose place the log's beginning was dropped; nil when the
    /// log begins with the first commit, or that checkpoint is not whole.
    public var checkpointSeq: UInt64? { checkpoint?.manifest.seq }

    /// Whether that checkpoint is told with the later commits, as what is kept does not reach it.
    public var isCheckpointLater: Bool { checkpoint != nil && !keepsCheckpoint }

    /// Whole commits behind the first damage.
    public var laterCount: Int { later.count }

    /// Lends the whole commits behind the first damage, in order; numbers may be missing.
    ///
    /// Where the log was dropped up to a checkpoint that the kept commits do not reach, that comes
    /// first: excerpts of commits with the last effect on every record.
    ///
    /// A frame's `offset` means nothing here: it counts from the beginning of its file.
    ///
    /// - Parameter body: Is given each; what it is lent ends with it.
    /// - Throws: What `body` throws.
    public func forEachLaterCommit(_ body: (Frame) throws -> Void) throws {
        if let checkpoint, isCheckpointLater {
            try checkpoint.forEachFrame(of: PartKind.ofState) { _, frame in try body(frame) }
        }
        for place in later {
            let end = place.offset + place.byteCount
            let bytes = pieces[place.piece].bytes[place.offset..<end]
            try body(Frame(bytes, offset: UInt64(place.offset)))
        }
    }

    /// The epoch a commit was made in, as far as the lineage is known.
    ///
    /// - Parameter index: Its `epochIndex`.
    /// - Returns: The epoch; the database's last one when no head tells.
    public func epoch(atIndex index: UInt32) -> Epoch {
        lineage.indices.contains(Int(index)) ? lineage[Int(index)].epoch : identity.epoch
    }
}

extension CommitLog {
    /// Reads every byte of a log that may be damaged, and tells what is whole.
    ///
    /// Hashes and the chain are checked as well as checksums: what is kept verifies.
    ///
    /// - Parameters:
    ///   - disk: The directory; it is only read, and no writer may have it open.
    ///   - visit: Is called for every whole commit found.
    /// - Returns: What was found.
    /// - Throws: `notPresent`; `inUse` while a writer has it open; `damaged` when IDENTITY cannot
    ///   be read, or there is no segment at all; `unsupportedFormat`, `disk`.
    public static func salvage(
        disk: any Disk,
        visit: () -> Void = {}
    ) throws(CommitLogError) -> LogSalvage {
        let files = LogFiles(disk: disk)
        let identity = try files.identity()
        let lock = try lockIfThere(disk)
        defer { lock?.release() }
        let names = try onDisk { () throws(DiskError) in try disk.names(in: "") }
        guard names.contains(Segment.directory) else {
            throw .damaged(file: Segment.directory, offset: 0, why: "there is no segment")
        }
        var survey = SalvageSurvey(identity: identity)
        survey.found.healing = try Healing(on: disk)
        let firstSeqs = try files.firstSeqs()
        if firstSeqs[0] > 1 { survey.begin(try checkpoint(disk, before: firstSeqs[0])) }
        for (slot, firstSeq) in firstSeqs.enumerated() {
            let next = slot + 1 < firstSeqs.count ? firstSeqs[slot + 1] : nil
            try survey.take(disk, firstSeq: firstSeq, next: next, visit: visit)
        }
        return survey.end()
    }

    /// The checkpoint in whose place a log's beginning was dropped; nil when it is not whole.
    private static func checkpoint(
        _ disk: any Disk,
        before firstSeq: UInt64
    ) throws(CommitLogError) -> Result<Checkpoint?, CommitLogError> {
        do throws(CommitLogError) {
            guard let found = try Checkpoint.newest(on: disk) else { return .success(nil) }
            try found.verify()
            return .success(found.manifest.seq + 1 >= firstSeq ? found : nil)
        } catch {
            guard case .damaged = error else { throw error }
            return .failure(error)
        }
    }

    /// Keeps writers away while a log is read, without making a file where none is.
    private static func lockIfThere(_ disk: any Disk) throws(CommitLogError) -> (any DiskLock)? {
        do throws(DiskError) {
            guard try disk.names(in: "").contains(lockPath) else { return nil }
            return try disk.lock(lockPath)
        } catch {
            if error.isLocked { throw .inUse }
            // A medium that cannot be written has no writer.
            guard error.operation == .lock else { throw .disk(error) }
            return nil
        }
    }
}
