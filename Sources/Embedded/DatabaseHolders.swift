// Borrows that are another's: asking for them back, taking them away, handing them on.
public import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastRecords

extension Database {
    /// Asks whoever holds a record to give it back; what they hold stays theirs.
    ///
    /// The holder sees it in ``borrows(mine:)``. Asked again, the later note stands.
    ///
    /// - Parameters:
    ///   - borrow: Which borrow, as ``borrows(mine:)`` lists it.
    ///   - note: What for; the holder reads it.
    /// - Throws: `refused` with `borrow-ended`, `borrow-mismatch` for one that waits in line,
    ///   `forbidden`; `offline`, `poisoned`, `full`, `closed`.
    public func recall(_ borrow: UUID, note: String = "") async throws(DatabaseError) {
        try checkOpen()
        _ = try await authority.ask([.recall(borrow.stored, note: note)], id: newID(), why: "")
    }

    /// Takes a borrow away from whoever has it; the next in line is served.
    ///
    /// What they write under it from then on is refused, or strands, and they are told by whom and
    /// why. It takes the right `seize`, or that to write once the borrow is overdue.
    ///
    /// - Parameters:
    ///   - borrow: Which borrow, as ``borrows(mine:)`` lists it.
    ///   - why: For what reason.
    /// - Throws: `refused` with `reason-required`, `borrow-ended`, `forbidden`; `offline`,
    ///   `poisoned`, `full`, `closed`.
    public func seize(_ borrow: UUID, why: String) async throws(DatabaseError) {
        try checkOpen()
        _ = try await authority.ask([.seize(borrow.stored)], id: newID(), why: why)
    }

    /// Hands a borrow on: one of this user, whatever device has it, or any with the right `seize`.
    ///
    /// - Parameters:
    ///   - borrow: Which borrow, as ``borrows(mine:)`` lists it.
    ///   - user: Who shall hold it; nil for who is at work here.
    ///   - device: From which device; nil for this one.
    /// - Throws: `refused` with `borrow-ended`, `borrowed` for another's, `borrow-mismatch` for one
    ///   that waits in line, `forbidden`; `offline`, `poisoned`, `full`, `closed`.
    public func setHolder(
        of borrow: UUID,
        to user: String? = nil,
        device: String? = nil
    ) async throws(DatabaseError) {
        try checkOpen()
        let caller = authority.caller
        let operation = Operation.setHolder(
            borrow.stored,
            user: user ?? caller.user,
            device: device ?? caller.device
        )
        _ = try await authority.ask([operation], id: newID(), why: "")
    }
}
