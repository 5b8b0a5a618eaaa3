// Devices: known from their first hello on, and how far each has confirmed its changes' outcomes.
internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastRecords

extension Store {
    /// Makes a device known as it says, by a commit of the system when that is news.
    ///
    /// - Parameters:
    ///   - introduction: What the device says of itself; what it had confirmed before never gets
    ///     less.
    ///   - isProven: Whether its user is, by a token.
    /// - Returns: `accepted` or `unchanged`, or why not.
    public func introduce(_ introduction: DeviceRecord, isProven: Bool = false) -> Submission {
        mutate { core in
            if let refusal = core.writeRefusal { return .refused(core.state.position, refusal) }
            let decision = core.state.decideDevice(
                introduction,
                isProven: isProven,
                now: time.wallMilliseconds(),
                random: random
            )
            switch decision {
            case .commit(let commit, let results):
                core.append(commit)
                return .accepted(core.state.position, results)
            case .refused(let refusal): return .refused(core.state.position, refusal)
            case .unchanged, .replayed, .undetermined:
                return .unchanged(core.state.position, [])
            }
        }
    }

    /// Forgets a device.
    ///
    /// - Parameters:
    ///   - id: The device.
    ///   - isForced: Whether its borrows are taken away.
    ///   - change: Its id, digest and reason; it has no operations.
    ///   - caller: Who asks.
    ///   - rights: What the caller may do; nil for everything.
    /// - Returns: The answer; `accepted` counts when its position is durable.
    public func forgetDevice(
        _ id: String,
        isForced: Bool,
        _ change: Change,
        by caller: Caller,
        rights: Rights?
    ) -> Submission {
        settle(change, by: caller, rights: rights) {
            $0.decideRemoval(ofDevice: id, isForced: isForced, change, $1)
        }
    }

    /// What is known of a device; nil when it was never seen.
    public func device(_ id: String) -> DeviceRecord? { core.withLock { $0.state.device(id) } }
}
