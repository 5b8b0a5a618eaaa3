// Cuts the records of a block into parts.
//
// What becomes a part depends on the effects alone, which come in the order of their keys: a part
// ends after a key whose checksum says so, so that a record that is put in or taken out changes
// the part it lies in and leaves the others as they are, on every node alike.
internal import HoldfastBasics
public import HoldfastRecords

/// A part whose name is still to be found.
public struct UnnamedPart: Sendable {
    private let kind: PartKind
    private let block: String
    private let effectCount: Int
    private let bytes: [UInt8]

    init(_ kind: PartKind, _ block: String, _ effectCount: Int, _ frames: ByteView) {
        let header = PartHeader(kind: kind, effectCount: effectCount, block: block).bytes
        self.kind = kind
        self.block = block
        self.effectCount = effectCount
        bytes = header.array + frames.array
    }

    /// The part under its name, the hash of all of it.
    public var named: BuiltPart {
        var hasher = SHA256()
        bytes.withView { hasher.update($0) }
        let reference = PartReference(
            digest: hasher.finish(),
            byteCount: bytes.count,
            kind: kind,
            block: block,
            effectCount: effectCount
        )
        return BuiltPart(reference: reference, bytes: bytes)
    }
}

/// A part that is to be written.
public struct BuiltPart: Sendable {
    /// How the manifest names it.
    public let reference: PartReference
    /// The file's content.
    public let bytes: [UInt8]

    /// Puts the two together.
    public init(reference: PartReference, bytes: [UInt8]) {
        self.reference = reference
        self.bytes = bytes
    }
}

/// Makes the parts of one kind of one block; confined to one thread.
public final class PartBuilder {
    private let kind: PartKind
    private let block: [UInt8]
    private let sizes: PartSizes
    private var excerpt = ExcerptEncoder()
    private var frames = ByteBuffer()
    private var effectCount = 0

    /// Begins with no part.
    ///
    /// - Parameters:
    ///   - kind: What the parts hold.
    ///   - block: Of which block, as commits name it.
    ///   - sizes: Where parts end.
    public init(_ kind: PartKind, of block: [UInt8], sizes: PartSizes = PartSizes()) {
        self.kind = kind
        self.block = block
        self.sizes = sizes
    }

    /// Adds the next effect, in the order of keys.
    ///
    /// - Parameters:
    ///   - effect: The last on its record.
    ///   - commit: Which made it.
    /// - Returns: Whether a part ends with it, so that `finish` is to be called next.
    public func add(_ effect: EffectView, of commit: CommitView) -> Bool {
        if excerpt.seq != commit.seq || excerpt.byteCount >= Self.excerptByteCount
            || excerpt.effectOffsets.count == Self.excerptEffectCount
        {
            flush()
            excerpt.begin(commit)
            block.withView { excerpt.begin(block: $0) }
        }
        excerpt.add(effect)
        effectCount += 1
        return sizes.ends(byteCount: frames.count + excerpt.byteCount, effect.keyChecksum)
    }

    /// Adds what a change did, in the order of commits.
    ///
    /// - Parameter commit: Which the change became, or an excerpt of it.
    /// - Returns: Whether a part ends with it, so that `finish` is to be called next.
    /// - Throws: `ContentError`.
    public func add(change commit: CommitView) throws -> Bool {
        flush()
        excerpt.begin(commit)
        try excerpt.addDeeds(of: commit)
        effectCount += excerpt.effectOffsets.count
        let byteCount = frames.count + excerpt.byteCount
        guard byteCount >= sizes.least else { return false }
        return byteCount >= sizes.most || commit.seq & UInt64(sizes.mask) == 0
    }

    /// Ends a part; nil when nothing was added since the one before.
    public func finish() -> UnnamedPart? {
        flush()
        guard !frames.isEmpty else { return nil }
        let part = UnnamedPart(kind, block.withView(\.text), effectCount, frames.view)
        frames.removeAll()
        effectCount = 0
        return part
    }

    /// An excerpt becomes a frame.
    private func flush() {
        guard let seq = excerpt.seq else { return }
        excerpt.finish { content, offsets in
            FrameLayout.append(
                seq: seq,
                content: content,
                effectOffsets: offsets,
                previous: Array(repeating: .bySeq, count: offsets.count),
                salt: PartHeader.salt,
                to: &frames
            )
        }
    }

    /// Effects that follow one another in one commit share a frame up to here.
    private static let excerptByteCount = 256 << 10
    private static let excerptEffectCount = 4096
}

/// Where parts end.
public struct PartSizes: Sendable {
    /// No part ends before it, but a block's last.
    ///
    /// Unit: bytes.
    let least: Int
    /// None goes on behind it.
    let most: Int
    /// A part ends after a key whose checksum has none of these bits.
    let mask: UInt32

    /// Those of every database: from 4 to 16 MiB.
    public init() { self.init(least: 4 << 20, most: 16 << 20, mask: 4095) }

    /// Others, for tests: parts of different sizes are different parts.
    public init(least: Int, most: Int, mask: UInt32) {
        self.least = least
        self.most = most
        self.mask = mask
    }

    /// Whether a part of so many bytes ends behind an entry whose key has a checksum.
    func ends(byteCount: Int, _ checksum: @autoclosure () -> UInt32) -> Bool {
        guard byteCount >= least else { return false }
        return byteCount >= most || checksum() & mask == 0
    }
}
