// Projections: what is sent of a commit to a node that may not see all of its trees. The contract
// is CommitLog/FORMAT.md, section "Content".
//
// Invariants:
// - a projection verifies after the same chain as the whole and gives the same chain;
// - a withheld section shows its salted hash alone: neither name nor length nor number of effects;
// - the projection of a projection shows what both permit.
public import HoldfastBasics

extension CommitView {
    /// Appends the commit as a node may see it that is permitted some blocks.
    ///
    /// Application and reason are shown when a block is.
    ///
    /// - Parameters:
    ///   - buffer: Where to; what it held before stays.
    ///   - isPermitted: Is given the name of each visible block, `parts` or `_borrows/parts`.
    /// - Returns: How many blocks are visible; 0 when the commit changes nothing the node may see.
    /// - Throws: `malformed`, and what `isPermitted` throws; `buffer` is then as it was.
    @discardableResult
    public func appendProjection(
        to buffer: inout ByteBuffer,
        permitting isPermitted: (ByteView) throws -> Bool
    ) throws -> Int {
        var offset = textEnd
        var details: Section?
        if hasDetails {
            let section = try section(at: offset)
            details = section
            offset = section.end
        }
        var blocks: [(section: Section, isShown: Bool)] = []
        blocks.reserveCapacity(min(blockCount, bytes.count / ContentLayout.blockHeaderByteCount))
        for _ in 0..<blockCount {
            let section = try section(at: offset)
            let isShown =
                try section.isVisible && isPermitted(BlockView(section.body, at: offset).name)
            blocks.append((section, isShown))
            offset = section.end
        }
        guard offset == bytes.count else {
            throw ContentError.malformed(offset: offset, what: "bytes follow the last block")
        }
        let count = blocks.count { $0.isShown }
        buffer.append(bytes[0..<textEnd])
        if let details { append(details, isShown: details.isVisible && count > 0, to: &buffer) }
        for block in blocks { append(block.section, isShown: block.isShown, to: &buffer) }
        return count
    }

    /// The commit as a node may see it that is permitted some blocks.
    ///
    /// - Parameter isPermitted: Is given the name of each visible block, `parts` or
    ///   `_borrows/parts`.
    /// - Returns: The content of the projection.
    /// - Throws: `malformed`, and what `isPermitted` throws.
    public func project(permitting isPermitted: (ByteView) throws -> Bool) throws -> [UInt8] {
        var buffer = ByteBuffer(capacity: bytes.count)
        try appendProjection(to: &buffer, permitting: isPermitted)
        return buffer.array
    }

    private func append(_ section: Section, isShown: Bool, to buffer: inout ByteBuffer) {
        buffer.append(integer: UInt32(isShown ? 1 : 0))
        buffer.append(integer: UInt32(isShown ? section.body.count : 0))
        buffer.append(section.hash)
        if isShown { buffer.append(section.body) }
    }
}
