// What compactions forget of a life: the model must forget the same, and nothing else.
internal import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
public import HoldfastStore

extension StockLife {
    /// Compacts the store, which forgets removals; the model does so too.
    ///
    /// - Parameters:
    ///   - limit: The oldest commit that must stay; nil keeps none.
    ///   - time: Removals of an earlier time are forgotten, in milliseconds since 1970; nil forgets
    ///     none.
    ///   - sizes: Where parts end.
    /// - Returns: What was done.
    /// - Throws: `StoreError`: what was forgotten by then the model forgets too; `Disagreement`.
    @discardableResult
    public func compact(
        keepingFrom limit: UInt64? = nil,
        forgettingBefore time: Int64?,
        sizes: PartSizes
    ) throws -> Compaction? {
        if let time { forgettings.append((bench.store.progress.durable + 1, time)) }
        let report: Compaction?
        do throws(StoreError) {
            report = try bench.store.compact(
                keepingFrom: limit,
                horizons: Horizons(tombstones: time),
                sizes: sizes
            )
        } catch {
            try takeForgetting()
            throw error
        }
        guard let report, !report.isHeld else { return report }
        if let time {
            let before = model.goneLines.count
            model.forgetRemovals { $0 < report.oldest && times[Int($0)] < time }
            if model.goneLines.count < before { hasForgotten = true }
        }
        try checkRemembered()
        return report
    }

    /// Has the model forget what the store has forgotten, where that was asked for: whether the
    /// compaction came so far is for the store to say.
    func takeForgetting() throws(Disagreement) {
        let known = bench.store.read { StockModel.removals(in: $0) }
        for (line, seq) in model.goneLines where !known.contains(line) {
            let isAllowed = forgettings.contains { seq < $0.seq && times[Int(seq)] < $0.time }
            guard isAllowed else { throw Disagreement("\(line), gone at \(seq), is forgotten") }
            model.forgetRemovals(named: line)
            hasForgotten = true
        }
        try checkRemembered()
    }

    /// How many records and borrows are remembered as gone.
    public var goneCount: Int { model.goneLines.count }

    /// Compares what the store remembers of what is gone with the model.
    ///
    /// - Throws: `Disagreement`.
    public func checkRemembered() throws(Disagreement) {
        let (found, used) = bench.store.read { reader in
            let used = StockModel.trees.flatMap { name in
                (reader.state.tree(name)?.derived ?? []).filter { $0.hasPrefix("used ") }
                    .map { "\(name) \($0)" }
            }
            return (StockModel.removals(in: reader), used)
        }
        try compare(
            found.sorted(),
            model.goneLines.keys.sorted(),
            "what is remembered as gone with the model"
        )
        try compare(used, model.usedLines, "used ids with the model")
    }
}

extension StockModel {
    /// Forgets removals of commits.
    mutating func forgetRemovals(_ isForgotten: (UInt64) -> Bool) {
        removed = removed.filter { !isForgotten($0.value) }
        ended = ended.filter { !isForgotten($0.value) }
    }

    /// Forgets the removal that a line names.
    mutating func forgetRemovals(named line: String) {
        removed = removed.filter { $0.key.description != line }
        ended = ended.filter { "borrow \($0.key)" != line }
    }

    /// One line for each key that is remembered as gone, and the commit in which it went.
    var goneLines: [String: UInt64] {
        let records = removed.map { ($0.key.description, $0.value) }
        let borrows = ended.map { ("borrow \($0.key)", $0.value) }
        return Dictionary(uniqueKeysWithValues: records + borrows)
    }

    /// The same lines for what a store remembers.
    static func removals(in reader: StoreReader) -> Set<String> {
        var lines: Set<String> = []
        for name in trees + [.borrows] {
            guard let tree = reader.state.tree(name) else { continue }
            _ = reader.state.scanLastEffects(
                tree,
                after: nil,
                at: .max,
                entryCountMax: .max
            ) { effect, _, _ in
                guard !effect.isSet else { return true }
                lines.insert(
                    name == .borrows
                        ? "borrow \(effect.key.id.text)" : "\(name) \(effect.key)"
                )
                return true
            }
        }
        return lines
    }

    /// One line for each interval of used ids.
    var usedLines: [String] {
        Self.trees.flatMap { name in
            var intervals: [Swift.Range<UInt64>] = []
            for number in (used[name] ?? []).sorted() {
                if let last = intervals.last, last.upperBound == number {
                    intervals[intervals.count - 1] = last.lowerBound..<number + 1
                } else {
                    intervals.append(number..<number + 1)
                }
            }
            return intervals.map { "\(name) used \($0)" }
        }
    }
}
