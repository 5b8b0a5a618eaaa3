// Ending the last segment before it is full, so that a compaction can drop all of it.
//
// Its successor is made while nothing is written: everything that can fail for want of room or
// descriptors comes before it gets its name, and changes nothing.
public import HoldfastBasics
internal import HoldfastRecords
public import HoldfastStorage

/// A segment that is to follow the last one, without a commit.
public struct SegmentStart: Sendable {
    let segment: Segment
    /// Where the one before ends, in bytes of its file.
    let endBefore: Int
    /// Its first bytes.
    let bytes: [UInt8]
}

extension CommitLog {
    /// Whether the last segment has commits, and more in it than room is made ahead: what ending it
    /// would cost on the disk.
    public var isEndingWorthwhile: Bool {
        guard let last = segments.last, head >= last.firstSeq else { return false }
        return last.end - last.headerByteCount >= options.growByteCount
    }

    /// The segment that begins behind the last commit.
    ///
    /// - Parameter chain: Chain of the last commit.
    /// - Returns: Nothing is changed: `LogWriter.begin` makes it, `begin` goes on in it.
    /// - Precondition: Every batch is finished, and the last segment has a commit.
    public func nextSegment(after chain: Hash128) -> SegmentStart {
        precondition(takesCommits, "the log takes no commits")
        precondition(gathering.isEmpty && onItsWay == nil, "a batch is not finished")
        let last = segments[segments.count - 1]
        precondition(head >= last.firstSeq, "its successor would have the same name")
        let header = header(firstSeq: head + 1, base: last.base + UInt64(last.end), chain)
        var bytes = ByteBuffer()
        header.append(to: &bytes)
        if isLoose {
            let mark = BatchMark(firstSeq: head + 1, syncedSeq: head, isLoose: true)
            FrameLayout.appendMark(mark, salt: header.salt, to: &bytes)
        }
        let segment = Segment(
            firstSeq: header.firstSeq,
            base: header.base,
            salt: header.salt,
            headerByteCount: header.byteCount,
            capacity: max(options.segmentByteCount, bytes.count + Self.reservedByteCount),
            end: bytes.count,
            index: SeqIndex(firstSeq: header.firstSeq),
            map: nil
        )
        return SegmentStart(segment: segment, endBefore: last.end, bytes: bytes.array)
    }

    /// Goes on in a segment that was made.
    ///
    /// - Parameters:
    ///   - start: As `nextSegment` gave it; nothing was appended since.
    ///   - map: As `LogWriter.begin` gave it.
    public func begin(_ start: SegmentStart, _ map: MappedFile) {
        precondition(start.segment.firstSeq == head + 1, "the log has gone on")
        writer?.seal(segments[segments.count - 1])
        var segment = start.segment
        segment.map = map
        segments.append(segment)
        writtenEnd = segment.base + UInt64(segment.end)
        synced = head
        isClean = false
    }
}

extension LogWriter {
    /// Ends the segment that is written, and begins the one that follows it.
    ///
    /// - Parameter start: As `CommitLog.nextSegment` gave it.
    /// - Returns: The segment's bytes.
    /// - Throws: Whatever failed. Where `isBroken` is false, everything is as it was.
    public func begin(_ start: SegmentStart) throws(DiskError) -> MappedFile {
        try state.wait(until: { !$0.isMakingRoom }) { state throws(DiskError) in
            if let failure = state.failure { throw failure }
            precondition(state.end == start.endBefore, "something was written since")
            do throws(DiskError) {
                try Self.sync(&state)
            } catch {
                state.failure = error
                throw error
            }
            let spare = state.spare
            state.spare = nil
            let file: any DiskFile
            if let spare {
                file = spare.file
            } else {
                file = try disk.open(Segment.sparePath, .create)
            }
            // The directory is opened to be synced; then it must not be for want of a descriptor
            // that the segment may have lost its name.
            var reserve: (any DiskFile)? = try disk.open(Identity.path, .read)
            try file.write(start.bytes, at: 0)
            try file.sync()
            let map = try file.map(start.segment.capacity)
            try disk.rename(Segment.sparePath, to: start.segment.path)
            if reserve != nil { reserve = nil }
            do throws(DiskError) {
                try disk.syncDirectory(Segment.directory)
            } catch {
                state.failure = error
                throw error
            }
            state.file = file
            state.path = start.segment.path
            state.end = start.bytes.count
            state.allocated = max(spare?.allocated ?? 0, start.bytes.count)
            state.capacity = start.segment.capacity
            return map
        }
    }

    /// Whether a write or sync failed, after which nothing is written any more.
    public var isBroken: Bool { state.withLock { $0.failure != nil } }
}
