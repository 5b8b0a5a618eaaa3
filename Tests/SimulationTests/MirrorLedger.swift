// What a simulated user knows of his changes, kept beside the mirror, and what must hold of it.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport

@testable import Holdfast

/// The changes of one mirror, and what became of them as its user was told.
struct MirrorLedger {
    private(set) var kept: [UniqueID: Change] = [:]
    private(set) var accepted: [UniqueID: Position] = [:]
    private(set) var stranded: Set<UniqueID> = []
    /// Stranded ones that were dropped, or offered again under other ids.
    private(set) var left: Set<UniqueID> = []
    /// What the end of the process may cut off in the middle.
    var leaving: StrandedBundle?
    var settledThrough: UInt64 = 0

    mutating func keep(_ change: Change) {
        kept[change.id] = change
    }

    mutating func leave(_ bundle: StrandedBundle) {
        for change in bundle.changes {
            stranded.remove(change.id)
            left.insert(change.id)
        }
        leaving = nil
    }

    mutating func accept(_ id: UniqueID, _ position: Position) throws {
        guard !stranded.contains(id), !left.contains(id) else {
            throw Disagreement("\(id) is accepted after it was stranded")
        }
        accepted[id] = position
    }

    mutating func strand(_ bundle: StrandedBundle) throws {
        for change in bundle.changes {
            guard stranded.insert(change.id).inserted, !left.contains(change.id) else {
                throw Disagreement("\(change.id) is stranded twice")
            }
        }
    }

    /// A process was cut off, perhaps in the middle of something: its user looks what came of it.
    mutating func reopened(_ outbox: Outbox) {
        if let leaving, !outbox.stranded.contains(where: { $0.id == leaving.id }) {
            leave(leaving)
        }
        leaving = nil
        // A refusal that was durable before the user was told.
        for bundle in outbox.stranded { stranded.formUnion(bundle.changes.map(\.id)) }
        // What was written, or offered again, before the user was told.
        for change in outbox.pending where kept[change.id] == nil {
            let isGiveBack = change.operations.allSatisfy {
                if case .return = $0 { true } else { false }
            }
            if !isGiveBack { kept[change.id] = change }
        }
    }
}

extension SimulatedMirror {
    // MARK: The outbox

    /// Every change is where it must be: pending, stranded, or a commit of the copy.
    func checkWhereabouts() throws {
        let pending = Set(core.outbox.pending.map(\.id))
        let bundles = core.outbox.stranded.flatMap { $0.changes.map(\.id) }
        let stranded = Set(bundles)
        guard bundles.count == stranded.count, pending.isDisjoint(with: stranded) else {
            throw Disagreement("\(identity.device): a change stands in the outbox twice")
        }
        for id in ledger.kept.keys.sorted() {
            let isHere = core.store.read { $0.position(ofChange: id) } != nil
            let isStranded = stranded.contains(id)
            if ledger.left.contains(id) {
                guard !isStranded, !isHere, !pending.contains(id) else {
                    throw Disagreement("\(identity.device): \(id) was left and is there")
                }
            } else if isStranded {
                guard !isHere else {
                    throw Disagreement("\(identity.device): \(id) is stranded and accepted")
                }
            } else if !isHere, !pending.contains(id) {
                // A change that asked for what stood already leaves no commit; which changes led
                // to a snapshot the server knows alone.
                let seq = server.auditor.seqs[id]
                let isBehind = seq.map { $0 <= core.store.read(\.oldest).seq } ?? false
                guard isBehind || ledger.accepted[id] != nil && seq == nil else {
                    throw Disagreement(
                        "\(identity.device): kept change \(id) is neither pending nor stranded "
                            + "nor in the copy"
                    )
                }
            }
        }
    }

    /// Numbers up to which outcomes are known never go back, here and at the server.
    func checkSettled() throws {
        let through = core.outbox.settledThrough
        guard through >= ledger.settledThrough else {
            throw Disagreement(
                "\(identity.device): settled to \(ledger.settledThrough), now \(through)"
            )
        }
        ledger.settledThrough = through
        let known = server.auditor.confirmed(identity.device)
        guard known <= through else {
            throw Disagreement("\(identity.device): \(known) confirmed, \(through) settled")
        }
    }

