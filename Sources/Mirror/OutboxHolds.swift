// Borrows that creations took on their own, to be given back when nothing pends for their records.
//
// Invariant: a hold whose record or borrow no pending change names is among the candidates.
internal import HoldfastBasics
internal import HoldfastRecords

/// Holds by borrow.
struct OutboxHolds {
    private(set) var records: [UniqueID: HoldRecord] = [:]
    private var borrows: [HoldRecord: Set<UniqueID>] = [:]
    /// Holds nothing may pend for any more: looked at before they are given back.
    private var candidates: Set<UniqueID> = []

    /// Whether a creation holds a record.
    func isHeld(_ record: HoldRecord) -> Bool { borrows[record] != nil }

    mutating func insert(_ record: HoldRecord, for id: UniqueID) {
        remove(id)
        records[id] = record
        borrows[record, default: []].insert(id)
        candidates.insert(id)
    }

    mutating func remove(_ id: UniqueID) {
        guard let record = records.removeValue(forKey: id) else { return }
        borrows[record]?.remove(id)
        if borrows[record]?.isEmpty ?? false { borrows[record] = nil }
        candidates.remove(id)
    }

    /// Takes a change out of the queue, and looks at the holds it named again.
    mutating func offer(_ change: Change, leaving queue: inout OutboxQueue) {
        queue.remove(change.id)
        guard !records.isEmpty else { return }
        let subjects = change.subjects
        for id in subjects.borrows where records[id] != nil { candidates.insert(id) }
        for record in subjects.records { candidates.formUnion(borrows[record] ?? []) }
    }

    /// The holds nothing in the queue names, in the order they were taken.
    mutating func free(_ queue: OutboxQueue) -> [UniqueID] {
        guard !candidates.isEmpty else { return [] }
        candidates = candidates.filter { id in
            guard let record = records[id] else { return false }
            return !queue.isUsing(borrow: id) && !queue.isUsing(record)
        }
        return candidates.sorted()
    }
}
