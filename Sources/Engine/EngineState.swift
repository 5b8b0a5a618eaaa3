// The state of a database: a fold over its commits.
//
// Invariants:
// - every structure here is a function of the live records (and, for ids and change memory, of all
//   commits), so that a fresh fold of the same log gives the same state in every structure;
// - it holds places in the log, not values; `EffectSource` reads them back;
// - it is confined by its owner (the store's lock) and starts nothing of its own.
public import HoldfastBasics
public import HoldfastRecords

/// The state folded from a commit log.
public final class EngineState {
    /// Seq of the last commit applied; 0 before the first.
    public internal(set) var head: UInt64 = 0
    /// Chain after the last commit applied.
    public internal(set) var chain = Hash128.zero
    /// Time of the last commit applied, in milliseconds since 1970.
    public internal(set) var lastTime: Int64 = 0
    /// Which epoch began at which seq, oldest first; never empty.
    public private(set) var lineage: [(epoch: Epoch, firstSeq: UInt64)]

    let source: any EffectSource
    var treesByName = ByteMap<Int>()
    var trees: [TreeState] = []
    var changes = ChangeTable()
    /// Who names which files; nil before the first file.
    var files: FileTable?
    /// The tree the last effects were on, by its index: most often also the next one's.
    var recentTree = 0
    /// The tree that was looked up last: most often also the next one.
    private var recentLookup: TreeState?
    /// What stood before each commit that may still be rolled back.
    var undo: [Undo] = []

    struct Undo {
        let seq: UInt64
        let frameOffset: UInt64
        let chain: Hash128
        let lastTime: Int64
    }

    /// The empty state.
    ///
    /// - Parameters:
    ///   - lineage: Epochs of the log and their first seqs, oldest first.
    ///   - source: Reads effects back; must outlive the state.
    public init(
        lineage: [(epoch: Epoch, firstSeq: UInt64)],
        source: any EffectSource
    ) {
        precondition(!lineage.isEmpty, "a log has at least one epoch")
        self.lineage = lineage
        self.source = source
        for name in TreeName.system { add(.system(name)) }
    }

    /// Takes the lineage of a log that goes on in other epochs.
    ///
    /// - Parameter later: Those of the commits that were applied are the same as now.
    public func goOn(in later: [EpochStart]) {
        let known = lineage.map { EpochStart(epoch: $0.epoch, firstSeq: $0.firstSeq) }
        precondition(later.agrees(with: known, upTo: head), "the epochs of commits never change")
        lineage = later.map { ($0.epoch, $0.firstSeq) }
    }

    // MARK: Looking up

    /// The last epoch: on a mirror it may begin behind commits that are still to come.
    public var epoch: Epoch { lineage[lineage.count - 1].epoch }

    /// The position after the last commit applied.
    public var position: Position { position(of: head) }

    /// The position of a commit: the epoch it was made in, and its seq.
    public func position(of seq: UInt64) -> Position {
        Position(epoch: lineage[epochIndex(of: seq)].epoch, seq: seq)
    }

    /// Which epoch of the lineage a commit is made in.
    func epochIndex(of seq: UInt64) -> Int {
        var index = lineage.count - 1
        while index > 0, lineage[index].firstSeq > seq { index -= 1 }
        return index
    }

    /// The tree of a name, system trees too.
    public func tree(_ name: TreeName) -> TreeState? {
        if let recent = recentLookup, recent.name == name { return recent }
        // They were there first, in this order; and who asks for one asks for another one next.
        if name.isSystem, let place = TreeName.system.firstIndex(of: name) { return trees[place] }
        let tree = Array(name.description.utf8).withView { treesByName[$0] }.map { trees[$0] }
        if let tree { recentLookup = tree }
        return tree
    }

    /// All trees, system trees first, then in the order they were declared.
    public var allTrees: [TreeState] { trees }

    /// Where a record's last effect lies, which may be its removal; nil when there never was one.
    public func location(_ tree: TreeState, _ key: RecordKey) -> Location? {
        tree.index.location(key)
    }

    /// The same without making a key, for an id as a request gives it; nil also when it is no id.
    public func location(_ tree: TreeState, text: ByteView, revision: UInt32) -> Location? {
        tree.index.location(text: text, revision: revision)
    }

    /// A live borrow and the tree it is about.
    public func borrow(_ id: UniqueID) -> (tree: TreeState, record: BorrowRecord)? {
        for tree in trees {
            if let record = tree.lines.records[id] { return (tree, record) }
        }
        return nil
    }

    /// Logical offset of the frame of an accepted change; nil when it is not remembered.
    public func frameOffset(ofChange id: UniqueID) -> UInt64? { changes[id] }

    /// The id that carries a value in a unique field, and nil when there is none.
    public func owner(tree: TreeState, field: String, value: ByteView) -> RecordID? {
        tree.uniques.first { $0.field == field }?.owner(of: value)?.id
    }

    /// All set hashes by block name, for the heartbeat and for comparing two folds.
    public var hashes: [(block: BlockName, hash: Hash128)] {
        var all: [(BlockName, Hash128)] = []
        for tree in trees {
            if tree.name != .borrows, tree.name != .ranges {
                all.append((BlockName(tree: tree.name), tree.hash))
            }
            guard !tree.name.isSystem else { continue }
            all.append((TreeName.borrows.block(about: tree.name), tree.borrowsHash))
            all.append((TreeName.ranges.block(about: tree.name), tree.rangesHash))
        }
        return all
    }

    func add(_ tree: TreeState) {
        tree.block.withView { treesByName[$0] = trees.count }
        trees.append(tree)
    }

    /// Puts the declared trees in an order.
    ///
    /// - Returns: False when these are not their names.
    func arrange(_ names: [String]) -> Bool {
        let declared = trees.dropFirst(TreeName.system.count)
        let byName = Dictionary(uniqueKeysWithValues: declared.map { ($0.name.description, $0) })
        let ordered = names.compactMap { byName[$0] }
        guard ordered.count == names.count, names.count == byName.count,
            Set(names).count == names.count
        else { return false }
        trees = Array(trees.prefix(TreeName.system.count)) + ordered
        for (index, tree) in trees.enumerated() {
            tree.block.withView { treesByName[$0] = index }
        }
        recentTree = 0
        return true
    }

    func removeLast(_ tree: TreeState) {
        precondition(trees.last === tree, "trees are undone in reverse order")
        trees.removeLast()
        recentLookup = nil
        tree.block.withView { treesByName[$0] = nil }
    }
}

extension EngineState {
    /// Where the last effect on the highest revision of an id lies, be it a removal; nil when the
    /// id was never used.
    public func lastLocation(_ tree: TreeState, of id: RecordID) -> Location? {
        var last: Location?
        tree.index.forEachRevision(of: id) { _, location in
            last = location
            return true
        }
        return last
    }
}
