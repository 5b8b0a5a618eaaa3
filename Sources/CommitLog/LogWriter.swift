// The side of the log that does I/O: it writes batches, outside the store's lock. It knows nothing
// of commits, only of bytes and files. Room ahead of them is made by LogRoom.swift, beside it.
//
// Invariants:
// - one thread writes at a time (whoever syncs), and one makes room; the lock makes a mistake
//   harmless;
// - a segment gets its name after everything before it and its own first bytes are synced, so a
//   segment that has a successor is whole;
// - bytes beyond the written end, as far as `allocated`, are nobody's frames; what lies above it is
//   written by `makeRoom` alone while that runs: a batch that needs it waits.
internal import HoldfastBasics
public import HoldfastStorage

/// Writes batches to the disk and makes them durable.
public final class LogWriter: Sendable {
    struct State {
        var file: any DiskFile
        var path: String
        /// End of the last written frame.
        var end: Int
        /// How far the file is zeroed.
        var allocated: Int
        var capacity: Int
        /// Whether bytes were written that are not synced.
        var isUnsynced = false
        /// The next segment's file.
        var spare: Spare?
        /// Whether room is made above `allocated` or in the spare, outside the lock.
        var isMakingRoom = false
        /// The failure after which nothing is written any more.
        var failure: DiskError?
    }

    /// The next segment's file, under a name of its own.
    struct Spare {
        let file: any DiskFile
        /// How far it is zeroed.
        var allocated: Int
    }

    let disk: any Disk
    /// Length of the segments to come, and how far ahead they are zeroed.
    let segmentByteCount: Int
    let growByteCount: Int
    let state: Condition<State>
    let sealed = Lock<[Segment]>([])

    init(disk: any Disk, options: LogOptions, state: sending State) {
        self.disk = disk
        segmentByteCount = options.segmentByteCount
        growByteCount = options.growByteCount
        self.state = Condition(state)
    }

    /// Writes a batch, and syncs it unless told otherwise.
    ///
    /// One write and one sync per segment it touches, which is nearly always one. A segment that
    /// ends is synced in any case.
    ///
    /// - Parameters:
    ///   - batch: As `CommitLog.beginBatch` gave it.
    ///   - isSyncing: False leaves the sync to a later batch or `sync`.
    /// - Returns: The proof, for `CommitLog.finish`.
    /// - Throws: Whatever failed; then what is on the disk is unknown: call `CommitLog.discard` and
    ///   never write again.
    public func write(
        _ batch: Batch,
        isSyncing: Bool = true
    ) throws(DiskError) -> WrittenBatch {
        try locked(when: { !$0.isMakingRoom || $0.holds(batch) }) { state throws(DiskError) in
            if let failure = state.failure { throw failure }
            do throws(DiskError) {
                var maps: [MappedFile] = []
                for piece in batch.pieces {
                    if piece.start == 0 {
                        try Self.sync(&state)
                        maps.append(try beginSegment(piece, &state))
                    } else {
                        try extend(&state, to: piece.end)
                        try state.file.write(piece.buffer.view, at: piece.start)
                        state.isUnsynced = true
                        state.end = piece.end
                    }
                }
                if isSyncing { try Self.sync(&state) }
                return WrittenBatch(batch: batch, maps: maps, isSynced: !state.isUnsynced)
            } catch {
                state.failure = error
                throw error
            }
        }
    }

    /// Syncs what was written without.
    ///
    /// - Throws: Whatever failed; then what is on the disk is unknown, as with `write`.
    public func sync() throws(DiskError) {
        try locked { state throws(DiskError) in
            if let failure = state.failure { throw failure }
            do throws(DiskError) {
                try Self.sync(&state)
            } catch {
                state.failure = error
                throw error
            }
        }
    }

    static func sync(_ state: inout State) throws(DiskError) {
        guard state.isUnsynced else { return }
        try state.file.sync()
        state.isUnsynced = false
    }

    private func beginSegment(
        _ piece: TailPiece,
        _ state: inout State
    ) throws(DiskError) -> MappedFile {
        let file: any DiskFile
        var allocated = 0
        if let spare = state.spare {
            (file, allocated) = (spare.file, spare.allocated)
            state.spare = nil
        } else {
            file = try disk.open(Segment.sparePath, .create)
        }
        let path = Segment.path(firstSeq: piece.firstSeq)
        let zeroed = max(allocated, min(piece.capacity, piece.end + growByteCount))
        try file.write(piece.buffer.view, at: 0)
        try file.writeZeros(max(allocated, piece.end)..<zeroed)
        try file.sync()
        let map = try file.map(piece.capacity)
        try disk.rename(Segment.sparePath, to: path)
        try disk.syncDirectory(Segment.directory)
        state.file = file
        state.path = path
        state.end = piece.end
        state.allocated = zeroed
        state.capacity = piece.capacity
        return map
    }

    /// Zeroes ahead, so that `end` bytes and some more are there.
    private func extend(_ state: inout State, to end: Int) throws(DiskError) {
        guard end > state.allocated else { return }
        let zeroed = max(end, min(state.capacity, end + growByteCount))
        // What the batch covers itself needs no zeros.
        try state.file.writeZeros(end..<zeroed)
        state.allocated = zeroed
    }

    /// Takes note that a segment has ended, for its index file.
    func seal(_ segment: Segment) { sealed.withLock { $0.append(segment) } }

    /// Takes note that segments are dropped: they get no index file any more.
    func forget(before seq: UInt64) {
        sealed.withLock { $0.removeAll { $0.firstSeq < seq } }
    }

    /// Writes and syncs bytes at the end: a mark, which says what was synced before it.
    func append(_ bytes: [UInt8]) throws(DiskError) {
        try locked(when: { !$0.isMakingRoom }) { state throws(DiskError) in
            try Self.sync(&state)
            try state.file.write(bytes, at: state.end)
            try state.file.sync()
            state.end += bytes.count
        }
    }

    /// Ends what one of those who share the log has written, before another one writes.
    ///
    /// - Parameter mark: As `CommitLog.endMark` gave it.
    /// - Throws: Whatever failed; then what is on the disk is unknown, as with `write`.
    public func end(with mark: [UInt8]) throws(DiskError) {
        try locked { state throws(DiskError) in
            // Without a sync: when it is lost, so is nothing but the word that there was one.
            try state.file.write(mark, at: state.end)
            state.end += mark.count
        }
    }

    private func locked<T>(
        when ready: (State) -> Bool = { _ in true },
        _ body: (inout State) throws(DiskError) -> T
    ) throws(DiskError) -> T {
        try state.wait(until: ready, body)
    }
}

extension LogWriter.State {
    /// Whether a batch lies where room is made already.
    fileprivate func holds(_ batch: Batch) -> Bool {
        batch.pieces.allSatisfy { $0.start > 0 && $0.end <= allocated }
    }
}
