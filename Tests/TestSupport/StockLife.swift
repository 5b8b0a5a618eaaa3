// A random life of a stockroom, every answer of the store compared with the model's.
public import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords
internal import HoldfastStore

/// Proposes random changes, right ones and mistakes, and knows what must come of them.
public final class StockLife {
    /// The store under test.
    public let bench: StoreBench
    /// What must stand after the last commit.
    public internal(set) var model: StockModel
    /// What must stand after each commit, by seq; only when history is kept.
    public private(set) var models: [StockModel] = []
    /// The chain after each commit, by seq; only when history is kept.
    public private(set) var chains: [Hash128] = []
    /// The time of each commit, by seq.
    var times: [Int64] = []
    /// Removals of commits before a seq and a time may be forgotten: it was tried.
    var forgettings: [(seq: UInt64, time: Int64)] = []
    /// Whether the model forgot removals.
    public internal(set) var hasForgotten = false
    /// Changes that were accepted, with the seqs they became.
    public private(set) var accepted: [(change: Change, caller: Caller, seq: UInt64)] = []
    /// How often each answer was given, by its code.
    public private(set) var answers: [String: Int] = [:]
    /// Runs after time has passed, before the store is told.
    public var beforeTick: () -> Void = {}
    /// Is given every change before it is proposed.
    public var beforeProposal: (Change, Caller) throws -> Void = { _, _ in }
    let random: SeededRandom
    private let keepsHistory: Bool
    private var knownBorrows: [UniqueID] = []

    static let callers = [("anna", "PC-1"), ("bert", "PC-2"), ("carl", "PC-3")]
        .map { Caller(user: $0.0, device: $0.1) }

    /// Declares the trees and begins.
    ///
    /// - Throws: `Disagreement` when the store refuses the declarations.
    public init(_ bench: StoreBench, seed: UInt64, keepsHistory: Bool = false) throws {
        self.bench = bench
        self.keepsHistory = keepsHistory
        random = SeededRandom(seed: seed &+ 0x5EED)
        model = StockModel()
        noteHistory()
        for operation in StockModel.definitions {
            guard bench.submit([operation]).isAccepted else {
                throw Disagreement("a declaration is refused")
            }
            noteHistory()
        }
    }

    /// Goes on with a store that was opened again, perhaps without its last commits.
    ///
    /// - Throws: `Disagreement` when the store does not hold a beginning of this history.
    public func resumed(with bench: StoreBench, seed: UInt64) throws -> StockLife {
        try StockLife(bench, after: self, seed: seed)
    }

    private init(_ bench: StoreBench, after life: StockLife, seed: UInt64) throws {
        let head = bench.store.read { $0.state.head }
        guard head < UInt64(life.models.count) else {
            throw Disagreement("\(head) commits, of \(life.models.count - 1) that were made")
        }
        self.bench = bench
        keepsHistory = true
        random = SeededRandom(seed: seed)
        model = life.models[Int(head)]
        models = Array(life.models.prefix(Int(head) + 1))
        chains = Array(life.chains.prefix(Int(head) + 1))
        times = Array(life.times.prefix(Int(head) + 1))
        forgettings = life.forgettings
        hasForgotten = life.hasForgotten
        accepted = life.accepted.filter { $0.seq <= head }
        knownBorrows = life.knownBorrows
        guard bench.store.read({ $0.state.chain }) == chains[Int(head)] else {
            throw Disagreement("commit \(head) is another one than was made")
        }
        try takeForgetting()
    }

    private func noteHistory() {
        times.append(bench.store.read { $0.state.lastTime })
        guard keepsHistory else { return }
        models.append(model)
        chains.append(bench.store.read { $0.state.chain })
    }

    // MARK: Steps

    /// One random change, a resend, or the passing of time.
    ///
    /// - Throws: `Disagreement` when the store answers otherwise than the model.
    public func step() throws {
        switch random.below(60) {
        case 0: try passTime()
        case 1: try resend()
        default: try proposeAnything()
        }
    }

    private func proposeAnything() throws {
        let caller = pick(Self.callers)
        let count = random.oneIn(6) ? random.within(2...4) : 1
        let operations =
            random.oneIn(12)
            ? entangled(caller)
            : (0..<count).map { _ in operation(caller, isAlone: count == 1) }
        let digest = Hash128(high: random.next() | 1, low: random.next())
        let why = random.oneIn(3) ? "" : "counted"
        try propose(
            Change(id: bench.id(), digest: digest, why: why, operations: operations),
            by: caller
        )
    }

