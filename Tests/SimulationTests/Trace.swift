// The last steps of a run, in words; only kept when a run is repeated because it failed.
import HoldfastBasics
import HoldfastRecords

/// Remembers what happened last.
final class Trace {
    private static let lineCount = 80
    private let isOn: Bool
    private var lines: [String] = []

    init(isOn: Bool) { self.isOn = isOn }

    func note(_ line: @autoclosure () -> String) {
        guard isOn else { return }
        lines.append(line())
        if lines.count > 2 * Self.lineCount { lines.removeFirst(Self.lineCount) }
    }

    var text: String { lines.suffix(Self.lineCount).joined(separator: "\n") }
}

extension Operation {
    /// A few words for a trace.
    var summary: String {
        switch self {
        case .put(let write): "put " + write.summary
        case .patch(let write): "patch " + write.summary
        case .delete(let target): "delete \(target.tree) \(target.key) \(target.condition)"
        case .release(let target, _): "release \(target.tree) \(target.key) \(target.condition)"
        case .setState(let target, let state):
            "setState \(target.tree) \(target.key) \(state) \(target.condition)"
        case .revise(let tree, let key, let hold): "revise \(tree) \(key) hold \(hold.text)"
        case .borrow(let taking): "borrow \(taking.tree) \(taking.key) as \(taking.borrow)"
        case .return(let id): "return \(id)"
        case .cancel(let id): "cancel \(id)"
        case .recall(let id, _): "recall \(id)"
        case .seize(let id): "seize \(id)"
        case .setHolder(let id, let user, let device): "setHolder \(id) \(user) \(device)"
        case .reserve(let tree, _, let count): "reserve \(count) of \(tree)"
        case .defineTree(let tree, _): "define \(tree)"
        }
    }
}

extension WriteOperation {
    fileprivate var summary: String {
        "\(tree) \(key.map { "\($0)" } ?? "-") " + String(decoding: value, as: UTF8.self)
            + " hold \(hold.text) "
            + RecordOperation(
                tree: tree,
                key: key ?? RecordKey(number: 1),
                expects: expects,
                borrow: borrow
            ).condition
    }
}

extension RecordOperation {
    fileprivate var condition: String {
        let expectation =
            switch expects {
            case .absent: "nothing"
            case .version(let position): "version \(position.seq)"
            case .change(let id): "change \(id)"
            case nil: "anything"
            }
        return "expecting \(expectation), under \(borrow.text)"
    }
}

extension UniqueID? {
    fileprivate var text: String { map { "\($0)" } ?? "none" }
}

extension Change {
    /// A few words for a trace.
    var summary: String {
        "\(id) no. \(deviceSeq) requiring \(requires): "
            + operations.map(\.summary).joined(separator: "; ")
    }
}
