// What the user of a mirror does: writes, borrows, looks after stranded changes.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport

@testable import Holdfast

/// A record as its user sees it.
struct Sight {
    let key: RecordKey
    let expects: HoldfastRecords.Expectation
    let borrow: UniqueID?
    let state: HoldfastRecords.RecordState
    let change: UniqueID?
}

extension SimulatedMirror {
    private var ownTrees: [TreeName] { Stock.trees.filter { identity.uses($0) } }

    // MARK: Writing

    /// Proposes a random change.
    func write(_ known: KnownKeys, _ given: GivenNumbers, _ random: SeededRandom) throws {
        let count = random.oneIn(6) ? random.within(2...4) : 1
        var operations: [HoldfastRecords.Operation] = []
        var requires: Set<UniqueID> = []
        for _ in 0..<count {
            guard let operation = try operation(known, given, &requires, random) else { continue }
            operations.append(operation)
        }
        guard !operations.isEmpty else { return }
        var change = Change(
            id: .version7(milliseconds: server.time.wallMilliseconds(), random: self.random),
            madeAt: server.time.wallMilliseconds(),
            requires: requires.sorted(),
            why: random.oneIn(3) ? Stock.why(operations) : "",
            operations: operations
        )
        change.requires = core.requirements(of: change)
        if identity.trees != nil || random.oneIn(4) { try checkPreview(change) }
        tally.count("changes proposed")
        let proposal = try dying { () throws(MirrorError) in try core.propose(change) }
        trace.note("\(identity.device) writes \(change.summary): \(proposal.summary)")
        guard case .kept(let kept, let showing) = proposal else {
            if case .refused = proposal { tally.count("refused at once") }
            return
        }
        ledger.keep(kept)
        tally.count("changes kept")
        if case .undetermined = showing { tally.count("kept undetermined") }
        for case .put(let write) in operations where write.expects == .absent {
            if let key = write.key { known.add(write.tree, key) }
        }
        try perform(core.proposed())
    }

    /// Runs what a failing disk ends the process in.
    private func dying<T>(_ body: () throws(MirrorError) -> T) throws -> T {
        do throws(MirrorError) {
            return try body()
        } catch {
            throw ProcessDeath(reason: "\(error)")
        }
    }

    private func operation(
        _ known: KnownKeys,
        _ given: GivenNumbers,
        _ requires: inout Set<UniqueID>,
        _ random: SeededRandom
    ) throws -> HoldfastRecords.Operation? {
        let tree = ownTrees[random.below(ownTrees.count)]
        let choice = random.below(100)
        guard choice >= 38, let sight = sight(tree, known, random) else {
            return try creation(tree, known, given, random)
        }
        if let base = sight.change { requires.insert(base) }
        let target = RecordOperation(
            tree: tree,
            key: sight.key,
            expects: sight.borrow == nil || random.oneIn(2) ? sight.expects : nil,
            borrow: sight.borrow
        )
        let isVersioned = tree == Stock.parts
        switch choice {
        case 38..<48: return .delete(target)
        case 48..<60 where isVersioned:
            if sight.state.isReleased {
                return .revise(
                    tree: tree,
                    key: sight.key,
                    hold: random.oneIn(3) ? take() : nil
                )
            }
            return .release(target, number: UInt32(random.below(3)))
        case 60..<64 where isVersioned:
            let number = UInt32(random.below(4))
            return .setState(
                target,
                sight.state.isReleased ? .released(number) : .draft(number)
            )
        default: break
        }
        var write = WriteOperation(
            tree: tree,
            key: sight.key,
            expects: target.expects,
            borrow: target.borrow,
            value: []
        )
        if random.oneIn(5) {
            write.value = Stock.patch(tree, random)
            return .patch(write)
        }
        write.value = Stock.value(tree, reference: known.any(Stock.parts, random), random)
        return .put(write)
    }

    private func creation(
        _ tree: TreeName,
        _ known: KnownKeys,
        _ given: GivenNumbers,
        _ random: SeededRandom
    ) throws -> HoldfastRecords.Operation? {
        var key = Stock.name(tree, random)
        if tree == Stock.parts || tree == Stock.bins {
            guard core.outbox.hasSynced,
                let number = try dying({ () throws(MirrorError) in try core.nextNumber(tree) })
            else { return nil }
            try given.give(number, of: tree, in: core.ranges(tree), to: identity.device)
            key = RecordKey(number: number)
            // Some are thought better of: their ids stay unused.
            if random.oneIn(12) { return nil }
        }
        let reference = tree == Stock.bins ? known.any(Stock.parts, random) : nil
        return .put(
            WriteOperation(
                tree: tree,
                key: key,
                expects: .absent,
                value: Stock.value(tree, reference: reference, random)
            )
        )
    }

    private func newID() -> UniqueID {
        .version7(milliseconds: server.time.wallMilliseconds(), random: random)
    }

    /// The id of a borrow the user takes.
    private func take() -> UniqueID {
        let id = newID()
        taken.insert(id)
        return id
    }

    /// A record that is shown here, its latest revision mostly.
    private func sight(_ tree: TreeName, _ known: KnownKeys, _ random: SeededRandom) -> Sight? {
        guard let key = known.any(tree, random) else { return nil }
        return core.store.read { (reader) -> Sight? in
            guard let state = reader.state.tree(tree),
                let (key, location) = reader.state.revision(state, of: key.id, .latest, at: .max)
            else { return nil }
            let holder = state.holder(of: key)
            return reader.withEffect(at: location) { effect, commit in
                let isPending = reader.isPending(location)
                return Sight(
                    key: key,
                    expects: isPending
                        ? .change(commit.changeID)
                        : .version(reader.state.position(of: commit.seq)),
                    borrow: holder?.device == identity.device ? holder?.id : nil,
                    state: effect.state,
                    change: isPending ? commit.changeID : nil
                )
            }
        }
    }