    /// Proposes a change and compares the answer.
    ///
    /// - Throws: `Disagreement`.
    public func propose(_ change: Change, by caller: Caller) throws {
        try beforeProposal(change, caller)
        let head = bench.store.read { $0.state.head }
        let submission = bench.store.submit(change, by: caller)
        let results: [OperationResult] =
            switch submission {
            case .accepted(_, let results), .unchanged(_, let results): results
            default: []
            }
        let answer = try model.decide(
            change,
            by: caller,
            now: bench.time.wallMilliseconds(),
            seq: head + 1,
            results: results
        )
        switch (submission, answer) {
        case (.accepted(let position, _), .accepted(let next)) where position.seq == head + 1:
            model = next
            accepted.append((change, caller, position.seq))
            noteHistory()
            answers["accepted", default: 0] += 1
        case (.unchanged, .unchanged): answers["unchanged", default: 0] += 1
        case (.refused(_, let refusal), .refused(let code)) where refusal.code == code:
            answers[code.rawValue, default: 0] += 1
        default:
            throw Disagreement(
                "after commit \(head), \(caller.user): \(change.operations)\nthe store answers "
                    + "\(submission)\nthe model \(answer.text)"
            )
        }
    }

    /// Sends an accepted change again, or another under its id.
    private func resend() throws {
        guard let old = accepted.randomElement(using: &generator) else { return }
        let head = bench.store.read { $0.state.head }
        let isOther = random.oneIn(3)
        var change = old.change
        if isOther { change.digest = Hash128(high: random.next() | 1, low: 0) }
        let submission = bench.store.submit(change, by: old.caller)
        switch submission {
        case .replayed(let position, _) where !isOther && position.seq == old.seq:
            answers["replayed", default: 0] += 1
        case .refused(_, let refusal) where isOther && refusal.code == .idempotencyMismatch:
            answers["idempotency-mismatch", default: 0] += 1
        default: throw Disagreement("change \(change.id) sent again: \(submission)")
        }
        guard bench.store.read({ $0.state.head }) == head else {
            throw Disagreement("change \(change.id) was done twice")
        }
    }

    private lazy var generator = random

    private func passTime() throws {
        bench.time.advance(milliseconds: Int64(random.below(200_000)))
        let head = bench.store.read { $0.state.head }
        beforeTick()
        bench.store.tick()
        let didLapse = model.lapse(now: bench.time.wallMilliseconds(), seq: head + 1)
        if didLapse {
            noteHistory()
            answers["lapsed", default: 0] += 1
        }
        guard bench.store.read({ $0.state.head }) == head + (didLapse ? 1 : 0) else {
            throw Disagreement("grants lapsed, or did not, after commit \(head)")
        }
    }

    // MARK: Random operations

    private func pick<T>(_ choices: [T]) -> T { choices[random.below(choices.count)] }

    private func operation(_ caller: Caller, isAlone: Bool) -> HoldfastRecords.Operation {
        let slot = anySlot()
        switch random.below(model.records.count > 250 ? 88 : 114) {
        case 0..<30:
            return .put(write(slot, caller))
        case 30..<38:
            return .patch(write(slot, caller))
        case 38..<52:
            return .delete(target(slot, caller))
        case 52..<58:
            return .release(target(slot, caller), number: UInt32(random.below(4)))
        case 58..<63:
            let hold = random.oneIn(3) ? newBorrow() : nil
            return .revise(tree: slot.tree, key: slot.key, hold: hold)
        case 63..<66:
            let number = UInt32(random.below(4))
            let next = random.oneIn(2) ? RecordState.draft(number) : .released(number)
            return .setState(target(slot, caller), next)
        case 66..<76:
            let id = random.oneIn(4) ? anyBorrow(caller) : newBorrow()
            let queues = isAlone ? random.oneIn(2) : random.oneIn(10)
            return .borrow(
                BorrowOperation(tree: slot.tree, key: slot.key, borrow: id, queue: queues)
            )
        case 76..<84:
            return .return(anyBorrow(caller))
        case 84..<88:
            return .cancel(anyBorrow(caller))
        case 88..<89:
            return .recall(anyBorrow(caller), note: "needed")
        case 89..<90:
            return .seize(anyBorrow(caller))
        case 90..<92:
            let next = pick(Self.callers)
            return .setHolder(anyBorrow(caller), user: next.user, device: next.device)
        case 92..<95:
            return .reserve(
                tree: pick(StockModel.trees),
                range: bench.id(),
                count: UInt64(random.within(1...20))
            )
        default:
            return .put(creation(caller))
        }
    }

