// The segments of a directory, opened and read in order: the part that opening, reading beside a
// live server and verifying have in common.
internal import HoldfastBasics
internal import HoldfastStorage

/// The names and heads of a log's segments.
struct LogFiles {
    /// One segment file.
    struct Entry {
        let path: String
        let header: SegmentHeader
        /// Bytes the file has.
        var byteCount: Int
        var map: MappedFile
        let file: any DiskFile

        /// The bytes the file has.
        var bytes: ByteView { map.view[0..<byteCount] }
    }

    let disk: any Disk

    /// Reads IDENTITY.
    ///
    /// - Throws: `notPresent`, `damaged`, `unsupportedFormat`, `disk`.
    func identity() throws(CommitLogError) -> Identity {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.contents(of: Identity.path)
        } catch {
            throw error.isMissing ? .notPresent : .disk(error)
        }
        return try Identity(bytes)
    }

    /// The first seqs of all segments, ascending.
    ///
    /// - Throws: `damaged` when there is none, `disk`.
    func firstSeqs() throws(CommitLogError) -> [UInt64] {
        let names = try onDisk { () throws(DiskError) in try disk.names(in: Segment.directory) }
        let seqs = names.compactMap(Segment.firstSeq(ofName:))
        guard !seqs.isEmpty else {
            throw .damaged(file: Segment.directory, offset: 0, why: "there is no segment")
        }
        return seqs
    }

    /// Opens a segment and checks its head.
    ///
    /// - Parameters:
    ///   - firstSeq: Which one.
    ///   - capacity: At least so many bytes are mapped.
    ///   - identity: Whose it must be.
    /// - Returns: The segment, with the bytes it has now.
    /// - Throws: `damaged`, `unsupportedFormat`, `disk`.
    func entry(
        firstSeq: UInt64,
        capacity: Int,
        identity: Identity
    ) throws(CommitLogError) -> Entry {
        let path = Segment.path(firstSeq: firstSeq)
        let (file, size, map) = try onDisk { () throws(DiskError) in
            let file = try disk.open(path, .read)
            let size = try file.size()
            return (file, size, try file.map(max(size, capacity)))
        }
        let header = try SegmentHeader(map.view[0..<size], file: path)
        guard header.firstSeq == firstSeq, header.firstSeq > 0 else {
            throw .damaged(file: path, offset: 40, why: "the name is another segment's")
        }
        guard header.databaseID == identity.databaseID else {
            throw .damaged(file: path, offset: 24, why: "the segment is another database's")
        }
        return Entry(path: path, header: header, byteCount: size, map: map, file: file)
    }

    /// Checks that a segment goes on where the one before it ended.
    ///
    /// - Throws: `damaged`, naming the place where the one before ended too early.
    static func checkSeam(
        _ entry: Entry,
        after last: (entry: Entry, scan: SegmentScan)?
    ) throws(CommitLogError) {
        guard let (before, scan) = last else { return }
        guard scan.nextSeq == entry.header.firstSeq,
            before.header.base + UInt64(scan.end) == entry.header.base
        else {
            throw .damaged(
                file: before.path,
                offset: scan.end,
                why: "commit \(scan.nextSeq) is missing: \(scan.reason)"
            )
        }
    }
}