    // MARK: Borrowing

    /// Asks the authority for a borrow, gives one back, leaves a line, or confirms a grant.
    func ask(_ known: KnownKeys, _ random: SeededRandom) throws {
        guard core.isConnected else { return }
        let all = core.store.read { reader in
            ownTrees.flatMap { reader.state.tree($0)?.borrows ?? [] }
        }.sorted { $0.id < $1.id }
        let isWanted: (BorrowRecord) -> Bool =
            random.oneIn(2) ? { $0.state == .granted } : { _ in true }
        let own = all.filter { taken.contains($0.id) && isWanted($0) }
        var operations: [HoldfastRecords.Operation] = []
        if !own.isEmpty, !random.oneIn(3) {
            let borrow = own[random.below(own.count)]
            switch borrow.state {
            case .queued:
                guard random.oneIn(4) else { return }
                operations = [.cancel(borrow.id)]
            case .granted:
                operations = [
                    .borrow(
                        BorrowOperation(
                            tree: borrow.tree,
                            key: borrow.key,
                            borrow: borrow.id,
                            queue: true
                        )
                    )
                ]
            case .held: operations = [.return(borrow.id)]
            }
        } else if let held = all.last(where: { $0.device != identity.device }), random.oneIn(2) {
            operations = [.borrow(taking(held.tree, held.key, random))]
        } else {
            let tree = ownTrees[random.below(ownTrees.count)]
            for _ in 0..<(random.oneIn(5) ? 2 : 1) {
                guard let sight = sight(tree, known, random) else { continue }
                operations.append(.borrow(taking(tree, sight.key, random)))
            }
        }
        guard !operations.isEmpty else { return }
        tally.count("requests asked")
        let change = Change(
            id: newID(),
            madeAt: server.time.wallMilliseconds(),
            operations: operations
        )
        trace.note("\(identity.device) asks \(change.summary)")
        try perform(core.ask(change))
    }

    private func taking(
        _ tree: TreeName,
        _ key: RecordKey,
        _ random: SeededRandom
    ) -> BorrowOperation {
        BorrowOperation(
            tree: tree,
            key: key,
            borrow: take(),
            note: Stock.chosen.contains(tree) ? "note" : Stock.mark + "note",
            queue: !random.oneIn(4)
        )
    }

    /// Gives back every borrow its user took; those that creations took are the core's business.
    func giveBackAll() throws {
        guard core.isConnected, core.requests.isEmpty else { return }
        for tree in ownTrees {
            let own = core.store.read { reader in
                (reader.state.tree(tree)?.borrows ?? []).filter { $0.device == identity.device }
            }
            for borrow in own.sorted(by: { $0.id < $1.id }) where taken.contains(borrow.id) {
                let operation: HoldfastRecords.Operation =
                    borrow.state == .queued ? .cancel(borrow.id) : .return(borrow.id)
                try perform(core.ask(Change(id: newID(), operations: [operation])))
            }
        }
    }

    // MARK: Stranded changes

    /// Drops the oldest bundle, or offers it again.
    func lookAfterStranded(_ random: SeededRandom) throws {
        guard let bundle = core.outbox.stranded.first else { return }
        ledger.leaving = bundle
        if random.oneIn(2) {
            try dying { () throws(MirrorError) in _ = try core.outbox.drop(bundle.id) }
            ledger.leave(bundle)
            tally.count("bundles dropped")
            return
        }
        let outcome = try dying { () throws(MirrorError) in
            try core.reoffer(bundle.id)
        }
        trace.note("\(identity.device) offers \(bundle.id) again: \(outcome)")
        ledger.leaving = nil
        guard case .kept(let changes) = outcome else { return }
        ledger.leave(bundle)
        for change in changes { ledger.keep(change) }
        tally.count("bundles offered again")
        try perform(core.proposed())
    }
}

/// Ids that were given out by all mirrors: each once, and inside its device's ranges.
final class GivenNumbers {
    private var numbers: [TreeName: Set<UInt64>] = [:]

    func give(
        _ number: UInt64,
        of tree: TreeName,
        in ranges: [RangeRecord],
        to device: String
    ) throws {
        guard numbers[tree, default: []].insert(number).inserted else {
            throw Disagreement("id \(number) of \(tree) was given out twice, now to \(device)")
        }
        guard ranges.contains(where: { ($0.first..<$0.end).contains(number) }) else {
            throw Disagreement("id \(number) of \(tree) is in no range of \(device)")
        }
    }
}

extension SimulatedMirror {
    /// Compares a preview with the authority's word for a change that is not made.
    func previewAnything(_ known: KnownKeys, _ random: SeededRandom) throws {
        var requires: Set<UniqueID> = []
        guard let operation = try operation(known, GivenNumbers(), &requires, random) else {
            return
        }
        try checkPreview(
            Change(
                id: newID(),
                madeAt: server.time.wallMilliseconds(),
                operations: [operation]
            )
        )
    }
}

extension MirrorProposal {
    /// A few words for a trace.
    fileprivate var summary: String {
        switch self {
        case .kept(let change, let showing): "kept as \(change.deviceSeq), \(showing)"
        case .unchanged: "unchanged"
        case .refused(let refusal): "refused, \(refusal.code.rawValue)"
        case .borrowNeeded: "a borrow is needed"
        case .offline: "offline"
        }
    }
}
