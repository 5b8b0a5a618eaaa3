// A checkpoint: which parts make up the state after a commit. The contract is FORMAT.md, section
// "Manifest".
public import HoldfastBasics
public import HoldfastRecords
internal import HoldfastStorage

/// The parts that make up a state.
public struct Manifest: Equatable, Sendable {
    /// Whose state.
    public let databaseID: UniqueID
    /// The commit it is the state after.
    public let seq: UInt64
    /// Chain after that commit.
    public let chain: Hash128
    /// Time of that commit, in milliseconds since 1970.
    public let time: Int64
    /// Declared trees in the order in which they were declared.
    public let trees: [String]
    /// The parts, blocks that others need before those.
    public let parts: [PartReference]

    /// Names a state.
    public init(
        databaseID: UniqueID,
        seq: UInt64,
        chain: Hash128,
        time: Int64,
        trees: [String],
        parts: [PartReference]
    ) {
        self.databaseID = databaseID
        self.seq = seq
        self.chain = chain
        self.time = time
        self.trees = trees
        self.parts = parts
    }

    /// Its place in the database's directory.
    public var path: String { Self.path(seq: seq) }

    static let directory = "manifest"
    private static let magic: UInt64 = 0x494E_414D_444C_4F48  // "HOLDMANI", little-endian
    private static let fixedByteCount = 72

    /// The place of the manifest of a state.
    static func path(seq: UInt64) -> String {
        let digits = String(seq)
        return directory + "/" + String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }

    /// The version of the format that is needed to read parts.
    private static func version(naming parts: [PartReference]) -> UInt16 {
        parts.map { PartHeader.version(of: $0.kind) }.max() ?? FormatVersion.current
    }

    /// The content of the file.
    public var bytes: [UInt8] {
        var buffer = ByteBuffer(capacity: Self.fixedByteCount + parts.count * 96)
        buffer.append(integer: Self.magic)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: Self.version(naming: parts))
        buffer.append(integer: UInt16(0))
        buffer.append(integer: databaseID.high.bigEndian)
        buffer.append(integer: databaseID.low.bigEndian)
        buffer.append(integer: seq)
        buffer.append(integer: chain.high.bigEndian)
        buffer.append(integer: chain.low.bigEndian)
        buffer.append(integer: time)
        buffer.append(integer: UInt32(trees.count))
        buffer.append(integer: UInt32(parts.count))
        for tree in trees { buffer.append(short: tree) }
        for part in parts {
            buffer.append(part.digest.bytes)
            buffer.append(integer: UInt64(part.byteCount))
            buffer.append(integer: UInt64(part.effectCount))
            buffer.append(part.kind.rawValue)
            buffer.append(short: part.block)
        }
        let crc = CRC32C.extend(0, buffer.view.suffix(from: 12))
        buffer.replace(integer: crc, at: 8)
        return buffer.array
    }

    /// Reads the content of a file.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`.
    public init(_ bytes: [UInt8], file: String) throws(CommitLogError) {
        let result = bytes.withView { view in
            Result { () throws(CommitLogError) in try Manifest(view, file) }
        }
        self = try result.get()
    }

    private init(_ bytes: ByteView, _ file: String) throws(CommitLogError) {
        func damage(_ why: String) -> CommitLogError { .damaged(file: file, offset: 0, why: why) }
        guard bytes.count >= Self.fixedByteCount, bytes.integer(at: 0) == Self.magic else {
            throw damage("this is no manifest")
        }
        guard CRC32C.extend(0, bytes.suffix(from: 12)) == bytes.integer(at: 8) else {
            throw damage("the checksum of the manifest does not fit")
        }
        let version = bytes.integer(UInt16.self, at: 12)
        guard (FormatVersion.current...FormatVersion.usedKeys).contains(version) else {
            throw .unsupportedFormat(file: file, version: version)
        }
        databaseID = UniqueID(
            high: UInt64(bigEndian: bytes.integer(at: 16)),
            low: UInt64(bigEndian: bytes.integer(at: 24))
        )
        seq = bytes.integer(at: 32)
        chain = Hash128(
            high: UInt64(bigEndian: bytes.integer(at: 40)),
            low: UInt64(bigEndian: bytes.integer(at: 48))
        )
        time = bytes.integer(at: 56)
        let counts = (bytes.integer(UInt32.self, at: 64), bytes.integer(UInt32.self, at: 68))
        var rest = bytes.suffix(from: Self.fixedByteCount)
        var trees: [String] = []
        var parts: [PartReference] = []
        for _ in 0..<counts.0 {
            guard let name = rest.takeShort() else { throw damage("a name is cut, or no text") }
            trees.append(name)
        }
        for _ in 0..<counts.1 {
            guard rest.count > 49, let kind = PartKind(rawValue: rest[48]) else {
                throw damage("a part's entry is cut")
            }
            let digest = Digest256(bytes: rest[0..<32].array)
            let byteCount = rest.integer(UInt64.self, at: 32)
            let effectCount = rest.integer(UInt64.self, at: 40)
            rest = rest.suffix(from: 49)
            guard let block = rest.takeShort(), byteCount < Location.parts.lowerBound,
                effectCount <= byteCount
            else { throw damage("a part's entry is out of bounds") }
            parts.append(
                PartReference(
                    digest: digest,
                    byteCount: Int(byteCount),
                    kind: kind,
                    block: block,
                    effectCount: Int(effectCount)
                )
            )
        }
        guard rest.isEmpty else { throw damage("bytes follow the last part") }
        guard bytes.integer(UInt16.self, at: 14) == 0 else {
            throw damage("what must be zero is not")
        }
        guard version == Self.version(naming: parts) else {
            throw damage("the version is not that of its parts")
        }
        self.trees = trees
        self.parts = parts
    }
}

extension ByteBuffer {
    /// Appends a short text behind its length.
    fileprivate mutating func append(short text: String) {
        append(integer: UInt16(text.utf8.count))
        append(text: text)
    }
}

extension ByteView {
    /// Takes a short text off the beginning; nil when it is cut, or no UTF-8.
    fileprivate mutating func takeShort() -> String? {
        guard count >= 2 else { return nil }
        let length = Int(integer(UInt16.self, at: 0))
        guard count >= 2 + length else { return nil }
        let text = String(validating: self[2..<2 + length].array, as: UTF8.self)
        self = suffix(from: 2 + length)
        return text
    }
}
