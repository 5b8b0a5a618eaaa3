// What one mirror says of its device, and how far the log has it that the outcomes of its changes
// are known. Confirmations are gathered: a commit for each would be one more commit per change.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A device's record of `_devices`, between hello and the end of its connection.
struct DeviceLedger {
    private var record: DeviceRecord
    private let isProven: Bool
    /// Up to where the log has it.
    private(set) var logged: UInt64 = 0
    private var noted: UInt64
    /// When the first confirmation that is not logged came.
    private var since: UInt64?

    /// - Parameters:
    ///   - hello: What the mirror says.
    ///   - isProven: Whether its user is, by a token.
    init(_ hello: MirrorHello, isProven: Bool) {
        self.isProven = isProven
        noted = hello.settled
        record = DeviceRecord(
            id: hello.device,
            name: hello.deviceName ?? hello.device,
            user: hello.user,
            app: hello.app,
            appVersion: hello.appVersion,
            schemaVersions: hello.schemas,
            confirmedDeviceSeq: hello.settled,
            firstSeen: 0
        )
    }

    /// Makes the device known as it is now.
    ///
    /// - Returns: Why not; nil when it is known.
    mutating func introduce(to store: Store, _ time: any TimeSource) -> Refusal? {
        record.confirmedDeviceSeq = noted
        if case .refused(_, let refusal) = store.introduce(record, isProven: isProven) {
            // A store that takes no writes now may do so at the next heartbeat.
            since = since ?? time.monotonicNanoseconds()
            logged = store.device(record.id)?.confirmedDeviceSeq ?? 0
            return refusal
        }
        since = nil
        logged = store.device(record.id)?.confirmedDeviceSeq ?? 0
        noted = max(noted, logged)
        return nil
    }

    /// Takes a confirmation.
    mutating func note(_ through: UInt64, _ time: any TimeSource) {
        guard through > noted else { return }
        noted = through
        since = since ?? time.monotonicNanoseconds()
    }

    /// Whether so many are gathered that they should be logged.
    var isFull: Bool { noted >= logged + Limits.settledCountMax }

    /// Whether they have waited long enough.
    func isDue(_ time: any TimeSource) -> Bool {
        guard let since else { return false }
        let waited = time.monotonicNanoseconds() - since
        return waited >= UInt64(Limits.settledMilliseconds) * 1_000_000
    }

    /// Logs what is gathered; a store that takes no writes leaves it for later.
    mutating func log(in store: Store, _ time: any TimeSource) {
        guard since != nil else { return }
        _ = introduce(to: store, time)
    }
}
