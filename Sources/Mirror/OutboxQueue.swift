// The changes that wait for their outcome, with what is asked of them again and again.
//
// Invariants:
// - every question is answered without looking at all changes: an outbox may hold many thousands,
//   and is asked several times for each;
// - `slots[first]` is a change when there is any; slots before it are empty.
internal import HoldfastBasics
internal import HoldfastRecords

/// Pending changes by number.
struct OutboxQueue {
    /// Changes by their number, from `base` on; nil where one has left.
    private var slots: [Change?] = []
    /// The number of the first slot.
    private var base: UInt64 = 1
    /// Index of the first change.
    private var first = 0
    private(set) var count = 0
    private var numbers: [UniqueID: UInt64] = [:]
    /// Which changes build on one that pends, by their numbers; some of them may have left.
    private var dependents: [UniqueID: [UInt64]] = [:]
    /// Which changes create a record, by what others refer to it with; the last one counts.
    private var makers: [Reference: [UniqueID]] = [:]
    private var records: [HoldRecord: Int] = [:]
    private var borrows: [UniqueID: Int] = [:]
    private var files: [Digest256: Int] = [:]

    // MARK: Asking

    var isEmpty: Bool { count == 0 }

    /// All of them, in order.
    var all: [Change] { slots[first...].compactMap(\.self) }

    /// The lowest number; nil when there is none.
    var firstNumber: UInt64? { isEmpty ? nil : base + UInt64(first) }

    subscript(id: UniqueID) -> Change? { numbers[id].flatMap { self[number: $0] } }

    subscript(number number: UInt64) -> Change? {
        guard number >= base, number - base < UInt64(slots.count) else { return nil }
        return slots[Int(number - base)]
    }

    /// The next ones after a number, at most so many.
    func after(_ number: UInt64, count: Int) -> [Change] {
        var found: [Change] = []
        var index = number < base ? first : max(first, Int(number - base) + 1)
        while index < slots.count, found.count < count {
            if let change = slots[index] { found.append(change) }
            index += 1
        }
        return found
    }

    /// A change and all that build on it, directly or not, in order.
    func closure(of change: Change) -> [Change] {
        var reached: Set<UInt64> = [change.deviceSeq]
        var changes = [change]
        var index = 0
        while index < changes.count {
            for number in dependents[changes[index].id] ?? [] {
                guard reached.insert(number).inserted, let next = self[number: number] else {
                    continue
                }
                changes.append(next)
            }
            index += 1
        }
        return changes.sorted { $0.deviceSeq < $1.deviceSeq }
    }

    /// The change that creates a record others refer to.
    func maker(of reference: Reference) -> UniqueID? { makers[reference]?.last }

    /// Whether a change creates records at all.
    var hasMakers: Bool { !makers.isEmpty }

    /// Whether any change is about a record.
    func isUsing(_ record: HoldRecord) -> Bool { records[record] != nil }

    /// Whether any change names a borrow.
    func isUsing(borrow: UniqueID) -> Bool { borrows[borrow] != nil }

    /// Whether any change names a file.
    func isUsing(file digest: Digest256) -> Bool { files[digest] != nil }

    // MARK: Changing

    /// Adds a change whose number is above all there were.
    mutating func append(_ change: Change) {
        if isEmpty {
            slots = []
            base = change.deviceSeq
            first = 0
        }
        while base + UInt64(slots.count) < change.deviceSeq { slots.append(nil) }
        slots.append(change)
        count += 1
        numbers[change.id] = change.deviceSeq
        // What has left already decides about nothing any more.
        for id in Set(change.dependencies) where numbers[id] != nil {
            dependents[id, default: []].append(change.deviceSeq)
        }
        for record in change.created { makers[record, default: []].append(change.id) }
        let subjects = change.subjects
        for record in subjects.records { records[record, default: 0] += 1 }
        for borrow in subjects.borrows { borrows[borrow, default: 0] += 1 }
        for digest in change.files { files[digest, default: 0] += 1 }
    }

    /// Takes a change out; nil when it is not here.
    @discardableResult
    mutating func remove(_ id: UniqueID) -> Change? {
        guard let number = numbers.removeValue(forKey: id), let change = self[number: number] else {
            return nil
        }
        slots[Int(number - base)] = nil
        count -= 1
        while first < slots.count, slots[first] == nil { first += 1 }
        if first > slots.count / 2 {
            slots.removeFirst(first)
            base += UInt64(first)
            first = 0
        }
        dependents[id] = nil
        for record in change.created {
            makers[record]?.removeAll { $0 == id }
            if makers[record]?.isEmpty ?? false { makers[record] = nil }
        }
        let subjects = change.subjects
        for record in subjects.records { Self.decrease(&records, record) }
        for borrow in subjects.borrows { Self.decrease(&borrows, borrow) }
        for digest in change.files { Self.decrease(&files, digest) }
        return change
    }

    private static func decrease<Key: Hashable>(_ counts: inout [Key: Int], _ key: Key) {
        guard let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
    }
}

extension Change {
    /// The changes whose outcome decides about this one's.
    var dependencies: [UniqueID] {
        requires
            + operations.compactMap { operation in
                let expects: Expectation? =
                    switch operation {
                    case .put(let write), .patch(let write): write.expects
                    case .delete(let target), .release(let target, _), .setState(let target, _):
                        target.expects
                    default: nil
                    }
                if case .change(let id) = expects { return id }
                return nil
            }
    }

    /// The records it creates, as other values refer to them.
    fileprivate var created: Set<Reference> {
        var records: Set<Reference> = []
        for case .put(let write) in operations where write.expects == .absent {
            if let key = write.key { records.insert(Reference(write.tree, key.description)) }
        }
        return records
    }

    /// The records it is about, and the borrows it names.
    var subjects: (records: Set<HoldRecord>, borrows: Set<UniqueID>) {
        var records: Set<HoldRecord> = []
        var borrows: Set<UniqueID> = []
        func add(_ tree: TreeName, _ key: RecordKey?, _ ids: UniqueID?...) {
            if let key { records.insert(HoldRecord(tree: tree, key: key)) }
            for case .some(let id) in ids { borrows.insert(id) }
        }
        for operation in operations {
            switch operation {
            case .put(let write), .patch(let write):
                add(write.tree, write.key, write.hold, write.borrow)
            case .delete(let target), .release(let target, _), .setState(let target, _):
                add(target.tree, target.key, target.borrow)
            case .revise(let tree, let key, let hold): add(tree, key, hold)
            case .borrow(let taking): borrows.insert(taking.borrow)
            case .return(let id), .cancel(let id), .recall(let id, _), .seize(let id),
                .setHolder(let id, _, _):
                borrows.insert(id)
            case .reserve, .defineTree: continue
            }
        }
        return (records, borrows)
    }
}
