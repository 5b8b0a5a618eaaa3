// Tokens: given out and taken back by commits of `_tokens`, which never leave the server.
internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastRecords

extension Store {
    /// Gives out a token, or takes one back.
    ///
    /// - Parameters:
    ///   - act: What is to be done.
    ///   - change: Its id, digest and reason; it has no operations.
    ///   - caller: Who proposes it.
    ///   - rights: What the caller may do; nil for everything.
    /// - Returns: The answer; an accepted act counts when its position is durable.
    public func submit(
        _ act: TokenAct,
        _ change: Change,
        by caller: Caller,
        rights: Rights?
    ) -> Submission {
        mutate { core in
            if let refusal = core.writeRefusal, !core.state.remembers(change.id) {
                return .refused(core.state.position, refusal)
            }
            let context = DecisionContext(
                caller: caller,
                now: time.wallMilliseconds(),
                random: random,
                rights: rights
            )
            switch core.state.decideToken(act, change, context) {
            case .commit(let commit, let results):
                core.append(commit)
                return .accepted(core.state.position, results)
            case .unchanged(let results): return .unchanged(core.state.position, results)
            case .replayed(let offset): return core.replay(change, at: offset)
            case .refused(let refusal): return .refused(core.state.position, refusal)
            case .undetermined: preconditionFailure("the authority always decides")
            }
        }
    }
}
