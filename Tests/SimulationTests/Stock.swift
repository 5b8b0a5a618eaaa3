// What the simulated users write: four trees, two of which one mirror must never hear of.
import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport

/// Trees, values and marks of a simulation.
enum Stock {
    static let parts = StockModel.parts
    static let bins = StockModel.bins
    static let footprints = StockModel.footprints
    static let secrets = known("secrets")
    /// Parts bear numbers, revisions, states and a unique field; bins refer to parts; the other two
    /// are named.
    static let trees = [parts, bins, footprints, secrets]
    /// What the mirror of chosen trees holds.
    static let chosen: Set<TreeName> = [bins, footprints]

    static let definitions: [Operation] =
        StockModel.definitions + [.defineTree(secrets, TreeDefinition(keys: .name))]

    private static func known(_ text: String) -> TreeName {
        guard let name = TreeName(text) else { preconditionFailure("\(text) is no tree's name") }
        return name
    }

    /// Stands in every key, value, note and reason of trees that are not chosen.
    static let mark = "ZQXJ"

    /// Whether bytes hold the mark.
    static func isMarked(_ bytes: [UInt8]) -> Bool {
        let mark = Array(mark.utf8)
        var from = bytes.startIndex
        while let next = bytes[from...].firstIndex(of: mark[0]) {
            if bytes[next...].starts(with: mark) { return true }
            from = next + 1
        }
        return false
    }

    /// Composed and decomposed letters: equal to Swift, different to the model.
    private static let spellings = ["cafe", "caf\u{e9}", "cafe\u{301}"]

    /// A key of a named tree.
    static func name(_ tree: TreeName, _ random: SeededRandom) -> RecordKey {
        let word = spellings[random.below(spellings.count)]
        let prefix = chosen.contains(tree) ? "" : mark
        return RecordKey(name: "\(prefix)\(word)-\(random.below(3))")
    }

    /// A value of a tree; `reference` is a part a bin may refer to.
    static func value(
        _ tree: TreeName,
        reference: RecordKey? = nil,
        _ random: SeededRandom
    ) -> [UInt8] {
        let count = random.below(90)
        switch tree {
        case parts:
            let word = spellings[random.below(spellings.count)]
            return Array(
                "{\"number\":\"\(mark)\(word)\(random.below(3))\",\"stock\":\(count)}".utf8
            )
        case bins:
            let part = reference.map { ",\"part\":\"\($0)\"" } ?? ""
            return Array("{\"count\":\(count)\(part)}".utf8)
        case secrets: return Array("{\"text\":\"\(mark)\(count)\"}".utf8)
        default: return Array("{\"pads\":\(count)}".utf8)
        }
    }

    /// A merge patch that fits every tree.
    static func patch(_ tree: TreeName, _ random: SeededRandom) -> [UInt8] {
        switch tree {
        case parts: Array("{\"stock\":\(random.below(90))}".utf8)
        case bins: Array("{\"count\":\(random.below(90))}".utf8)
        default: Array("{\"more\":\(random.below(90))}".utf8)
        }
    }

    /// Says why, with the mark where nothing of a chosen tree is touched.
    static func why(_ operations: [Operation]) -> String {
        let isHidden = operations.allSatisfy { operation in
            switch operation {
            case .put(let write), .patch(let write): !chosen.contains(write.tree)
            case .delete(let target), .release(let target, _), .setState(let target, _):
                !chosen.contains(target.tree)
            case .revise(let tree, _, _): !chosen.contains(tree)
            case .borrow(let taking): !chosen.contains(taking.tree)
            default: false
            }
        }
        return isHidden ? mark + "why" : "why"
    }
}

/// Counts what happened in runs, so that a test can see that rare paths were taken.
final class Tally {
    private(set) var counts: [String: Int] = [:]

    func count(_ what: String, _ number: Int = 1) { counts[what, default: 0] += number }
}

/// The keys that were ever used, by whomever: users mostly choose among the latest.
final class KnownKeys {
    private var keys: [TreeName: [RecordKey]] = [:]

    func add(_ tree: TreeName, _ key: RecordKey) {
        keys[tree, default: []].append(key)
    }

    func any(_ tree: TreeName, _ random: SeededRandom) -> RecordKey? {
        guard let known = keys[tree], !known.isEmpty else { return nil }
        let latest = known.suffix(random.oneIn(4) ? known.count : 3)
        return latest[latest.startIndex + random.below(latest.count)]
    }
}
