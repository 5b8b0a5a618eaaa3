// Reads the content of a commit in place: no allocation, every length checked before it is used.
public import HoldfastBasics

/// Why bytes are not the content of a commit.
public enum ContentError: Error, Equatable, Sendable {
    /// A length, kind or text at `offset` is not what the format allows.
    case malformed(offset: Int, what: String)
    /// An extension this version must not ignore.
    case upgradeNeeded(format: UInt8, tag: UInt8)
    /// The hash of a section, or the chain, is not that of its bytes.
    case hashMismatch(offset: Int)
}

extension ContentError: CustomStringConvertible {
    /// One line for an operator: what is wrong, and what to do when that is not obvious.
    public var description: String {
        switch self {
        case .malformed(let offset, let what):
            "\(what), at byte \(offset) of the content"
        case .upgradeNeeded(let format, let tag):
            tag == 0
                ? "content of format \(format), which is newer than this program: upgrade holdfast"
                : "a critical extension, tag \(tag), which this program does not know: "
                    + "upgrade holdfast"
        case .hashMismatch(let offset):
            "the hash at byte \(offset) of the content is not that of its bytes"
        }
    }
}

/// The content of a commit, read in place.
///
/// Valid as long as the bytes it was made of.
public struct CommitView {
    /// All bytes of the content.
    public let bytes: ByteView
    /// Where the envelope ends and the sections begin.
    let textEnd: Int

    /// Checks the envelope.
    ///
    /// - Throws: `malformed` or `upgradeNeeded`.
    public init(_ bytes: ByteView) throws(ContentError) {
        guard bytes.count >= ContentLayout.envelopeByteCount else {
            throw .malformed(offset: 0, what: "the envelope is cut")
        }
        guard bytes[0] == ContentLayout.format else {
            throw .upgradeNeeded(format: bytes[0], tag: 0)
        }
        guard bytes[1] & ~ContentLayout.flagDetails == 0 else {
            throw .malformed(offset: 1, what: "a flag is set that format 1 does not have")
        }
        self.bytes = bytes
        let texts =
            Int(bytes.integer(UInt16.self, at: 88)) + Int(bytes.integer(UInt16.self, at: 90))
        let extensions = Int(bytes.integer(UInt16.self, at: 92))
        textEnd = ContentLayout.envelopeByteCount + texts + extensions
        guard textEnd <= bytes.count else { throw .malformed(offset: 88, what: "texts are cut") }
        try checkExtensions(bytes[textEnd - extensions..<textEnd], at: textEnd - extensions)
    }

    // MARK: Envelope

    /// Dense from 1.
    public var seq: UInt64 { bytes.integer(at: 8) }
    /// Index of the epoch in the log's lineage.
    public var epochIndex: UInt32 { bytes.integer(at: 4) }
    /// Commit time in milliseconds since 1970.
    public var at: Int64 { bytes.integer(at: 16) }
    /// The device's clock in milliseconds since 1970; 0 when unknown.
    public var madeAt: Int64 { bytes.integer(at: 24) }
    /// The change's id.
    public var changeID: UniqueID { bytes.uniqueID(at: 32) }
    /// The job it belongs to, or `none`.
    public var jobID: UniqueID { bytes.uniqueID(at: 48) }
    /// Digest of the request; zero when there is none.
    public var digest: Hash128 { bytes.hash128(at: 64) }
    /// Number of the change on its device; 0 when it was not numbered.
    public var deviceSeq: UInt64 { bytes.integer(at: 80) }
    /// The chain after this commit.
    public var chain: Hash128 { bytes.hash128(at: ContentLayout.chainOffset) }
    /// How many blocks follow.
    public var blockCount: Int { Int(bytes.integer(UInt16.self, at: 2)) }

    private var userLength: Int { Int(bytes.integer(UInt16.self, at: 88)) }
    private var deviceLength: Int { Int(bytes.integer(UInt16.self, at: 90)) }

    /// Who, as UTF-8.
    public var user: ByteView {
        bytes[ContentLayout.envelopeByteCount..<ContentLayout.envelopeByteCount + userLength]
    }

    /// From which device, as UTF-8.
    public var device: ByteView {
        let start = ContentLayout.envelopeByteCount + userLength
        return bytes[start..<start + deviceLength]
    }

    /// What stands before the details and the blocks: who, when, from where.
    var envelope: ByteView { bytes[0..<textEnd] }

    var hasDetails: Bool { bytes[1] & ContentLayout.flagDetails != 0 }

    // MARK: Sections

