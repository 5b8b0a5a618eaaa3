// Writes the content of a commit: the replicated, hashed bytes. The contract is
// CommitLog/FORMAT.md, section "Content"; `CommitView` reads what this writes.
public import HoldfastBasics

/// Offsets and sizes of the content's fixed parts, shared by writer and reader.
enum ContentLayout {
    static let format: UInt8 = 1
    static let chainOffset = 96
    static let envelopeByteCount = 112
    static let hashByteCount = 16
    static let blockHeaderByteCount = 24
    static let blockBodyByteCount = 24
    static let detailsByteCount = 20
    static let effectByteCount = 52
    /// Where an effect says how long its value is.
    static let valueLengthOffset = 12
    static let flagDetails: UInt8 = 1
}

/// Writes commits as bytes and carries the chain from one to the next.
public struct CommitEncoder: ~Copyable {
    private var hasher = SHA256()
    /// Where each effect of the last commit begins in its content.
    public private(set) var effectOffsets: [UInt32] = []

    /// Begins with no commit written.
    public init() {}

    /// Appends the content of a commit.
    ///
    /// - Parameters:
    ///   - commit: What to write; its texts are within `Limits`.
    ///   - previousChain: The chain of the commit before it, zero before the first.
    ///   - buffer: Where to; what it held before stays.
    /// - Returns: The chain of this commit.
    public mutating func encode(
        _ commit: Commit,
        after previousChain: Hash128,
        into buffer: inout ByteBuffer
    ) -> Hash128 {
        let start = buffer.count
        effectOffsets.removeAll(keepingCapacity: true)
        let hasDetails = !commit.app.isEmpty || !commit.why.isEmpty
        writeEnvelope(commit, hasDetails: hasDetails, into: &buffer)
        let textEnd = buffer.count
        var hashes: [Hash128] = []
        hashes.reserveCapacity(commit.blocks.count + 1)
        if hasDetails { hashes.append(writeDetails(commit, into: &buffer)) }
        for block in commit.blocks {
            hashes.append(writeBlock(block, contentStart: start, into: &buffer))
        }
        hasher.update(previousChain)
        let view = buffer.view
        hasher.update(view[start..<start + ContentLayout.chainOffset])
        hasher.update(view[start + ContentLayout.envelopeByteCount..<textEnd])
        for hash in hashes { hasher.update(hash) }
        let chain = hasher.finishTruncated()
        buffer.replace(chain, at: start + ContentLayout.chainOffset)
        return chain
    }

    private func writeEnvelope(_ commit: Commit, hasDetails: Bool, into buffer: inout ByteBuffer) {
        buffer.append(ContentLayout.format)
        buffer.append(hasDetails ? ContentLayout.flagDetails : 0)
        buffer.append(integer: UInt16(commit.blocks.count))
        buffer.append(integer: commit.epochIndex)
        buffer.append(integer: commit.seq)
        buffer.append(integer: commit.at)
        buffer.append(integer: commit.madeAt)
        buffer.append(commit.changeID)
        buffer.append(commit.jobID)
        buffer.append(commit.digest)
        buffer.append(integer: commit.deviceSeq)
        buffer.append(integer: UInt16(commit.user.utf8.count))
        buffer.append(integer: UInt16(commit.device.utf8.count))
        buffer.append(integer: UInt16(0))
        buffer.append(integer: UInt16(0))
        buffer.append(Hash128.zero)
        buffer.append(text: commit.user)
        buffer.append(text: commit.device)
    }

    private mutating func writeDetails(_ commit: Commit, into buffer: inout ByteBuffer) -> Hash128 {
        let header = buffer.count
        beginSection(into: &buffer)
        let body = buffer.count
        buffer.append(commit.detailsSalt)
        buffer.append(integer: UInt16(commit.app.utf8.count))
        buffer.append(integer: UInt16(commit.why.utf8.count))
        buffer.append(text: commit.app)
        buffer.append(text: commit.why)
        return endSection(header: header, body: body, into: &buffer)
    }

