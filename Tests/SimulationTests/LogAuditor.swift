// Reads every commit of the authority's log once it is durable, and holds it to the model.
//
// It shares no code with the engine: it knows commits and effects as bytes, and keeps what it needs
// in plain dictionaries.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport

/// What must hold of a history, commit by commit.
struct LogAuditor {
    private struct Slot: Hashable {
        let tree: TreeName
        let key: RecordKey
    }

    private struct Borrow {
        let slot: Slot
        let state: BorrowState
        let device: String
    }

    private(set) var head: UInt64 = 0
    private(set) var chain = Hash128.zero
    /// Where each change stands.
    private(set) var seqs: [UniqueID: UInt64] = [:]
    private var lastDeviceSeqs: [String: UInt64] = [:]
    private var confirmed: [String: UInt64] = [:]
    private var released: [Slot: [UInt8]] = [:]
    private var usedIDs: [TreeName: Set<UInt64>] = [:]
    private var ranges: [TreeName: [RangeRecord]] = [:]
    private var borrows: [UniqueID: Borrow] = [:]
    /// How many hold a record; waiting ones are not counted.
    private var holders: [Slot: [UniqueID]] = [:]
    /// How often each kind of effect was seen.
    private(set) var labels: [Label: Int] = [:]

    /// Audits what has become durable since the last time.
    ///
    /// - Parameters:
    ///   - reader: The durable log.
    ///   - refused: Changes that were refused before: when the answer is lost they are sent again,
    ///     judged anew, and may be accepted after later ones.
    /// - Throws: `Disagreement`, and what reading throws.
    mutating func audit(_ reader: LogReader, refused: Set<UniqueID> = []) throws {
        guard reader.head >= head else {
            throw Disagreement("\(head) commits were durable, \(reader.head) are left")
        }
        guard reader.head > head, var cursor = try reader.cursor(before: head + 1) else { return }
        while let frame = try cursor.next() { try audit(CommitView(frame.content), refused) }
        guard head == reader.head else { throw Disagreement("the log ends at \(head)") }
    }

    private mutating func audit(_ commit: CommitView, _ refused: Set<UniqueID>) throws {
        guard commit.seq == head + 1 else {
            throw Disagreement("commit \(commit.seq) follows commit \(head)")
        }
        try commit.verify(after: chain)
        guard seqs.updateValue(commit.seq, forKey: commit.changeID) == nil else {
            throw Disagreement("change \(commit.changeID) was accepted twice")
        }
        let device = commit.device.text
        if commit.deviceSeq > 0 {
            let last = lastDeviceSeqs[device] ?? 0
            guard commit.deviceSeq > last || refused.contains(commit.changeID) else {
                throw Disagreement("\(device): change \(commit.deviceSeq) after \(last)")
            }
            lastDeviceSeqs[device] = max(last, commit.deviceSeq)
        }
        // Who held each record before this commit, and what it changes of the lines.
        var touched: Set<Slot> = []
        var written: [Slot] = []
        var before: [Slot: UniqueID] = [:]
        try commit.forEachBlock { block, _ in
            guard let name = BlockName(block.name.text) else {
                throw Disagreement("block \(block.name.text)")
            }
            try block.forEachEffect { effect in
                if let label = effect.label { labels[label, default: 0] += 1 }
                switch name.tree {
                case .borrows: try borrow(effect, &touched, &before)
                case .ranges: try range(effect, name)
                case .devices: try confirm(effect)
                case let tree where !tree.isSystem:
                    try record(effect, tree, device)
                    written.append(Slot(tree: tree, key: effect.key))
                default: break
                }
            }
        }
        for slot in written {
            let holder = before[slot] ?? holders[slot]?.first
            // A borrow this commit takes itself is the writer's own.
            if let holder, let holding = borrows[holder], holding.device != device {
                throw Disagreement(
                    "commit \(commit.seq) of \(device) writes \(slot.tree) \(slot.key), which "
                        + "\(holding.device) holds"
                )
            }
        }
        for slot in touched where holders[slot, default: []].count > 1 {
            throw Disagreement("\(slot.tree) \(slot.key) has two holders at \(commit.seq)")
        }
        for id in ended { borrows[id] = nil }
        ended = []
        (head, chain) = (commit.seq, commit.chain)
    }

    /// Borrows the present commit ends: known until its writes are judged.
    private var ended: [UniqueID] = []

    private mutating func borrow(
        _ effect: EffectView,
        _ touched: inout Set<Slot>,
        _ before: inout [Slot: UniqueID]
    ) throws {
        guard let id = UniqueID(effect.name) else { throw Disagreement("a borrow's key") }
        let old = borrows[id]
        if let old, let holder = holders[old.slot]?.first, before[old.slot] == nil {
            before[old.slot] = holder
        }
        if let old, old.state != .queued { holders[old.slot]?.removeAll { $0 == id } }
        guard effect.isSet else {
            if let old { touched.insert(old.slot) }
            ended.append(id)
            return
        }
        let record = try BorrowRecord(key: effect.key, json: effect.value)
        let slot = Slot(tree: record.tree, key: record.key)
        borrows[id] = Borrow(slot: slot, state: record.state, device: record.device)
        if record.state != .queued { holders[slot, default: []].append(id) }
        touched.insert(slot)
    }

    private mutating func range(_ effect: EffectView, _ name: BlockName) throws {
        guard effect.isSet, let tree = name.subject else {
            throw Disagreement("a key range was taken back")
        }
        let range = try RangeRecord(key: effect.key, json: effect.value)
        for other in ranges[tree, default: []]
        where other.first < range.end && range.first < other.end {
            throw Disagreement("ranges of \(tree) overlap at \(range.first)")
        }
        ranges[tree, default: []].append(range)
    }

    private mutating func confirm(_ effect: EffectView) throws {
        guard effect.isSet else { throw Disagreement("a device was forgotten") }
        let device = try DeviceRecord(key: effect.key, json: effect.value)
        guard device.confirmedDeviceSeq >= confirmed[device.id] ?? 0 else {
            throw Disagreement("settled numbers of \(device.id) went back")
        }
        confirmed[device.id] = device.confirmedDeviceSeq
    }

    private mutating func record(
        _ effect: EffectView,
        _ tree: TreeName,
        _ device: String
    ) throws {
        let slot = Slot(tree: tree, key: effect.key)
        if let value = released[slot] {
            guard effect.isSet, effect.state.isReleased, effect.value.array == value else {
                throw Disagreement("released \(tree) \(effect.key) changed")
            }
        }
        if effect.isSet, effect.state.isReleased { released[slot] = effect.value.array }
        guard effect.label == .create, let number = effect.number else { return }
        guard usedIDs[tree, default: []].insert(number).inserted else {
            throw Disagreement("id \(number) of \(tree) was used twice")
        }
        let range = ranges[tree, default: []].first { ($0.first..<$0.end).contains(number) }
        guard let range, range.device == device || range.device == Caller.system.device else {
            throw Disagreement("id \(number) of \(tree) lies in no range of \(device)")
        }
    }

    // MARK: What stands

    /// Up to where a device's outcomes are confirmed in the log.
    func confirmed(_ device: String) -> UInt64 { confirmed[device] ?? 0 }

    /// Devices whose grants wait for their confirmation.
    var granted: Set<String> {
        Set(borrows.values.filter { $0.state == .granted }.map(\.device))
    }

    /// Borrows a device has.
    func borrows(of device: String) -> [UniqueID] {
        borrows.filter { $0.value.device == device }.map(\.key).sorted()
    }
}
