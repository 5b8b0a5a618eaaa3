// The head of a segment file. The contract is FORMAT.md, section "Segment".
internal import HoldfastBasics
internal import HoldfastRecords

/// What a segment says of itself before its first frame.
///
/// It also counts as a batch mark with `syncedSeq = firstSeq - 1`: a segment gets its name only
/// after everything before it, and its own first bytes, are synced.
struct SegmentHeader: Equatable, Sendable {
    let databaseID: UniqueID
    /// Seeds every checksum of the segment: what an earlier use of the same blocks left is invalid.
    let salt: UInt32
    let firstSeq: UInt64
    /// Logical offset of the file's first byte: the end of the segment before.
    let base: UInt64
    /// Chain of the commit before `firstSeq`.
    let chainBefore: Hash128
    let lineage: [EpochStart]
    var role = LogRole.authority

    static let magic: UInt64 = 0x5453_4146_444C_4F48  // "HOLDFAST", little-endian
    static let fixedByteCount = 80
    static let lineageCountMax = 65_536
    static let filterByteCountMax = Limits.treeCountMax * (Limits.treeNameByteCountMax + 1) + 8

    /// Length in the file, a multiple of 8.
    var byteCount: Int { Self.fixedByteCount + lineage.count * 16 + role.filter.count }

    /// Appends the header's bytes.
    func append(to buffer: inout ByteBuffer) {
        let start = buffer.count
        buffer.append(integer: Self.magic)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: FormatVersion.current)
        buffer.append(integer: role.flags)
        buffer.append(integer: UInt32(byteCount))
        buffer.append(integer: salt)
        buffer.append(integer: databaseID.high.bigEndian)
        buffer.append(integer: databaseID.low.bigEndian)
        buffer.append(integer: firstSeq)
        buffer.append(integer: base)
        buffer.append(integer: chainBefore.high.bigEndian)
        buffer.append(integer: chainBefore.low.bigEndian)
        buffer.append(integer: UInt32(lineage.count))
        let filter = role.filter
        buffer.append(integer: UInt32(filter.count))
        for entry in lineage {
            buffer.append(integer: entry.epoch.rawValue)
            buffer.append(integer: entry.firstSeq)
        }
        buffer.append(filter)
        let crc = CRC32C.extend(0, buffer.view.suffix(from: start + 12))
        buffer.replace(integer: crc, at: start + 8)
    }

    /// Reads a header.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`.
    init(_ bytes: ByteView, file: String) throws(CommitLogError) {
        func damage(_ why: String) -> CommitLogError { .damaged(file: file, offset: 0, why: why) }
        guard bytes.count >= Self.fixedByteCount, bytes.integer(at: 0) == Self.magic else {
            throw damage("this is no segment")
        }
        let length = Int(bytes.integer(UInt32.self, at: 16))
        guard length >= Self.fixedByteCount, length <= bytes.count,
            length <= Self.fixedByteCount + Self.lineageCountMax * 16 + Self.filterByteCountMax,
            CRC32C.extend(0, bytes[12..<length]) == bytes.integer(at: 8)
        else { throw damage("the checksum of the segment's head does not fit") }
        // Only a whole header can be told from a later version's.
        let version = bytes.integer(UInt16.self, at: 12)
        guard version == FormatVersion.current else {
            throw .unsupportedFormat(file: file, version: version)
        }
        let count = Int(bytes.integer(UInt32.self, at: 72))
        let filterStart = Self.fixedByteCount + count * 16
        guard length == filterStart + Int(bytes.integer(UInt32.self, at: 76)) else {
            throw damage("the segment's head has another length")
        }
        let flags = bytes.integer(UInt16.self, at: 14)
        guard let role = LogRole(flags: flags, filter: bytes[filterStart..<length]) else {
            throw .unsupportedFormat(file: file, version: version)
        }
        self.role = role
        salt = bytes.integer(at: 20)
        databaseID = UniqueID(
            high: UInt64(bigEndian: bytes.integer(at: 24)),
            low: UInt64(bigEndian: bytes.integer(at: 32))
        )
        firstSeq = bytes.integer(at: 40)
        guard (1...FrameLayout.seqMax).contains(firstSeq) else {
            throw damage("no segment begins with commit \(firstSeq)")
        }
        base = bytes.integer(at: 48)
        guard base < Location.parts.lowerBound, base % 8 == 0 else {
            throw damage("no segment begins at the logical offset \(base)")
        }
        chainBefore = Hash128(
            high: UInt64(bigEndian: bytes.integer(at: 56)),
            low: UInt64(bigEndian: bytes.integer(at: 64))
        )
        lineage = (0..<count).map { index in
            EpochStart(
                epoch: Epoch(rawValue: bytes.integer(at: Self.fixedByteCount + index * 16)),
                firstSeq: bytes.integer(at: Self.fixedByteCount + index * 16 + 8)
            )
        }
    }

    /// Describes a new segment.
    init(
        databaseID: UniqueID,
        salt: UInt32,
        firstSeq: UInt64,
        base: UInt64,
        chainBefore: Hash128,
        lineage: [EpochStart],
        role: LogRole
    ) {
        self.databaseID = databaseID
        self.salt = salt
        self.firstSeq = firstSeq
        self.base = base
        self.chainBefore = chainBefore
        self.lineage = lineage
        self.role = role
    }
}