    private mutating func writeBlock(
        _ block: Block,
        contentStart: Int,
        into buffer: inout ByteBuffer
    ) -> Hash128 {
        let header = buffer.count
        beginSection(into: &buffer)
        let body = buffer.count
        let name = block.name.description
        buffer.append(block.salt)
        buffer.append(integer: UInt32(block.effects.count))
        buffer.append(integer: UInt16(name.utf8.count))
        buffer.append(integer: UInt16(0))
        buffer.append(text: name)
        // Lent, not copied: a copy would retain every text and value.
        let effects = block.effects.span
        for index in effects.indices {
            effectOffsets.append(UInt32(buffer.count - contentStart))
            let (key, label) = (effects[index].key, effects[index].label)
            let previousSeq = effects[index].previousSeq
            if let image = effects[index].image {
                writeSetting(key, label, previousSeq, image, into: &buffer)
            } else {
                writeRemoval(key, label, previousSeq, into: &buffer)
            }
        }
        return endSection(header: header, body: body, into: &buffer)
    }

    private func beginSection(into buffer: inout ByteBuffer) {
        buffer.append(integer: UInt32(1))
        buffer.append(integer: UInt32(0))
        buffer.append(Hash128.zero)
    }

    private mutating func endSection(
        header: Int,
        body: Int,
        into buffer: inout ByteBuffer
    ) -> Hash128 {
        hasher.update(buffer.view.suffix(from: body))
        let hash = hasher.finishTruncated()
        buffer.replace(integer: UInt32(buffer.count - body), at: header + 4)
        buffer.replace(hash, at: header + 8)
        return hash
    }

    // Field by field would take twice as long as in words of 8 bytes.

    private func writeSetting(
        _ key: RecordKey,
        _ label: Label,
        _ previousSeq: UInt64,
        _ image: PostImage,
        into buffer: inout ByteBuffer
    ) {
        let kinds = key.kinds(1, label, image.state.stored.kind)
        let sizes = UInt64(image.state.stored.number) | UInt64(image.value.count) << 32
        buffer.append(integer: kinds)
        buffer.append(integer: sizes)
        buffer.append(integer: previousSeq)
        buffer.append(integer: key.storedID)
        buffer.append(integer: image.created.at)
        let user = UInt64(image.created.user.utf8.count)
        let device = UInt64(image.created.device.utf8.count)
        buffer.append(integer: image.schema.word | user << 32 | device << 48)
        // No extensions.
        buffer.append(integer: UInt32(0))
        if case .name(let name) = key.id { buffer.append(name) }
        buffer.append(text: image.created.user)
        buffer.append(text: image.created.device)
        buffer.append(image.value)
    }

    private func writeRemoval(
        _ key: RecordKey,
        _ label: Label,
        _ previousSeq: UInt64,
        into buffer: inout ByteBuffer
    ) {
        buffer.append(integer: key.kinds(2, label, 0))
        buffer.append(integer: UInt64(0))
        buffer.append(integer: previousSeq)
        buffer.append(integer: key.storedID)
        buffer.append(integer: Int64(0))
        buffer.append(integer: SchemaVersion.none.word)
        buffer.append(integer: UInt32(0))
        if case .name(let name) = key.id { buffer.append(name) }
    }
}

extension RecordKey {
    /// The first 8 bytes of an effect: kinds, label and revision.
    fileprivate func kinds(_ kind: UInt64, _ label: Label, _ stateKind: UInt8) -> UInt64 {
        let keyKind: UInt64 = if case .number = id { 1 } else { 2 }
        return kind | UInt64(label.rawValue) << 8 | UInt64(stateKind) << 16 | keyKind << 24
            | UInt64(revision) << 32
    }

    /// The number, or the length of the name.
    fileprivate var storedID: UInt64 {
        switch id {
        case .number(let number): number
        case .name(let name): UInt64(name.count)
        }
    }
}

extension SchemaVersion {
    fileprivate var word: UInt64 { UInt64(major) | UInt64(minor) << 16 }
}

extension ByteBuffer {
    /// Appends 16 bytes, big-endian.
    mutating func append(_ hash: Hash128) {
        append(integer: hash.high.byteSwapped)
        append(integer: hash.low.byteSwapped)
    }

    /// Appends 16 bytes, big-endian.
    mutating func append(_ id: UniqueID) { append(Hash128(high: id.high, low: id.low)) }

    /// Overwrites 16 bytes, big-endian.
    mutating func replace(_ hash: Hash128, at offset: Int) {
        replace(integer: hash.high.byteSwapped, at: offset)
        replace(integer: hash.low.byteSwapped, at: offset + 8)
    }
}
