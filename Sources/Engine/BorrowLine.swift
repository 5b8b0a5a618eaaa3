// Who holds a record and who waits for it: derived from the records of `_borrows`, never stored.
internal import HoldfastRecords
internal import HoldfastBasics

/// The lines of one tree, and its borrows by id.
///
/// Invariant: a line lists every live borrow of its key once, in the order they joined; its first
/// is the holder (`held` or `granted`), the others are `queued`. Empty lines are not kept.
struct BorrowLines: Equatable {
    private(set) var lines: [RecordKey: [UniqueID]] = [:]
    private(set) var records: [UniqueID: BorrowRecord] = [:]

    func line(_ key: RecordKey) -> [UniqueID] { lines[key] ?? [] }

    func holder(of key: RecordKey) -> BorrowRecord? {
        lines[key]?.first.flatMap { records[$0] }
    }

    mutating func insert(_ record: BorrowRecord) {
        remove(record.id)
        records[record.id] = record
        var line = lines[record.key] ?? []
        let place = line.firstIndex { (records[$0]?.order ?? 0) > record.order } ?? line.count
        line.insert(record.id, at: place)
        lines[record.key] = line
    }

    mutating func remove(_ id: UniqueID) {
        guard let old = records.removeValue(forKey: id) else { return }
        var line = lines[old.key] ?? []
        line.removeAll { $0 == id }
        lines[old.key] = line.isEmpty ? nil : line
    }
}
