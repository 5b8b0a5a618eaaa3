// Cuts the used keys of a block into parts. The contract is FORMAT.md, section "Used keys".
//
// As with records, what becomes a part depends on the keys alone: it ends behind one whose checksum
// says so.
internal import HoldfastBasics
public import HoldfastRecords

/// Makes the parts of the used keys of one block; confined to one thread.
public final class UsedPartBuilder {
    private let block: [UInt8]
    private let sizes: PartSizes
    private var content = UsedKeysEncoder()
    private var frames = ByteBuffer()

    /// Begins with no part.
    ///
    /// - Parameters:
    ///   - block: Of which block, as commits name it.
    ///   - sizes: Where parts end.
    public init(of block: [UInt8], sizes: PartSizes = PartSizes()) {
        self.block = block
        self.sizes = sizes
    }

    /// Adds ids that were used, ascending; no two touch.
    ///
    /// - Returns: Whether a part ends with them, so that `finish` is to be called next.
    public func add(_ ids: Range<UInt64>) -> Bool {
        content.add(ids)
        return endEntry(.number(ids.lowerBound))
    }

    /// Adds the highest revision that was used of an id, ascending by id, behind all ids.
    ///
    /// - Returns: Whether a part ends with it, so that `finish` is to be called next.
    public func add(_ id: RecordID, revision: UInt32) -> Bool {
        content.add(id, revision: revision)
        return endEntry(id)
    }

    private func endEntry(_ id: RecordID) -> Bool {
        let byteCount = frames.count + content.byteCount
        if content.count == Self.frameKeyCount { flush() }
        return sizes.ends(byteCount: byteCount, Self.checksum(id))
    }

    /// That of its revision 0, as of an effect's key.
    private static func checksum(_ id: RecordID) -> UInt32 {
        var key = ByteBuffer()
        key.append(integer: UInt32(0))
        switch id {
        case .number(let number): key.append(integer: number)
        case .name(let name): key.append(name)
        }
        return CRC32C.extend(0, key.view)
    }

    /// Ends a part; nil when nothing was added since the one before.
    public func finish() -> UnnamedPart? {
        flush()
        guard !frames.isEmpty else { return nil }
        let part = UnnamedPart(.used, block.withView(\.text), 0, frames.view)
        frames.removeAll()
        return part
    }

    /// What is gathered becomes a frame, which is of no commit.
    private func flush() {
        content.finish { bytes in
            FrameLayout.append(
                seq: 1,
                content: bytes,
                effectOffsets: [],
                previous: [],
                salt: PartHeader.salt,
                to: &frames
            )
        }
    }

    /// Keys of one frame.
    private static let frameKeyCount = 4096
}
