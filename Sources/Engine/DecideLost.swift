// The rule of a restore: commits after the backup are given up, and the ids they may have given out
// are never given out again.
public import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// Decides the commit that gives up what was lost.
    ///
    /// Ranges whose commits are lost began behind the last one that is known: the next ones begin
    /// behind a margin. Of ranges the server itself gave ids out of nobody knows how far it had
    /// come: it begins new ones. Both are open to devices that have such an id still.
    ///
    /// - Parameters:
    ///   - now: The clock, in milliseconds since 1970.
    ///   - random: Gives ids and salts.
    /// - Returns: The commit; nil when no tree has ids.
    public func decideLost(now: Int64, random: any RandomSource) -> Commit? {
        func id() -> UniqueID { .version7(milliseconds: now, random: random) }
        let change = Change(
            id: id(),
            why: "commits after the restored backup were given up",
            operations: []
        )
        let context = DecisionContext(caller: .system, now: now, random: random)
        var draft = Draft(state: self, change: change, context: context)
        for tree in allTrees where tree.declaration.keys == .id && !tree.name.isSystem {
            for range in tree.keyRanges where range.device == Caller.system.device {
                var lost = range
                lost.device = RangeRecord.lostDevice
                draft.system(.ranges, about: tree, RecordKey(range.id), .reserve, lost.json)
            }
            do throws(Refused) {
                _ = try draft.addRange(
                    tree,
                    id: id(),
                    device: RangeRecord.lostDevice,
                    count: Limits.lostRangeCount
                )
            } catch {
                // There are no ids left that anybody could be given.
            }
        }
        return draft.commit()
    }
}
