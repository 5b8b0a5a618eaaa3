// The side of the log that does I/O: it writes batches, outside the store's lock, and prepares room
// ahead of them. It knows nothing of commits, only of bytes and files.
//
// Invariants:
// - one thread uses it at a time (the sync thread); the lock inside makes a mistake harmless;
// - a segment gets its name after everything before it and its own first bytes are synced, so a
//   segment that has a successor is whole;
// - bytes beyond the written end are zeros as far as the file reaches.
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
        /// The next segment's file, and how far it is zeroed.
        var spare: (file: any DiskFile, allocated: Int)?
        /// The failure after which nothing is written any more.
        var failure: DiskError?
    }

    private let disk: any Disk
    private let growByteCount: Int
    private let state: Lock<State>
    private let sealed = Lock<[Segment]>([])

    init(disk: any Disk, growByteCount: Int, state: sending State) {
        self.disk = disk
        self.growByteCount = growByteCount
        self.state = Lock(state)
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
        try locked { state throws(DiskError) in
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

    private static func sync(_ state: inout State) throws(DiskError) {
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
            (file, allocated) = spare
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

    /// Prepares room ahead; called by the sync thread when it has nothing else to do.
    ///
    /// Nothing depends on it but speed: it zeroes the segment ahead, makes the next segment's file,
    /// and writes the index of a segment that has ended.
    ///
    /// - Parameter isSyncing: Whether room ahead is synced, so that a batch's sync has only its own
    ///   bytes to bring.
    /// - Throws: Whatever failed. No commit is in danger; a full disk is noticed here first.
    public func prepare(isSyncing: Bool = true) throws(DiskError) {
        while let segment = sealed.withLock({ $0.last }) {
            try disk.replace(segment.indexPath, with: segment.index.bytes(salt: segment.salt))
            sealed.withLock { $0.removeAll { $0.firstSeq == segment.firstSeq } }
        }
        try locked { state throws(DiskError) in
            guard state.failure == nil else { return }
            let isShort = state.allocated - state.end < growByteCount / 2
            if isShort && state.allocated < state.capacity {
                let zeroed = min(state.capacity, state.allocated + growByteCount)
                try state.file.writeZeros(state.allocated..<zeroed)
                if isSyncing { try state.file.sync() }
                state.allocated = zeroed
            }
            if state.spare == nil && state.end > state.capacity / 2 {
                let file = try disk.open(Segment.sparePath, .create)
                try file.writeZeros(0..<min(growByteCount, state.capacity))
                if isSyncing { try file.sync() }
                state.spare = (file, min(growByteCount, state.capacity))
            }
        }
    }

    /// Takes note that a segment has ended, for its index file.
    func seal(_ segment: Segment) { sealed.withLock { $0.append(segment) } }

    /// Takes note that segments are dropped: they get no index file any more.
    func forget(before seq: UInt64) {
        sealed.withLock { $0.removeAll { $0.firstSeq < seq } }
    }

    /// Writes and syncs bytes at the end: a mark, which says what was synced before it.
    func append(_ bytes: [UInt8]) throws(DiskError) {
        try locked { state throws(DiskError) in
            try Self.sync(&state)
            try state.file.write(bytes, at: state.end)
            try state.file.sync()
            state.end += bytes.count
        }
    }

    // `withLock` rethrows untyped, so the outcome is carried out.
    private func locked<T>(
        _ body: (inout State) throws(DiskError) -> T
    ) throws(DiskError) -> T {
        let outcome: Result<T, DiskError> = state.withLock { state in
            do throws(DiskError) {
                return .success(try body(&state))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
