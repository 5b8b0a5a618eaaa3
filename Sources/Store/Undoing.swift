// Taking a commit back, and asking what a change would lead to.
internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastRecords

extension Store {
    /// Has the taking back of a commit decided, and logs and applies what it becomes.
    ///
    /// - Parameters:
    ///   - commit: A commit of this log.
    ///   - change: The id, digest, reason and job of what takes it back; it has no operations.
    ///   - caller: Who asks.
    ///   - rights: What the caller may do; nil for everything.
    ///   - isRehearsal: Whether nothing is to be done.
    /// - Returns: The answer.
    public func undo(
        _ commit: CommitView,
        _ change: Change,
        by caller: Caller,
        rights: Rights?,
        isRehearsal: Bool = false
    ) -> Submission {
        let decide = { (state: EngineState, context: DecisionContext) in
            state.decideUndo(of: commit, change, context)
        }
        return isRehearsal
            ? rehearse(change, by: caller, rights: rights, decide)
            : settle(change, by: caller, rights: rights, decide)
    }

    /// Decides what a change would lead to, and does nothing.
    ///
    /// - Parameters:
    ///   - change: What would be proposed.
    ///   - caller: Who would propose it.
    ///   - rights: What the caller may do; nil for everything.
    /// - Returns: What `submit` would answer now; the position is that of the head.
    public func rehearse(
        _ change: Change,
        by caller: Caller,
        rights: Rights?
    ) -> Submission {
        rehearse(change, by: caller, rights: rights) { $0.decide(change, $1) }
    }

    private func rehearse(
        _ change: Change,
        by caller: Caller,
        rights: Rights?,
        _ decide: (EngineState, DecisionContext) -> Decision
    ) -> Submission {
        core.withLock { core in
            let position = core.state.position
            if let refusal = core.writeRefusal, !core.state.remembers(change.id) {
                return .refused(position, refusal)
            }
            let context = DecisionContext(
                caller: caller,
                now: time.wallMilliseconds(),
                random: random,
                rights: rights,
                keepsFiles: core.keepsFiles
            )
            switch decide(core.state, context) {
            case .commit(_, let results), .unchanged(let results):
                return .unchanged(position, results)
            case .replayed(let offset): return core.replay(change, at: offset)
            case .refused(let refusal): return .refused(position, refusal)
            case .undetermined: preconditionFailure("the authority always decides")
            }
        }
    }
}
