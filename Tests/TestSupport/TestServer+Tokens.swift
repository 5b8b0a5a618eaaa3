// Tokens of a server, given out as its operator does, without a request.
public import HoldfastBasics
public import HoldfastEngine
public import HoldfastRecords
import HoldfastStore

extension TestServer {
    /// Gives a user a token for a device.
    ///
    /// - Returns: The token's id, and the secret to be shown.
    /// - Throws: ``Disagreement`` when it is refused.
    public func giveToken(
        _ user: String,
        _ rights: Rights
    ) throws -> (id: UniqueID, secret: String) {
        let secret = TokenSecret(random: SystemRandom())
        let id = UniqueID.version7(milliseconds: 1, random: SystemRandom())
        let token = TokenRecord(
            id: id,
            hash: secret.hash,
            user: user,
            bearer: .device("desk"),
            rights: rights
        )
        try submit(.create(token), as: id)
        return (id, secret.text)
    }

    /// Acts on a token.
    ///
    /// - Throws: ``Disagreement`` when it is refused.
    public func submit(
        _ act: TokenAct,
        as id: UniqueID = .version7(milliseconds: 2, random: SystemRandom())
    ) throws {
        let submission = store.submit(
            act,
            Change(id: id, why: "hired", operations: []),
            by: Caller(user: "op", device: "desk"),
            rights: nil
        )
        guard case .accepted = submission else { throw Disagreement("\(submission)") }
    }
}
