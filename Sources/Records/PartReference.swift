// The parts of a checkpoint as a manifest and a snapshot name them. The contract is
// CommitLog/FORMAT.md, section "Checkpoints".
public import HoldfastBasics

/// What a part holds of its block.
public enum PartKind: UInt8, Hashable, Sendable, CaseIterable {
    /// Records that stand.
    case records = 1
    /// Removals of records that do not.
    case tombstones = 2
    /// What changes did whose commits the log has no more, for those who send them again.
    case changes = 3
    /// Keys that were used, where the removals that told of them are forgotten.
    case used = 4

    /// What a state is folded from.
    public static let ofState: [PartKind] = [.records, .tombstones]

    /// What holds excerpts of commits.
    public static let ofCommits: [PartKind] = [.records, .tombstones, .changes]

    /// The kind in words: `records`, `tombstones`, `changes`, `used`.
    public var name: String {
        switch self {
        case .records: "records"
        case .tombstones: "tombstones"
        case .changes: "changes"
        case .used: "used"
        }
    }
}

/// A part as a manifest names it.
public struct PartReference: Hashable, Sendable {
    /// Of the file's bytes: its name.
    public let digest: Digest256
    /// Length of the file.
    ///
    /// Unit: bytes.
    public let byteCount: Int
    /// What it holds.
    public let kind: PartKind
    /// Of which block, as commits name it; empty for changes, which touch several.
    public let block: String
    /// How many effects it holds.
    public let effectCount: Int

    /// Names a part.
    public init(
        digest: Digest256,
        byteCount: Int,
        kind: PartKind,
        block: String,
        effectCount: Int
    ) {
        self.digest = digest
        self.byteCount = byteCount
        self.kind = kind
        self.block = block
        self.effectCount = effectCount
    }
}
