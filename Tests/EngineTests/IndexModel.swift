import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import Testing

/// The simplest ordered index there is: a sorted array of keys beside their places.
struct SortedModel<ID: Hashable> {
    struct Key: Hashable {
        let id: ID
        let revision: UInt32
    }

    let idPrecedes: (ID, ID) -> Bool
    private(set) var keys: [Key] = []
    private(set) var places: [Key: Location] = [:]

    init(idPrecedes: @escaping (ID, ID) -> Bool) { self.idPrecedes = idPrecedes }

    func precedes(_ a: Key, _ b: Key) -> Bool {
        if idPrecedes(a.id, b.id) { return true }
        return idPrecedes(b.id, a.id) ? false : a.revision < b.revision
    }

    private func lowerBound(_ key: Key) -> Int {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if precedes(keys[middle], key) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func set(_ key: Key, _ place: Location) -> Location? {
        if let old = places.updateValue(place, forKey: key) { return old }
        keys.insert(key, at: lowerBound(key))
        return nil
    }

    mutating func remove(_ key: Key) -> Location? {
        guard let old = places.removeValue(forKey: key) else { return nil }
        keys.remove(at: lowerBound(key))
        return old
    }

    func latest(_ id: ID) -> Key? {
        let after = lowerBound(Key(id: id, revision: .max))
        if after < keys.count, keys[after].id == id { return keys[after] }
        return after > 0 && keys[after - 1].id == id ? keys[after - 1] : nil
    }

    /// What a walk must show.
    func walk(_ direction: ScanDirection, from start: ScanStart<ID>) -> [Key] {
        switch (direction, start) {
        case (.forwards, .edge):
            return keys
        case (.forwards, .including(let id, let revision)):
            return keys.filter { !precedes($0, Key(id: id, revision: revision)) }
        case (.forwards, .excluding(let id, let revision)):
            return keys.filter { precedes(Key(id: id, revision: revision), $0) }
        case (.backwards, .edge):
            return keys.reversed()
        case (.backwards, .including(let id, let revision)):
            return keys.reversed().filter { !precedes(Key(id: id, revision: revision), $0) }
        case (.backwards, .excluding(let id, let revision)):
            return keys.reversed().filter { precedes($0, Key(id: id, revision: revision)) }
        }
    }
}

/// A place that differs for each number below 2^40.
func place(_ number: UInt64) -> Location {
    Location(frame: number, effect: Int(number % 100_000))
}

/// Random numbers of one seed, without the lock that the shared source takes.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ limit: UInt64) -> UInt64 { next() % limit }

    mutating func chance(_ percent: UInt64) -> Bool { below(100) < percent }
}

/// As `#expect(a == b)`, which in a loop of a million takes most of the time.
func same<T: Equatable>(
    _ a: T,
    _ b: T,
    _ location: SourceLocation = #_sourceLocation
) {
    if a != b { Issue.record("\(a) is not \(b)", sourceLocation: location) }
}