    /// Application and reason, as UTF-8; both empty when there are none or they are withheld.
    ///
    /// - Throws: `malformed`.
    public func details() throws(ContentError) -> (app: ByteView, why: ByteView) {
        guard hasDetails else { return (.empty, .empty) }
        let section = try section(at: textEnd)
        guard section.isVisible else { return (.empty, .empty) }
        let body = section.body
        guard body.count >= ContentLayout.detailsByteCount else {
            throw .malformed(offset: textEnd, what: "the details are cut")
        }
        let app = Int(body.integer(UInt16.self, at: 16))
        let why = Int(body.integer(UInt16.self, at: 18))
        guard body.count == ContentLayout.detailsByteCount + app + why else {
            throw .malformed(offset: textEnd, what: "the details have another length")
        }
        return (body[20..<20 + app], body[20 + app..<20 + app + why])
    }

    /// Runs `body` over every visible block, in order.
    ///
    /// - Parameter body: Is given the block and the ordinal of its first effect in the commit.
    /// - Throws: `malformed`, and what `body` throws.
    public func forEachBlock(_ body: (BlockView, Int) throws -> Void) throws {
        var offset = textEnd
        if hasDetails { offset = try section(at: offset).end }
        var ordinal = 0
        for _ in 0..<blockCount {
            let section = try section(at: offset)
            if section.isVisible {
                let block = try BlockView(section.body, at: offset)
                try body(block, ordinal)
                ordinal += block.effectCount
            }
            offset = section.end
        }
        guard offset == bytes.count else {
            throw ContentError.malformed(offset: offset, what: "bytes follow the last block")
        }
    }

    /// The name of the block that holds an effect, of a commit that was read to its end before.
    ///
    /// - Parameter ordinal: The effect's number in the commit, from 0; traps when there is none.
    /// - Returns: As commits name it.
    public func block(of ordinal: Int) -> ByteView {
        var found: ByteView?
        do {
            try forEachBlock { block, first in
                if ordinal >= first, ordinal < first + block.effectCount { found = block.name }
            }
        } catch {
            preconditionFailure("a commit that was read before cannot be read: \(error)")
        }
        guard let found else { preconditionFailure("no such effect") }
        return found
    }

    /// Computes all hashes anew and compares them and the chain with what is written.
    ///
    /// Of a withheld section the chain covers the hash alone: a projection verifies as the whole.
    ///
    /// - Parameter previousChain: The chain of the commit before it, zero before the first.
    /// - Throws: `hashMismatch`, `malformed`.
    public func verify(after previousChain: Hash128) throws(ContentError) {
        var hasher = SHA256()
        var hashes: [Hash128] = []
        var offset = textEnd
        for _ in 0..<blockCount + (hasDetails ? 1 : 0) {
            let section = try section(at: offset)
            if section.isVisible {
                hasher.update(section.body)
                guard hasher.finishTruncated() == section.hash else {
                    throw .hashMismatch(offset: offset)
                }
            }
            hashes.append(section.hash)
            offset = section.end
        }
        guard offset == bytes.count else {
            throw .malformed(offset: offset, what: "bytes follow the last block")
        }
        hasher.update(previousChain)
        hasher.update(bytes[0..<ContentLayout.chainOffset])
        hasher.update(bytes[ContentLayout.envelopeByteCount..<textEnd])
        for hash in hashes { hasher.update(hash) }
        guard hasher.finishTruncated() == chain else {
            throw .hashMismatch(offset: ContentLayout.chainOffset)
        }
    }

    /// Whether a block of a tree is visible.
    ///
    /// - Throws: `malformed` when the commit is damaged.
    public func holds(_ tree: TreeName) throws(ContentError) -> Bool {
        var offset = textEnd
        if hasDetails { offset = try section(at: offset).end }
        let name = tree.description.utf8
        for _ in 0..<blockCount {
            let section = try section(at: offset)
            if section.isVisible {
                let block = try BlockView(section.body, at: offset).name
                if block.count == name.count, zip(0..., name).allSatisfy({ block[$0] == $1 }) {
                    return true
                }
            }
            offset = section.end
        }
        return false
    }

    /// Refuses a projection: what a node holds that may not see everything.
    ///
    /// A commit of which nothing at all is shown passes: those of `_tokens` are so everywhere but
    /// on the server.
    ///
    /// - Throws: `malformed` where something is withheld, or cut.
    public func checkWhole() throws(ContentError) {
        var offset = textEnd
        if blockCount == 1 {
            let details = hasDetails ? try section(at: offset) : nil
            let block = try section(at: details?.end ?? offset)
            if !block.isVisible, !(details?.isVisible ?? false) { return }
        }
        for _ in 0..<blockCount + (hasDetails ? 1 : 0) {
            let section = try section(at: offset)
            guard section.isVisible else {
                throw .malformed(offset: offset, what: "a part of it is withheld")
            }
            offset = section.end
        }
    }

