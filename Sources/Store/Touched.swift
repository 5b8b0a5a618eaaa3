// Who keeps something derived from the state is told of every step of it, in the same step.
internal import HoldfastBasics
public import HoldfastRecords

/// A key whose record may stand differently now.
public struct Touched: Hashable, Sendable {
    /// Which tree; a system tree for borrows, ranges and declarations.
    public let tree: TreeName
    /// Which record.
    public let key: RecordKey

    /// Names a record.
    public init(tree: TreeName, key: RecordKey) {
        self.tree = tree
        self.key = key
    }

    /// Keys of several commits, each once, in the order they first came.
    struct Gathering {
        private(set) var all: [Touched] = []
        private var seen: Set<Touched> = []

        mutating func add(_ commit: CommitView) {
            for touched in commit.touched where seen.insert(touched).inserted {
                all.append(touched)
            }
        }
    }
}

extension Store {
    /// Is told which keys a step of the state touched, under the store's lock; nil for all there
    /// are and were.
    public typealias Consumer = @Sendable (StoreReader, [Touched]?) -> Void

    /// Has a consumer told of every step of the state, in the same step: after a commit was
    /// applied, after commits were taken back, after a mirror's pending changes were decided anew.
    ///
    /// Called before threads use the store. Nothing is gathered while nobody is attached.
    /// - Parameter consumer: Runs under the store's lock: short, and without calling the store.
    public func attach(_ consumer: @escaping Consumer) {
        core.withLock { $0.consumers.append(consumer) }
    }
}

extension Store.Core {
    /// Tells the consumers of a step that touched these keys.
    func tell(_ touched: [Touched]) {
        guard !consumers.isEmpty, !touched.isEmpty else { return }
        for consumer in consumers { consumer(reader, touched) }
    }
}

extension CommitView {
    /// The keys of its visible effects.
    var touched: [Touched] {
        var all: [Touched] = []
        do {
            try forEachBlock { block, _ in
                let end = block.name.firstIndex(of: UInt8(ascii: "/")) ?? block.name.count
                guard let tree = TreeName(any: block.name[0..<end].text) else { return }
                try block.forEachEffect { all.append(Touched(tree: tree, key: $0.key)) }
            }
        } catch {
            preconditionFailure("a commit that was applied cannot be read: \(error)")
        }
        return all
    }
}
