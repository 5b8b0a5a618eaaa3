// Room ahead of the log: zeros where commits will stand, so that a batch's sync has only its own
// bytes to bring, and neither the file's length nor its block map to change.
//
// It is made on a thread of its own, at the pace of the log and a step at a time: zeros are as many
// bytes as the commits themselves, and a disk that brings megabytes of them at once lets the batch
// that comes meanwhile wait for all of them.
//
// Invariants:
// - one step at a time; it writes above `allocated`, or in the spare, where nobody else does;
// - the descriptor is its own: were it the writer's, a sync here could be told of a failure that
//   lost the writer's bytes, and the writer's would not (the kernel tells every descriptor once);
// - what fails here puts no commit in danger.
internal import HoldfastBasics
public import HoldfastStorage

extension LogWriter {
    /// What is zeroed next.
    private enum RoomStep {
        case segment(path: String, Range<Int>)
        case spare((any DiskFile)?, Range<Int>)
    }

    /// How many bytes are zeroed and synced at a time.
    private var stepByteCount: Int { min(growByteCount, Self.stepByteCountMax) }

    private static let stepByteCountMax = 1 << 20

    /// Whether `makeRoom` has something to do.
    public var isRoomWanted: Bool {
        isIndexWanted || state.withLock { nextStep($0) != nil }
    }

    private var isIndexWanted: Bool { sealed.withLock { !$0.isEmpty } }

    /// Makes room ahead; called by one thread, beside the one that writes.
    ///
    /// Nothing depends on it but speed: it zeroes the segment ahead, makes the next segment's file,
    /// and writes the index of a segment that has ended.
    ///
    /// - Parameter isSyncing: Whether room is synced, so that a batch's sync has only its own bytes
    ///   to bring.
    /// - Throws: Whatever failed. No commit is in danger; a full disk is noticed here first.
    public func makeRoom(isSyncing: Bool = true) throws(DiskError) {
        try writeIndexes()
        while let step = beginStep() {
            do throws(DiskError) {
                switch step {
                case .segment(let path, let range):
                    let file = try disk.open(path, .readWrite)
                    try Self.zero(file, range, isSyncing)
                    state.signal { $0.endStep(allocated: range.upperBound) }
                case .spare(let begun, let range):
                    let file: any DiskFile
                    if let begun {
                        file = begun
                    } else {
                        file = try disk.open(Segment.sparePath, .create)
                    }
                    try Self.zero(file, range, isSyncing)
                    state.signal { $0.endStep(Spare(file: file, allocated: range.upperBound)) }
                }
            } catch {
                state.signal { $0.isMakingRoom = false }
                throw error
            }
        }
    }

    /// Writes the indexes of segments that have ended.
    ///
    /// - Throws: Whatever failed. No commit is in danger: an index can be made anew.
    public func writeIndexes() throws(DiskError) {
        while let segment = sealed.withLock({ $0.last }) {
            try disk.replace(segment.indexPath, with: segment.index.bytes(salt: segment.salt))
            sealed.withLock { $0.removeAll { $0.firstSeq == segment.firstSeq } }
        }
    }

    private static func zero(
        _ file: any DiskFile,
        _ range: Range<Int>,
        _ isSyncing: Bool
    ) throws(DiskError) {
        try file.writeZeros(range)
        if isSyncing { try file.sync() }
    }

    private func beginStep() -> RoomStep? {
        state.withLock { state in
            let step = nextStep(state)
            state.isMakingRoom = step != nil
            if case .spare? = step { state.spare = nil }
            return step
        }
    }

    private func nextStep(_ state: State) -> RoomStep? {
        guard state.failure == nil, !state.isMakingRoom, stepByteCount > 0 else { return nil }
        let ahead = min(state.capacity, state.end + growByteCount)
        if state.allocated < state.capacity,
            ahead - state.allocated >= stepByteCount || ahead == state.capacity
        {
            let end = min(state.capacity, state.allocated + stepByteCount)
            return .segment(path: state.path, state.allocated..<end)
        }
        // The second half of a segment makes the whole of the next one, and is through before.
        let passed = state.end - state.capacity / 2
        guard passed > 0 else { return nil }
        let begun = state.spare?.allocated ?? 0
        guard begun < min(segmentByteCount, 3 * passed) else { return nil }
        return .spare(state.spare?.file, begun..<min(segmentByteCount, begun + stepByteCount))
    }
}

extension LogWriter.State {
    fileprivate mutating func endStep(allocated end: Int) {
        allocated = end
        isMakingRoom = false
    }

    fileprivate mutating func endStep(_ made: LogWriter.Spare) {
        spare = made
        isMakingRoom = false
    }
}
