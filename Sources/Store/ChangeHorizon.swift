// Which changes a compaction forgets: those older than the horizon, unless a device may still send
// them again because it does not know yet what became of them.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

/// The memory of changes, as far back as one checkpoint keeps it.
struct ChangeHorizon {
    private let time: Int64?
    private let store: Store
    /// Up to where each device has confirmed its outcomes.
    private var confirmed: [String: UInt64] = [:]
    /// What was not kept.
    private(set) var forgotten: [UniqueID] = []

    init(_ frame: CheckpointFrame, _ store: Store) {
        time = frame.horizons.changes
        self.store = store
    }

    /// Whether a change is left out, of which account is kept then.
    mutating func forgets(_ commit: CommitView) -> Bool {
        guard let time, commit.at < time else { return false }
        guard commit.deviceSeq == 0 || commit.deviceSeq <= confirmed(commit.device.text) else {
            return false
        }
        forgotten.append(commit.changeID)
        return true
    }

    private mutating func confirmed(_ device: String) -> UInt64 {
        if let known = confirmed[device] { return known }
        // Nobody waits for the outcomes of a device that was forgotten.
        let found = store.device(device)?.confirmedDeviceSeq ?? .max
        confirmed[device] = found
        return found
    }
}
