// Makes lengths, magics and checksums fit whatever a mutation left between them.
import HoldfastBasics
import HoldfastRecords

@testable import HoldfastCommitLog

enum Mend {
    private static func put<I: FixedWidthInteger>(_ value: I, _ bytes: inout [UInt8], _ at: Int) {
        guard at + MemoryLayout<I>.size <= bytes.count else { return }
        withUnsafeBytes(of: value.littleEndian) {
            bytes.replaceSubrange(at..<at + $0.count, with: $0)
        }
    }

    private static func get<I: FixedWidthInteger>(_: I.Type, _ bytes: [UInt8], _ at: Int) -> I {
        bytes.withView { $0.integer(at: at) }
    }

    private static func crc(_ bytes: [UInt8], _ range: Range<Int>, _ salt: UInt32 = 0) -> UInt32 {
        bytes.withView { CRC32C.extend(salt, $0[range]) }
    }

    /// Lengths at both ends and the checksum of a frame; a mark's where it begins as one.
    static func frame(_ bytes: inout [UInt8], at start: Int, byteCount: Int, salt: UInt32) {
        guard byteCount >= FrameLayout.markByteCount, start + byteCount <= bytes.count else {
            return
        }
        var length = byteCount
        if get(UInt32.self, bytes, start) == FrameLayout.markMagic {
            length = FrameLayout.markByteCount
        } else {
            put(FrameLayout.commitMagic, &bytes, start)
            // As much content as the effects leave room for.
            let effects = Int(get(UInt32.self, bytes, start + 16) % 8)
            let rest = byteCount - FrameLayout.byteCount(content: 0, effects: effects)
            let content = Int(get(UInt32.self, bytes, start + 12))
            if rest >= 0, FrameLayout.padded(content) != rest {
                put(UInt32(rest), &bytes, start + 12)
                put(UInt32(effects), &bytes, start + 16)
            }
        }
        put(UInt32(length), &bytes, start + 8)
        put(UInt32(length), &bytes, start + length - 8)
        put(FrameLayout.endMagic, &bytes, start + length - 4)
        put(crc(bytes, start + 8..<start + length, salt), &bytes, start + 4)
    }

    /// The hashes of a commit's sections, and its chain as that of a first commit.
    static func hashes(ofFrame bytes: inout [UInt8]) {
        let start = FrameLayout.headerByteCount
        guard bytes.count >= start + 120 else { return }
        let claimed = Int(get(UInt32.self, bytes, 12))
        var content = Array(bytes[start..<min(bytes.count, start + min(claimed, 1 << 20))])
        guard content.count >= 112 else { return }
        let textEnd =
            112 + [88, 90, 92].reduce(0) { $0 + Int(get(UInt16.self, content, $1)) }
        guard textEnd <= content.count else { return }
        var hasher = SHA256()
        var hashes: [[UInt8]] = []
        var offset = textEnd
        while offset + 24 <= content.count {
            let length = Int(get(UInt32.self, content, offset + 4))
            guard length <= content.count - offset - 24 else { break }
            let end = offset + 24 + length
            if get(UInt32.self, content, offset) == 1 {
                content.withView { hasher.update($0[offset + 24..<end]) }
                content.replaceSubrange(
                    offset + 8..<offset + 24,
                    with: bytes16(hasher.finishTruncated())
                )
            }
            hashes.append(Array(content[offset + 8..<offset + 24]))
            offset = end
        }
        hasher.update(Hash128.zero)
        content.withView {
            hasher.update($0[0..<96])
            hasher.update($0[112..<textEnd])
        }
        for hash in hashes { hash.withView { hasher.update($0) } }
        content.replaceSubrange(96..<112, with: bytes16(hasher.finishTruncated()))
        bytes.replaceSubrange(start..<start + content.count, with: content)
    }

    private static func bytes16(_ hash: Hash128) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(integer: hash.high.bigEndian)
        buffer.append(integer: hash.low.bigEndian)
        return buffer.array
    }

    /// The head of a segment, and every frame that begins with a magic.
    static func segment(_ bytes: inout [UInt8], _ databaseID: UniqueID) {
        guard bytes.count >= SegmentHeader.fixedByteCount else { return }
        put(SegmentHeader.magic, &bytes, 0)
        put(FormatVersion.current, &bytes, 12)
        put(databaseID.high.bigEndian, &bytes, 24)
        put(databaseID.low.bigEndian, &bytes, 32)
        let epochs = Int(get(UInt32.self, bytes, 72) % 8)
        let filter = Int(get(UInt32.self, bytes, 76) % 64)
        let length = SegmentHeader.fixedByteCount + epochs * 16 + filter
        guard length <= bytes.count else { return }
        put(UInt32(epochs), &bytes, 72)
        put(UInt32(filter), &bytes, 76)
        put(UInt32(length), &bytes, 16)
        put(crc(bytes, 12..<length), &bytes, 8)
        frames(&bytes, from: length, salt: get(UInt32.self, bytes, 20))
    }

    private static func frames(_ bytes: inout [UInt8], from first: Int, salt: UInt32) {
        var offset = first
        while offset + FrameLayout.markByteCount <= bytes.count {
            let magic = get(UInt32.self, bytes, offset)
            let length = Int(get(UInt32.self, bytes, offset + 8))
            switch magic {
            case FrameLayout.markMagic:
                let count = FrameLayout.markByteCount
                frame(&bytes, at: offset, byteCount: count, salt: salt)
                offset += count
            case FrameLayout.commitMagic where length % 8 == 0 && length >= 40:
                frame(&bytes, at: offset, byteCount: length, salt: salt)
                offset += length
            default:
                offset += 8
            }
        }
    }

    /// The head of a part, and every frame that begins with a magic.
    static func part(_ bytes: inout [UInt8]) {
        guard bytes.count >= PartHeader.fixedByteCount else { return }
        put(PartHeader.magic, &bytes, 0)
        let kind = PartKind(rawValue: bytes[14]) ?? .records
        put(PartHeader.version(of: kind), &bytes, 12)
        let name = Int(get(UInt32.self, bytes, 24) % 64)
        let length = PartHeader.fixedByteCount + FrameLayout.padded(name)
        guard length <= bytes.count else { return }
        put(UInt32(name), &bytes, 24)
        put(crc(bytes, 12..<length), &bytes, 8)
        frames(&bytes, from: length, salt: PartHeader.salt)
    }

    static func manifest(_ bytes: inout [UInt8]) {
        guard bytes.count >= 72 else { return }
        "HOLDMANI".utf8.enumerated().forEach { bytes[$0.offset] = $0.element }
        let version = get(UInt16.self, bytes, 12)
        put(version == FormatVersion.usedKeys ? version : FormatVersion.current, &bytes, 12)
        put(crc(bytes, 12..<bytes.count), &bytes, 8)
    }
}
