// What `decide` answers.
public import HoldfastBasics
public import HoldfastRecords

/// Who decides.
public enum Role: Sendable {
    /// The word that counts.
    case authority
    /// A mirror's guess: what needs the authority is left to it.
    case preview
}

/// What `decide` is told besides the state and the change.
public struct DecisionContext {
    /// Who asks.
    public let caller: Caller
    /// The clock, in milliseconds since 1970.
    public let now: Int64
    /// Gives ids and salts.
    public let random: any RandomSource
    /// Who decides.
    public let role: Role
    /// The application's trees the caller sees; nil for all.
    ///
    /// Of others nothing is told, and nothing in them is changed. On a mirror they are the trees
    /// whose records are here; for a caller of limited rights none it may not read is among them.
    public let visibleTrees: Set<TreeName>?
    /// What the caller may do; nil for everything.
    public let rights: Rights?
    /// Whether values may name only files that are here; where no files are kept they name any.
    public let keepsFiles: Bool

    /// Gathers the context.
    public init(
        caller: Caller,
        now: Int64,
        random: any RandomSource,
        role: Role = .authority,
        visibleTrees: Set<TreeName>? = nil,
        rights: Rights? = nil,
        keepsFiles: Bool = false
    ) {
        self.caller = caller
        self.now = now
        self.random = random
        self.role = role
        self.rights = rights
        self.keepsFiles = keepsFiles
        guard let readable = rights?.readable else {
            self.visibleTrees = visibleTrees
            return
        }
        self.visibleTrees = visibleTrees?.intersection(readable) ?? readable
    }
}

/// What one operation led to.
///
/// What is long and rare stands apart: a change has as many as operations.
public enum OperationResult: Hashable, Sendable {
    /// A record was created; its key may be news to the caller.
    case created(TreeName, RecordKey)
    /// A record was changed.
    case changed(TreeName, RecordKey)
    /// A record was deleted.
    case deleted(TreeName, RecordKey)
    /// A borrow stands; `place` is 0 for the holder, otherwise how many stand before.
    indirect case borrow(BorrowRecord, place: Int)
    /// A borrow ended.
    case ended(UniqueID)
    /// A key range was given out.
    indirect case range(RangeRecord)
    /// A tree is declared so.
    case tree(TreeName, isNew: Bool)
}

/// The answer to a change.
public enum Decision {
    /// It becomes this commit.
    case commit(Commit, [OperationResult])
    /// It asks for what stands already; nothing is logged.
    case unchanged([OperationResult])
    /// It was accepted before, by the commit whose frame lies there.
    case replayed(frameOffset: UInt64)
    /// It is refused as a whole.
    case refused(Refusal)
    /// A preview cannot tell; the authority will.
    case undetermined
}

/// A refusal on its way out of the rules.
struct Refused: Error {
    let refusal: Refusal

    init(_ refusal: Refusal) { self.refusal = refusal }

    init(
        _ code: RefusalCode,
        _ detail: String,
        field: String? = nil,
        borrow: BorrowFacts? = nil,
        current: RecordReference? = nil,
        ended: Ending? = nil,
        rules: [String] = []
    ) {
        refusal = Refusal(
            code,
            detail,
            field: field,
            borrow: borrow,
            current: current,
            ended: ended,
            rules: rules
        )
    }
}
