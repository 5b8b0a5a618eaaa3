// The parts of a checkpoint: immutable files named by the hash of their bytes. The contract is
// FORMAT.md, section "Parts".
//
// A part holds excerpts of commits in frames like the log's, so that whoever reads a place in the
// log reads a place in a part by the same code.
public import HoldfastBasics
public import HoldfastRecords
internal import HoldfastStorage

extension PartReference {
    /// Its place in the database's directory.
    public var path: String { Self.path(of: digest) }

    /// The place of the part of a name.
    public static func path(of digest: Digest256) -> String {
        directory + "/" + digest.description
    }

    static let directory = "parts"
}

/// What a part says of itself before its first frame.
struct PartHeader: Equatable {
    let kind: PartKind
    let effectCount: Int
    let block: String

    static let magic: UInt64 = 0x5452_4150_444C_4F48  // "HOLDPART", little-endian
    static let fixedByteCount = 32
    /// Seeds the checksums of its frames: parts are the same on every node.
    static let salt: UInt32 = 0

    /// The version of the format that parts of a kind came with.
    static func version(of kind: PartKind) -> UInt16 {
        kind == .used ? FormatVersion.usedKeys : FormatVersion.current
    }

    /// Length in the file, a multiple of 8.
    var byteCount: Int { Self.fixedByteCount + FrameLayout.padded(block.utf8.count) }

    /// The header's bytes.
    var bytes: ByteBuffer {
        var buffer = ByteBuffer(capacity: byteCount)
        buffer.append(integer: Self.magic)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: Self.version(of: kind))
        buffer.append(kind.rawValue)
        buffer.append(0)
        buffer.append(integer: UInt64(effectCount))
        buffer.append(integer: UInt32(block.utf8.count))
        buffer.append(integer: UInt32(0))
        buffer.append(text: block)
        buffer.appendZeros(byteCount - buffer.count)
        let crc = CRC32C.extend(0, buffer.view.suffix(from: 12))
        buffer.replace(integer: crc, at: 8)
        return buffer
    }

    init(kind: PartKind, effectCount: Int, block: String) {
        self.kind = kind
        self.effectCount = effectCount
        self.block = block
    }

    /// Reads a header.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`.
    init(_ bytes: ByteView, file: String) throws(CommitLogError) {
        func damage(_ why: String) -> CommitLogError { .damaged(file: file, offset: 0, why: why) }
        guard bytes.count >= Self.fixedByteCount, bytes.integer(at: 0) == Self.magic else {
            throw damage("this is no part")
        }
        let nameLength = Int(bytes.integer(UInt32.self, at: 24))
        let length = Self.fixedByteCount + FrameLayout.padded(nameLength)
        guard nameLength <= Self.blockByteCountMax, length <= bytes.count,
            CRC32C.extend(0, bytes[12..<length]) == bytes.integer(at: 8)
        else { throw damage("the checksum of the part's head does not fit") }
        let version = bytes.integer(UInt16.self, at: 12)
        guard let kind = PartKind(rawValue: bytes[14]), version == Self.version(of: kind) else {
            throw .unsupportedFormat(file: file, version: version)
        }
        let count = bytes.integer(UInt64.self, at: 16)
        guard count <= UInt64(bytes.count) else { throw damage("it holds fewer effects") }
        self.kind = kind
        effectCount = Int(count)
        block = bytes[Self.fixedByteCount..<Self.fixedByteCount + nameLength].text
        // Written anew it must be the same bytes: zeros where nothing stands, and text.
        guard self.bytes.view == bytes[0..<length] else {
            throw damage("the part's head is none of this version")
        }
    }

    /// The longest name of a block: `_borrows/` and a tree's.
    private static let blockByteCountMax = Limits.treeNameByteCountMax * 2 + 1
}
