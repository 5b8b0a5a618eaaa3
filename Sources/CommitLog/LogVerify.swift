// Checking a log without opening it for writing: `holdfast verify`. Works beside a live server,
// takes no lock and changes nothing.
public import HoldfastBasics
public import HoldfastStorage

/// What a pass over a whole log found.
public struct LogReport: Sendable {
    /// Which database it is.
    public let identity: Identity
    /// Segment files.
    public var segmentCount = 0
    /// Whole commits.
    public var commitCount: UInt64 = 0
    /// Seq of the oldest commit.
    public var oldest: UInt64 = 1
    /// Seq of the last whole commit.
    public var head: UInt64 = 0
    /// The highest seq that a mark says is synced.
    public var syncedSeq: UInt64 = 0
    /// Bytes of whole frames and segment heads.
    public var byteCount: UInt64 = 0
    /// Bytes after the last whole frame: a torn tail, or a batch a live server is writing.
    public var tailByteCount = 0
    /// Whether the log was closed in order.
    public var wasClean = false
    /// Chain of the commit before `oldest`.
    public var chainBeforeOldest = Hash128.zero
    /// Every damage found; at most one per segment, what follows it in the segment is not read.
    public var damages: [CommitLogError] = []
}

extension CommitLog {
    /// Reads every byte of a log and reports what is wrong with it.
    ///
    /// Beside a writer that compacts, a file may go away under this pass: see `lookingAgain`.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - visit: Is given every whole commit in order; after damage numbers are missing.
    /// - Returns: What was found, damage included.
    /// - Throws: `CommitLogError` when there is no log to read, and what `visit` throws.
    public static func verify(
        disk: any Disk,
        visit: (Frame) throws -> Void
    ) throws -> LogReport {
        let files = LogFiles(disk: disk)
        var report = LogReport(identity: try files.identity())
        var last: (entry: LogFiles.Entry, scan: SegmentScan)?
        let firstSeqs = try files.firstSeqs()
        report.oldest = firstSeqs[0]
        for firstSeq in firstSeqs {
            report.segmentCount += 1
            do {
                let entry = try files.entry(
                    firstSeq: firstSeq,
                    capacity: 0,
                    identity: report.identity
                )
                if report.segmentCount == 1 {
                    report.chainBeforeOldest = entry.header.chainBefore
                }
                do {
                    try LogFiles.checkSeam(entry, after: last)
                } catch {
                    report.damages.append(error)
                }
                last = (entry, try verify(entry, &report, visit: visit))
            } catch let error as CommitLogError {
                guard case .damaged = error else { throw error }
                report.damages.append(error)
                last = nil
            }
        }
        if let (entry, scan) = last { try verifyTail(files, entry, scan, &report, visit: visit) }
        return report
    }

    private static func verify(
        _ entry: LogFiles.Entry,
        _ report: inout LogReport,
        visit: (Frame) throws -> Void
    ) throws -> SegmentScan {
        var scan = SegmentScan(entry.header)
        try scan.run(entry.bytes, entry.header, visit: visit)
        report.commitCount += scan.nextSeq - entry.header.firstSeq
        report.head = scan.nextSeq - 1
        report.syncedSeq = scan.syncedSeq
        report.byteCount += UInt64(scan.end)
        report.wasClean = scan.isClean
        return scan
    }

    /// Judges what follows the last whole frame.
    ///
    /// A live server may have written on meanwhile. What a mark calls synced was whole before the
    /// mark was, so a second look at the same place tells a damaged frame from a young one.
    private static func verifyTail(
        _ files: LogFiles,
        _ first: LogFiles.Entry,
        _ before: SegmentScan,
        _ report: inout LogReport,
        visit: (Frame) throws -> Void
    ) throws {
        var entry = first
        var scan = before
        while true {
            let tail = Tail(entry.bytes, from: scan.end, seq: scan.nextSeq, salt: entry.header.salt)
            report.tailByteCount = tail.end - scan.end
            guard tail.proof != nil else { return }
            entry = try files.entry(
                firstSeq: entry.header.firstSeq,
                capacity: 0,
                identity: report.identity
            )
            let known = scan
            try scan.run(entry.bytes, entry.header, visit: visit)
            guard scan.end > known.end else {
                report.damages.append(
                    .damaged(
                        file: entry.path,
                        offset: scan.end,
                        why: "commit \(scan.nextSeq) was synced: \(scan.reason)"
                    )
                )
                return
            }
            report.commitCount += scan.nextSeq - known.nextSeq
            report.head = scan.nextSeq - 1
            report.syncedSeq = scan.syncedSeq
            report.byteCount += UInt64(scan.end - known.end)
            report.wasClean = scan.isClean
        }
    }
}
