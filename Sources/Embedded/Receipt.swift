// What a write gives back.
public import FoundationEssentials
public import HoldfastBasics
internal import HoldfastRecords

/// What a write gives back: it is durable on this device.
public struct Receipt<T: Sendable>: Sendable {
    /// What the body returned.
    public let value: T
    /// The change's id.
    public let changeID: UUID
    let proposal: Proposal
    private let authority: any Authority

    /// Vouches for a change that is durable here.
    public init(value: T, proposal: Proposal, authority: any Authority) {
        self.value = value
        self.proposal = proposal
        self.authority = authority
        changeID = UUID(proposal.id)
    }

    /// The server's word; at once where this process decides.
    ///
    /// - Returns: Where the change stands in the history.
    /// - Throws: `refused`: the change is among ``Database/stranded()``.
    @discardableResult
    public func accepted() async throws(DatabaseError) -> Position {
        if let position = proposal.position { return Position(position) }
        return Position(try await authority.acceptance(of: proposal))
    }
}

extension UUID {
    /// The id in Foundation's words; for this package's own modules.
    public init(_ id: UniqueID) {
        func byte(_ word: UInt64, _ index: UInt64) -> UInt8 {
            UInt8(truncatingIfNeeded: word >> (56 - index * 8))
        }
        let (high, low) = (id.high, id.low)
        self.init(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4),
                byte(high, 5), byte(high, 6), byte(high, 7), byte(low, 0), byte(low, 1),
                byte(low, 2), byte(low, 3), byte(low, 4), byte(low, 5), byte(low, 6), byte(low, 7)
            )
        )
    }

    /// The id in the engine's words.
    var stored: UniqueID {
        let b = uuid
        func word(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return UniqueID(
            high: word([b.0, b.1, b.2, b.3, b.4, b.5, b.6, b.7]),
            low: word([b.8, b.9, b.10, b.11, b.12, b.13, b.14, b.15])
        )
    }
}
