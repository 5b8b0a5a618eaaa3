// `apply`: sets and removes, and keeps everything derived in step. No policy: whether a change may
// happen was decided before. The same code runs on the server, on followers, on mirrors, in
// recovery, and backwards for `rollback`.
internal import HoldfastBasics
public import HoldfastRecords

/// Why a commit cannot be folded.
///
/// The log is damaged, or of a newer version.
public enum ApplyError: Error, Equatable, Sendable {
    /// Bytes that are not what the format says.
    case content(ContentError)
    /// Seqs are dense.
    case gap(expected: UInt64, found: UInt64)
    /// An effect on a tree nobody declared.
    case unknownTree(String, seq: UInt64)
    /// A checkpoint has two last effects of one record.
    case repeated(tree: String, seq: UInt64)
    /// The value of a system record is not of its shape.
    case badSystemRecord(tree: String, seq: UInt64, what: String)
}

extension EngineState {
    /// Folds a commit whose frame lies at `frameOffset` and can be read through the source already.
    ///
    /// - Parameters:
    ///   - commit: Its content.
    ///   - frameOffset: Logical offset of its frame.
    ///   - undoable: Whether `rollback` may be asked to take it back.
    ///   - isTallied: Whether what a `Tally` gathers is taken from one.
    /// - Throws: `ApplyError`; the state is then not to be used any more.
    public func apply(
        _ commit: CommitView,
        at frameOffset: UInt64,
        undoable: Bool,
        isTallied: Bool = false
    ) throws {
        guard commit.seq == head + 1 else {
            throw ApplyError.gap(expected: head + 1, found: commit.seq)
        }
        if undoable {
            undo.append(
                Undo(seq: commit.seq, frameOffset: frameOffset, chain: chain, lastTime: lastTime)
            )
        }
        let seq = commit.seq
        try commit.forEachBlock { block, firstOrdinal in
            let step = try resolve(block.name, seq: seq)
            var ordinal = firstOrdinal
            try block.forEachEffect { effect in
                let location = Location(frame: frameOffset, effect: ordinal)
                if let previous = step.tree.index.replace(effect, with: location) {
                    try leave(step, previous)
                }
                try enter(step, effect, seq: seq, isTallied: isTallied)
                ordinal += 1
            }
            step.tree.lastSeq = seq
            step.subject?.lastSeq = seq
        }
        if !isTallied { changes.insert(frameOffset, for: commit.changeID) }
        head = seq
        chain = commit.chain
        lastTime = commit.at
    }

    /// Takes back every commit above `seq`, newest first.
    ///
    /// The commits were applied as undoable, and the source can still read them.
    /// - Parameters:
    ///   - seq: The last commit that stays.
    ///   - taken: Is lent every commit that was taken back.
    /// - Throws: `ApplyError`; cannot happen for commits that were applied here.
    public func rollback(to seq: UInt64, taken: (CommitView) -> Void = { _ in }) throws {
        while let last = undo.last, last.seq > seq {
            try source.withCommit(at: last.frameOffset) { commit in
                try unapply(commit, last)
                taken(commit)
            }
            undo.removeLast()
        }
        precondition(head <= seq || head == 0, "a commit to be taken back was not kept undoable")
        for tree in trees { tree.lastSeq = min(tree.lastSeq, seq) }
    }

    /// Forgets how to take back commits up to `seq`: they are durable.
    public func forgetUndo(upTo seq: UInt64) {
        guard let first = undo.first, first.seq <= seq else { return }
        undo.removeFirst(undo.firstIndex { $0.seq > seq } ?? undo.count)
    }

    private func unapply(_ commit: CommitView, _ before: Undo) throws {
        var steps: [(block: [UInt8], location: Location)] = []
        try commit.forEachBlock { block, firstOrdinal in
            for index in 0..<block.effectCount {
                let place = Location(frame: before.frameOffset, effect: firstOrdinal + index)
                steps.append((block.name.array, place))
            }
        }
        for (block, location) in steps.reversed() {
            try block.withView { block in
                let step = try resolve(block, seq: commit.seq)
                let previous = source.previous(of: location)
                try leave(step, location)
                source.withEffect(at: location) { effect, _ in
                    step.tree.index.replace(effect, with: previous == .none ? nil : previous)
                    if previous == .none { forget(step.tree, effect) }
                }
                guard previous != .none else { return }
                try source.withEffect(at: previous) { effect, commit in
                    try enter(step, effect, seq: commit.seq)
                }
            }
        }
        changes.remove(commit.changeID)
        head = before.seq - 1
        chain = before.chain
        lastTime = before.lastTime
    }

    /// The record's first effect was taken back: it never was.
    private func forget(_ tree: TreeState, _ effect: EffectView) {
        if tree.name == .trees, let index = treesByName[effect.name] { removeLast(trees[index]) }
        guard let number = effect.number else { return }
        guard !tree.index.holds(.number(number)), !tree.usedKeys.ids.contains(number) else {
            return
        }
        tree.usedIDs.remove(number)
    }

    // MARK: One effect

    struct Step {
        let tree: TreeState
        /// The tree that records of `_borrows` and `_ranges` are about.
        let subject: TreeState?
        /// The block's name, as the hash of its records begins with it.
        let block: TreeHash.Block
    }

