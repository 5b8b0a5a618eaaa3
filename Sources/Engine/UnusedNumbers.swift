// Which ids of a range are left.
public import HoldfastRecords

extension EngineState {
    /// The smallest id of a range that was never used; nil when there is none.
    ///
    /// - Parameters:
    ///   - name: A tree of numbers.
    ///   - range: Ids of one key range.
    /// - Returns: An id that no commit applied so far has used.
    public func firstUnused(_ name: TreeName, in range: Range<UInt64>) -> UInt64? {
        guard let tree = tree(name) else { return nil }
        let number = tree.usedIDs.nextAbsent(from: range.lowerBound)
        return range.contains(number) ? number : nil
    }
}
