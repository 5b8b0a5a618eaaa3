// A run of frames as an opening hands it on, for work that keeps up with the reading.
internal import HoldfastBasics
internal import HoldfastStorage

/// Frames that lie one after the other, whose checksums an opening has taken.
///
/// It keeps its segment mapped as long as it lives, and goes to any thread.
public struct LogStretch: Sendable {
    private let path: String
    private let map: MappedFile
    /// Logical offset of the file's first byte.
    private let base: UInt64
    private let range: Range<Int>

    /// An opening hands on about so much at once.
    static let byteCountMin = 1 << 20

    init(_ path: String, _ map: MappedFile, base: UInt64, _ range: Range<Int>) {
        self.path = path
        self.map = map
        self.base = base
        self.range = range
    }

    /// What it weighs.
    ///
    /// Unit: bytes in the log.
    public var byteCount: Int { range.count }

    /// Runs `body` over its commits, in order.
    ///
    /// - Parameter body: What it is lent ends with it.
    /// - Throws: `CommitLogError.damaged` when the bytes are not what they were any more, and what
    ///   `body` throws.
    public func forEachCommit(_ body: (Frame) throws -> Void) throws {
        let bytes = map.view[0..<range.upperBound]
        var offset = range.lowerBound
        while offset < range.upperBound {
            switch FrameLayout.look(bytes, at: offset, salt: nil) {
            case .mark:
                offset += FrameLayout.markByteCount
            case .commit(let byteCount):
                try body(Frame(bytes[offset..<offset + byteCount], offset: base + UInt64(offset)))
                offset += byteCount
            case .nothing(let why):
                throw CommitLogError.damaged(file: path, offset: offset, why: why)
            }
        }
    }
}

extension LogReader {
    /// All it reads; of use where an opening has checked it.
    var stretches: [LogStretch] {
        segments.indices.compactMap { slot in
            let segment = segments[slot]
            let limit = limit(slot)
            guard let map = segment.map, limit > segment.headerByteCount else { return nil }
            return LogStretch(
                segment.path,
                map,
                base: segment.base,
                segment.headerByteCount..<limit
            )
        }
    }
}
