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
        settle(change, by: caller, rights: rights) { $0.decideToken(act, change, $1) }
    }
}