    /// The details or a block: a body and its hash, or the hash alone.
    struct Section {
        let isVisible: Bool
        let hash: Hash128
        let body: ByteView
        let end: Int
    }

    func section(at offset: Int) throws(ContentError) -> Section {
        let header = ContentLayout.blockHeaderByteCount
        guard bytes.count - offset >= header else {
            throw .malformed(offset: offset, what: "a section's header is cut")
        }
        let visible = bytes.integer(UInt32.self, at: offset)
        let length = Int(bytes.integer(UInt32.self, at: offset + 4))
        guard visible <= 1, visible == 1 || length == 0, bytes.count - offset - header >= length
        else { throw .malformed(offset: offset, what: "a section is cut") }
        let start = offset + header
        return Section(
            isVisible: visible == 1,
            hash: bytes.hash128(at: offset + 8),
            body: bytes[start..<start + length],
            end: start + length
        )
    }
}

/// The effects of a commit on one tree, read in place.
public struct BlockView {
    /// The block's name as text, `parts` or `_borrows/parts`.
    public let name: ByteView
    /// How many effects.
    public let effectCount: Int
    private let effects: ByteView
    private let offset: Int
    /// Where the first effect begins in the commit's content.
    private let effectsStart: Int

    init(_ body: ByteView, at offset: Int) throws(ContentError) {
        guard body.count >= ContentLayout.blockBodyByteCount else {
            throw .malformed(offset: offset, what: "a block is cut")
        }
        effectCount = Int(body.integer(UInt32.self, at: 16))
        let nameLength = Int(body.integer(UInt16.self, at: 20))
        let start = ContentLayout.blockBodyByteCount + nameLength
        guard start <= body.count, effectCount <= Limits.effectCountMax else {
            throw .malformed(offset: offset, what: "a block's name or count is out of bounds")
        }
        name = body[ContentLayout.blockBodyByteCount..<start]
        effects = body.suffix(from: start)
        self.offset = offset
        effectsStart = offset + ContentLayout.blockHeaderByteCount + start
    }

    /// Runs `body` over the effects, in order.
    ///
    /// - Throws: `malformed`, and what `body` throws.
    public func forEachEffect(_ body: (EffectView) throws -> Void) throws {
        try forEachPlacedEffect { effect, _ in try body(effect) }
    }

    /// Runs `body` over the effects, in order, with the place of each.
    ///
    /// - Parameter body: Is given the effect and where it begins in the commit's content.
    /// - Throws: `malformed`, and what `body` throws.
    public func forEachPlacedEffect(_ body: (EffectView, UInt32) throws -> Void) throws {
        var rest = effects
        for _ in 0..<effectCount {
            let effect = try EffectView(rest)
            try body(effect, UInt32(effectsStart + effects.count - rest.count))
            rest = rest.suffix(from: effect.byteCount)
        }
        guard rest.isEmpty else {
            throw ContentError.malformed(offset: offset, what: "bytes follow a block's effects")
        }
    }
}

func checkExtensions(_ bytes: ByteView, at offset: Int) throws(ContentError) {
    var rest = bytes
    while !rest.isEmpty {
        guard rest.count >= 3 else { throw .malformed(offset: offset, what: "an extension is cut") }
        let tag = rest[0]
        let length = Int(rest.integer(UInt16.self, at: 1))
        guard rest.count >= 3 + length else {
            throw .malformed(offset: offset, what: "an extension is cut")
        }
        // The highest bit of a tag says that whoever does not know it must not go on.
        guard tag & 0x80 == 0 else { throw .upgradeNeeded(format: ContentLayout.format, tag: tag) }
        rest = rest.suffix(from: 3 + length)
    }
}

extension ByteView {
    func hash128(at offset: Int) -> Hash128 {
        Hash128(
            high: integer(UInt64.self, at: offset).byteSwapped,
            low: integer(UInt64.self, at: offset + 8).byteSwapped
        )
    }

    func uniqueID(at offset: Int) -> UniqueID {
        UniqueID(
            high: integer(UInt64.self, at: offset).byteSwapped,
            low: integer(UInt64.self, at: offset + 8).byteSwapped
        )
    }
}