    func resolve(_ block: ByteView, seq: UInt64) throws -> Step {
        if recentTree < trees.count {
            let tree = trees[recentTree]
            if tree.block.withView({ $0 == block }) {
                return Step(tree: tree, subject: nil, block: tree.hashBlock)
            }
        }
        if let index = treesByName[block] {
            recentTree = index
            return Step(tree: trees[index], subject: nil, block: trees[index].hashBlock)
        }
        guard let slash = block.firstIndex(of: UInt8(ascii: "/")),
            let tree = treesByName[block[0..<slash]],
            let subject = treesByName[block.suffix(from: slash + 1)]
        else { throw ApplyError.unknownTree(block.text, seq: seq) }
        return Step(tree: trees[tree], subject: trees[subject], block: TreeHash.Block(block))
    }

    /// Takes what an effect had set out of everything derived.
    private func leave(_ step: Step, _ location: Location) throws {
        try source.withEffect(at: location) { effect, commit in
            guard effect.isSet else { return }
            let hash = TreeHash.record(effect, step.block, seq: commit.seq)
            add(step, hash: .zero &- hash)
            step.tree.count -= 1
            if !step.tree.uniques.isEmpty {
                forEachUnique(step.tree, effect) { $0.remove($1, id: effect.key.id) }
            }
            if !step.tree.fieldIndexes.isEmpty {
                for index in step.tree.fieldIndexes { index.remove(effect) }
            }
            guard step.tree.isSystem else {
                files?.remove(effect.value, of: step.tree.name, seq: head + 1)
                return
            }
            try leaveSystem(step, effect, seq: commit.seq)
        }
    }

    /// Puts what an effect sets into everything derived.
    func enter(
        _ step: Step,
        _ effect: EffectView,
        seq: UInt64,
        isTallied: Bool = false
    ) throws {
        if let number = effect.number { step.tree.usedIDs.insert(number) }
        guard effect.isSet else { return }
        if !isTallied { add(step, hash: TreeHash.record(effect, step.block, seq: seq)) }
        step.tree.count += 1
        if !step.tree.uniques.isEmpty {
            forEachUnique(step.tree, effect) { $0.add($1, id: effect.key.id) }
        }
        if !step.tree.fieldIndexes.isEmpty {
            for index in step.tree.fieldIndexes { index.add(effect) }
        }
        guard step.tree.isSystem else {
            files?.add(effect.value, of: step.tree.name)
            return
        }
        try enterSystem(step, effect, seq: seq)
    }

    func add(_ step: Step, hash: Hash128) {
        guard let subject = step.subject else {
            step.tree.hash = step.tree.hash &+ hash
            return
        }
        switch step.tree.name {
        case .borrows: subject.borrowsHash = subject.borrowsHash &+ hash
        case .ranges: subject.rangesHash = subject.rangesHash &+ hash
        default: step.tree.hash = step.tree.hash &+ hash
        }
    }

    func forEachUnique(
        _ tree: TreeState,
        _ effect: EffectView,
        _ body: (UniqueIndex, ByteView) -> Void
    ) {
        tree.validator.uniqueFields.forEachValue(in: effect.value) { ordinal, value in
            body(tree.uniques[ordinal], value)
        }
    }

    // MARK: System trees

    private func enterSystem(_ step: Step, _ effect: EffectView, seq: UInt64) throws {
        do {
            switch step.tree.name {
            case .trees:
                try declare(effect.name, TreeDeclaration(json: effect.value))
            case .borrows:
                step.subject?.lines.insert(try BorrowRecord(key: effect.key, json: effect.value))
            case .ranges:
                step.subject?.ranges.insert(try RangeRecord(key: effect.key, json: effect.value))
            case .files:
                guard let digest = Digest256(effect.name) else {
                    throw malformed(step, seq, "its key")
                }
                // The first file: from here on it is known who names which.
                if files == nil { files = namedFiles() }
                files?.setKnown(digest, true, seq: seq)
            default: return
            }
        } catch let error as FormError {
            throw malformed(step, seq, error.detail)
        }
    }

    private func leaveSystem(_ step: Step, _ effect: EffectView, seq: UInt64) throws {
        do {
            switch step.tree.name {
            case .borrows:
                guard let id = UniqueID(effect.name) else { throw malformed(step, seq, "its key") }
                step.subject?.lines.remove(id)
            case .ranges:
                let range = try RangeRecord(key: effect.key, json: effect.value)
                step.subject?.ranges.remove(first: range.first)
            case .files:
                if let digest = Digest256(effect.name) { files?.setKnown(digest, false, seq: seq) }
            default: return
            }
        } catch let error as FormError {
            throw malformed(step, seq, error.detail)
        }
    }

    private func declare(_ name: ByteView, _ declaration: TreeDeclaration) throws {
        guard let index = treesByName[name] else {
            guard let name = TreeName(name.text) else {
                throw ApplyError.badSystemRecord(tree: "_trees", seq: head + 1, what: "its key")
            }
            add(TreeState(name: name, declaration: declaration))
            return
        }
        let tree = trees[index]
        tree.declaration = declaration
        tree.validator = SchemaValidator(declaration)
        tree.declareIndexedFields()
        let fields = tree.validator.uniqueFields.names
        guard fields != tree.uniques.map(\.field) else { return }
        tree.uniques = fields.map { UniqueIndex(field: $0) }
        try rebuildUniques(tree)
    }

    private func rebuildUniques(_ tree: TreeState) throws {
        tree.index.scan(from: nil, inclusive: true) { _, _, _, location in
            source.withEffect(at: location) { effect, _ in
                guard effect.isSet else { return }
                forEachUnique(tree, effect) { $0.add($1, id: effect.key.id) }
            }
            return true
        }
    }

    private func malformed(_ step: Step, _ seq: UInt64, _ what: String) -> ApplyError {
        .badSystemRecord(tree: step.tree.name.description, seq: seq, what: what)
    }
}