    /// What a refusal set aside is the refused change with all that builds on it, and nothing else.
    func checkStranding(_ id: UniqueID, of before: [Change]) throws {
        guard before.contains(where: { $0.id == id }) else { return }
        guard let bundle = core.outbox.stranded.first(where: { $0.id == id }) else { return }
        var closure: Set<UniqueID> = [id]
        var count = 0
        while count < closure.count {
            count = closure.count
            for change in before where !closure.isDisjoint(with: change.bases) {
                closure.insert(change.id)
            }
        }
        guard Set(bundle.changes.map(\.id)) == closure else {
            throw Disagreement("\(identity.device): the bundle of \(id) is no closure")
        }
        let left = Set(core.outbox.pending.map(\.id))
        for change in before where left.contains(change.id) == closure.contains(change.id) {
            throw Disagreement("\(identity.device): \(change.id) after \(id) was stranded")
        }
        if closure.count > 1 { tally.count("bundles of several") }
    }

    // MARK: The state

    /// The confirmed records are the server's at the same position.
    func checkHashes() throws {
        let (head, mine) = core.store.read { ($0.confirmedHead, $0.confirmedHashes) }
        guard head <= server.store.progress.durable else {
            throw Disagreement("\(identity.device): \(head) is here before it is durable")
        }
        guard let theirs = server.hashes[head] else { return }
        for (index, (block, hash)) in theirs.enumerated() {
            // Mostly in the same order.
            if index < mine.count, mine[index].hash == hash, mine[index].block == block { continue }
            guard sees(block) else { continue }
            guard mine.first(where: { $0.block == block })?.hash ?? .zero == hash else {
                throw Disagreement("\(identity.device): \(block) differs at \(head)")
            }
        }
        tally.count("hashes compared")
    }

    /// Whether this mirror is to hold a block.
    private func sees(_ block: BlockName) -> Bool {
        guard block.tree != .tokens, let trees = identity.trees else {
            return block.tree != .tokens
        }
        let tree = block.subject ?? block.tree
        return tree.isSystem || trees.contains(tree)
    }

    /// What is shown is what a fresh fold of the log shows, with what pends judged in order.
    func checkShown() throws {
        core.store.syncStep()
        let fresh = try MirrorBench.open(disk.copy(), server.time, SeededRandom(seed: 5))
        let pending = core.outbox.pending
        for change in pending {
            if case .settled = fresh.show(PendingChange(change, by: identity.caller)) { continue }
        }
        let isPending = !fresh.pending.isEmpty
        func lines(_ store: Store) -> [String] {
            // Salts and chance enter chain and hashes of what pends.
            store.read { dump($0.state, changes: pending.map(\.id)) }.filter {
                !isPending || !($0.hasPrefix("hash ") || $0.hasPrefix("head "))
            }
        }
        let what = "\(identity.device): the state with a fresh one"
        try compare(lines(core.store), lines(fresh), what)
        guard core.store.pending == fresh.pending else {
            throw Disagreement(
                "\(identity.device): shown \(core.store.pending), afresh \(fresh.pending)"
            )
        }
        tally.count("states compared with fresh ones")
        tally.count("pending in these", pending.count)
    }

    /// A preview refuses nothing that the authority would accept at that position; a mirror of
    /// everything promises nothing either that it would refuse.
    func checkPreview(_ change: Change) throws {
        let isSame = core.store.read { reader in
            reader.confirmedHead == reader.state.head
                && server.store.read { $0.state.head } == reader.confirmedHead
        }
        guard isSame, core.store.pending.isEmpty else { return }
        let preview = core.store.preview(change, by: identity.caller)
        let word = server.store.rehearse(change, by: identity.caller, seeing: identity.trees)
        tally.count("previews compared")
        switch (preview, word) {
        case (.refused(let refusal), .commit), (.refused(let refusal), .unchanged):
            throw Disagreement(
                "\(identity.device): the preview refuses \(change.summary) (\(refusal.code)), "
                    + "the authority does not"
            )
        case (.commit, .refused(let refusal)) where identity.trees == nil:
            throw Disagreement(
                "\(identity.device): the preview accepts \(change.summary), the authority "
                    + "refuses (\(refusal.code))"
            )
        case (.undetermined, _): tally.count("previews undetermined")
        default: break
        }
    }
}

extension Change {
    /// The changes it cannot stand without.
    var bases: [UniqueID] {
        requires
            + operations.compactMap { operation in
                let expects: HoldfastRecords.Expectation? =
                    switch operation {
                    case .put(let write), .patch(let write): write.expects
                    case .delete(let target), .release(let target, _), .setState(let target, _):
                        target.expects
                    default: nil
                    }
                if case .change(let id) = expects { return id }
                return nil
            }
    }
}