    /// Operations of one change that are right only together: what one frees another takes.
    private func entangled(_ caller: Caller) -> [HoldfastRecords.Operation] {
        let parts = model.slots.filter { $0.tree == StockModel.parts }
        guard parts.count > 1 else { return [.put(creation(caller))] }
        let (one, other) = (pick(parts), pick(parts))
        var (first, second) = (write(one, caller), write(other, caller))
        var operations: [HoldfastRecords.Operation]
        switch random.below(3) {
        case 0:
            first.value = Array((model.records[other]?.part.json ?? "{}").utf8)
            second.value = Array((model.records[one]?.part.json ?? "{}").utf8)
            operations = [.put(first), .put(second)]
        case 1:
            first.key = nil
            first.expects = .absent
            first.borrow = nil
            first.value = Array((model.records[other]?.part.json ?? "{}").utf8)
            operations = [.delete(target(other, caller)), .put(first)]
        default:
            let names = model.slots.filter { $0.tree == StockModel.footprints }
            guard !names.isEmpty else { return [.put(creation(caller))] }
            let name = pick(names)
            var anew = write(name, caller)
            anew.expects = .absent
            anew.borrow = nil
            return [.delete(target(name, caller)), .put(anew)]
        }
        if random.oneIn(2) { operations.reverse() }
        return operations
    }

    private func creation(_ caller: Caller) -> WriteOperation {
        let tree = pick(StockModel.trees)
        var key: RecordKey?
        if tree == StockModel.footprints {
            key = random.oneIn(30) ? nil : RecordKey(name: "f\(random.below(40))")
        } else if random.oneIn(2) {
            let ranges = model.ranges[tree] ?? []
            let number = ranges.isEmpty ? 1 << 41 : pick(Array(pick(ranges).ids))
            key = RecordKey(number: number, revision: random.oneIn(30) ? 1 : 0)
        }
        return WriteOperation(
            tree: tree,
            key: key,
            expects: key == nil && random.oneIn(2) ? nil : .absent,
            hold: random.oneIn(6) ? newBorrow() : nil,
            value: Array(part(tree).json.utf8)
        )
    }

    private func write(_ slot: StockModel.Slot, _ caller: Caller) -> WriteOperation {
        let target = target(slot, caller)
        var part = part(slot.tree)
        if random.oneIn(4) { part.number = model.records[slot]?.part.number ?? part.number }
        return WriteOperation(
            tree: slot.tree,
            key: slot.key,
            expects: target.expects,
            borrow: target.borrow,
            value: Array(part.json.utf8)
        )
    }

    private func part(_ tree: TreeName) -> Part {
        let isOdd = random.oneIn(25)
        return Part(
            number: random.oneIn(15) ? nil : "n\(random.below(400))",
            stock: isOdd || random.oneIn(2) ? nil : random.below(100),
            hasOddStock: isOdd
        )
    }

    private func anySlot() -> StockModel.Slot {
        let isGone = random.oneIn(12)
        let slots = isGone ? model.goneSlots : model.slots
        guard !slots.isEmpty, !random.oneIn(40) else {
            return StockModel.Slot(tree: StockModel.bins, key: RecordKey(number: 1 << 40))
        }
        return pick(slots)
    }

    /// Names a record, mostly as it must be named.
    private func target(_ slot: StockModel.Slot, _ caller: Caller) -> RecordOperation {
        let line = model.lines[slot] ?? []
        let own = line.first { $0.isOf(caller) }?.id
        let version = model.records[slot]?.version ?? 1
        let epoch = bench.store.identity.epoch
        var expects: HoldfastRecords.Expectation?
        switch random.below(20) {
        case 0: expects = .version(Position(epoch: epoch, seq: max(1, version) - 1))
        case 1: expects = .absent
        case 2: expects = .change(bench.id())
        case 3, 4: expects = (model.records[slot]?.change).map { .change($0) }
        case 5: expects = nil
        default: expects = own != nil ? nil : .version(Position(epoch: epoch, seq: version))
        }
        // Deleting by `expects: absent` is a mistake; putting by it creates.
        let borrow = random.oneIn(12) ? anyBorrow(caller) : random.oneIn(12) ? nil : own
        return RecordOperation(tree: slot.tree, key: slot.key, expects: expects, borrow: borrow)
    }

    private func newBorrow() -> UniqueID {
        let id = bench.id()
        knownBorrows.append(id)
        return id
    }

    private func anyBorrow(_ caller: Caller) -> UniqueID {
        let own = model.takers.filter { $0.isOf(caller) }
        if !own.isEmpty, !random.oneIn(4) { return pick(own).id }
        return knownBorrows.isEmpty || random.oneIn(20) ? bench.id() : pick(knownBorrows)
    }
}

extension StockModel {
    // Sorted, so that the same seed makes the same choices.
    var slots: [Slot] { records.keys.sorted { ($0.tree, $0.key) < ($1.tree, $1.key) } }
    var goneSlots: [Slot] { removed.keys.sorted { ($0.tree, $0.key) < ($1.tree, $1.key) } }
    var takers: [Taker] { lines.values.joined().sorted { $0.id < $1.id } }
}

extension StockModel.Answer {
    var text: String {
        switch self {
        case .accepted: "accepts it"
        case .unchanged: "sees no change in it"
        case .refused(let code): "refuses it: \(code.rawValue)"
        }
    }
}
