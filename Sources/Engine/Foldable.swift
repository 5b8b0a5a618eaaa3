// Whether a commit another node made can be folded: asked before anything of it is kept, because a
// fold that stops halfway cannot be taken back.
internal import HoldfastBasics
public import HoldfastRecords

/// What the commits checked so far, which are not applied yet, declare.
public struct PendingDeclarations {
    fileprivate var kinds: [[UInt8]: KeyKind] = [:]

    /// Nothing is declared.
    public init() {}
}

extension EngineState {
    /// Checks everything `apply` relies on, but for seq and hashes.
    ///
    /// - Parameters:
    ///   - commit: Will be applied after the state and the commits checked before it.
    ///   - declared: What those commits declare; gets what this one does.
    /// - Returns: Where each visible effect begins in the content.
    /// - Throws: `ApplyError` or `ContentError`: it must not be applied.
    public func checkFoldable(
        _ commit: CommitView,
        _ declared: inout PendingDeclarations
    ) throws -> [UInt32] {
        var offsets: [UInt32] = []
        try commit.forEachBlock { block, _ in
            let (name, kind) = try resolve(block.name, declared, seq: commit.seq)
            var keys: Set<RecordKey> = []
            guard offsets.count + block.effectCount <= Limits.effectCountMax else {
                throw ContentError.malformed(offset: 0, what: "too many effects")
            }
            try block.forEachPlacedEffect { effect, offset in
                offsets.append(offset)
                let key = effect.key
                guard key.id.kind == kind, keys.insert(key).inserted else {
                    throw ContentError.malformed(offset: Int(offset), what: "an effect's key")
                }
                guard let name else { return }
                try check(effect, of: name, &declared, seq: commit.seq)
            }
        }
        return offsets
    }

    /// The system tree a block is of, and the kind of its keys.
    private func resolve(
        _ block: ByteView,
        _ declared: PendingDeclarations,
        seq: UInt64
    ) throws -> (system: TreeName?, kind: KeyKind) {
        func kind(_ name: ByteView) throws -> KeyKind {
            if let index = treesByName[name] { return trees[index].declaration.keys }
            guard let kind = declared.kinds[name.array] else {
                throw ApplyError.unknownTree(block.text, seq: seq)
            }
            return kind
        }
        guard block[0..<min(1, block.count)].text == "_" else { return (nil, try kind(block)) }
        guard let slash = block.firstIndex(of: UInt8(ascii: "/")) else {
            return (TreeName(any: block.text), try kind(block))
        }
        _ = try kind(block.suffix(from: slash + 1))
        let tree = block[0..<slash]
        guard let name = TreeName(any: tree.text), name == .borrows || name == .ranges else {
            throw ApplyError.unknownTree(block.text, seq: seq)
        }
        return (name, .name)
    }

    private func check(
        _ effect: EffectView,
        of tree: TreeName,
        _ declared: inout PendingDeclarations,
        seq: UInt64
    ) throws {
        func malformed(_ what: String) -> ApplyError {
            .badSystemRecord(tree: tree.description, seq: seq, what: what)
        }
        do {
            switch tree {
            case .trees where effect.isSet:
                let declaration = try TreeDeclaration(json: effect.value)
                let old = treesByName[effect.name].map { trees[$0].declaration.keys }
                guard TreeName(effect.name.text) != nil, old ?? declaration.keys == declaration.keys
                else { throw malformed("its key") }
                declared.kinds[effect.name.array] = declaration.keys
            case .trees: throw malformed("a tree is removed")
            case .borrows, .ranges:
                guard UniqueID(effect.name) != nil else { throw malformed("its key") }
                guard effect.isSet else { return }
                if tree == .borrows {
                    _ = try BorrowRecord(key: effect.key, json: effect.value)
                } else {
                    _ = try RangeRecord(key: effect.key, json: effect.value)
                }
            case .files:
                guard Digest256(effect.name) != nil else { throw malformed("its key") }
                if effect.isSet { _ = try FileRecord(key: effect.key, json: effect.value) }
            case .tokens where effect.isSet:
                _ = try TokenRecord(key: effect.key, json: effect.value)
            default: return
            }
        } catch let error as FormError {
            throw malformed(error.detail)
        }
    }
}
