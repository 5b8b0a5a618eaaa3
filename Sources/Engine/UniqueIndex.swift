// Which id carries which value in a unique field.
internal import HoldfastBasics
internal import HoldfastRecords

/// The values of one unique field of one tree.
///
/// A value belongs to an *id* as long as any of its revisions carries it; null is not indexed;
/// values compare by bytes.
final class UniqueIndex {
    struct Owner: Equatable {
        let id: RecordID
        /// Live revisions that carry the value.
        var count: Int
    }

    /// The field's stored name.
    let field: String
    private(set) var owners = ByteMap<Owner>()
    /// Ids that carry a value beside its owner.
    ///
    /// None between commits; inside one, and inside its taking back, effects come one by one, and a
    /// value that moves or is swapped is gained before it is lost.
    private var rivals: [[UInt8]: [Owner]] = [:]

    init(field: String) { self.field = field }

    func owner(of value: ByteView) -> Owner? { owners[value] }

    /// A revision of `id` carries the value now; false when another id owns it already.
    @discardableResult
    func add(_ value: ByteView, id: RecordID) -> Bool {
        guard var owner = owners[value] else {
            owners[value] = Owner(id: id, count: 1)
            return true
        }
        guard owner.id == id else {
            var others = rivals[value.array] ?? []
            if let index = others.firstIndex(where: { $0.id == id }) {
                others[index].count += 1
            } else {
                others.append(Owner(id: id, count: 1))
            }
            rivals[value.array] = others
            return false
        }
        owner.count += 1
        owners[value] = owner
        return true
    }

    /// A revision of `id` carries the value no longer.
    func remove(_ value: ByteView, id: RecordID) {
        guard var owner = owners[value] else { return }
        guard owner.id == id else {
            removeRival(value.array, id)
            return
        }
        owner.count -= 1
        owners[value] = owner.count > 0 ? owner : rivals.isEmpty ? nil : successor(value.array)
    }

    private func removeRival(_ value: [UInt8], _ id: RecordID) {
        guard var others = rivals[value], let index = others.firstIndex(where: { $0.id == id })
        else { return }
        others[index].count -= 1
        if others[index].count == 0 { others.remove(at: index) }
        rivals[value] = others.isEmpty ? nil : others
    }

    /// The first of the rivals, who owns the value from now on.
    private func successor(_ value: [UInt8]) -> Owner? {
        guard var others = rivals[value] else { return nil }
        let first = others.removeFirst()
        rivals[value] = others.isEmpty ? nil : others
        return first
    }
}
