// Reading the log: what is written from its maps, what is not yet from memory.
internal import HoldfastBasics
public import HoldfastRecords
internal import HoldfastStorage

extension CommitLog {
    /// Lends a frame.
    ///
    /// - Parameters:
    ///   - location: A place in it, as `append` or an effect table gave it; traps elsewhere.
    ///   - body: Reads it; what it is lent ends with it.
    /// - Returns: What `body` returns.
    public func withFrame<T>(
        at location: Location,
        _ body: (Frame) throws -> T
    ) rethrows -> T {
        try body(frame(at: location))
    }

    /// A frame, to be read until the log goes on.
    ///
    /// - Parameter location: A place in it, as `append` gave it; traps elsewhere.
    /// - Returns: The frame, which owns nothing.
    public func frame(at location: Location) -> Frame { frame(at: location.frameOffset) }

    /// Where a commit's frame begins; nil when the log does not have it.
    ///
    /// Complexity: a search over the segments and a walk over at most 127 frames.
    public func location(ofSeq seq: UInt64) -> Location? {
        guard seq >= oldest, seq <= head, let slot = segments.slot(ofSeq: seq),
            let start = segments[slot].index.start(for: seq)
        else { return nil }
        var offset = segments[slot].base + UInt64(start.offset)
        var current = start.seq
        while true {
            let bytes = bytes(at: offset)
            if bytes.integer(UInt32.self, at: 0) == FrameLayout.commitMagic {
                if current == seq { return Location(frame: offset, effect: 0) }
                current += 1
            }
            offset += UInt64(bytes.integer(UInt32.self, at: 8))
        }
    }

    /// What is durable now, for reading without the lock.
    public func reader() -> LogReader {
        LogReader(
            identity: identity,
            lineage: lineage,
            segments: segments,
            oldest: oldest,
            head: durable,
            end: writtenEnd
        )
    }

    /// A cursor over what the opening has read and found whole: checksums are not taken a second
    /// time.
    ///
    /// Used before anything is appended.
    ///
    /// - Parameter seq: The commit before the first; `oldest - 1` for all, at most `head`.
    /// - Returns: A cursor before the commit after it.
    public func openedCursor(after seq: UInt64) -> LogCursor {
        precondition(gathering.isEmpty && onItsWay == nil, "the log has gone on")
        precondition(seq >= oldest - 1 && seq <= head, "the log does not have what follows it")
        var cursor = LogCursor(reader(), isChecking: false)
        if seq >= oldest {
            do throws(CommitLogError) {
                try cursor.move(after: seq)
            } catch {
                preconditionFailure("what was found whole cannot be read: \(error)")
            }
        }
        return cursor
    }

    /// All that the opening has read and found whole.
    ///
    /// Used before anything is appended.
    public var openedStretches: [LogStretch] {
        precondition(gathering.isEmpty && onItsWay == nil, "the log has gone on")
        return reader().stretches
    }

    @inline(__always)
    private func frame(at offset: UInt64) -> Frame {
        let bytes = bytes(at: offset)
        precondition(
            bytes.integer(UInt32.self, at: 0) == FrameLayout.commitMagic,
            "no frame begins at this location"
        )
        return Frame(bytes[0..<Int(bytes.integer(UInt32.self, at: 8))], offset: offset)
    }

    /// The bytes from a logical offset on, in the map or in a piece.
    @inline(__always)
    private func bytes(at offset: UInt64) -> ByteView {
        if offset < writtenEnd {
            let slot = segments.slot(ofOffset: offset)
            guard let map = segments[slot].map else {
                preconditionFailure("a written segment is not mapped")
            }
            return map.view.suffix(from: Int(offset - segments[slot].base))
        }
        return pieceBytes(at: offset)
    }

    private func pieceBytes(at offset: UInt64) -> ByteView {
        for piece in gathering where piece.logicalStart <= offset {
            if let bytes = Self.bytes(of: piece, at: offset) { return bytes }
        }
        for piece in onItsWay?.pieces ?? [] where piece.logicalStart <= offset {
            if let bytes = Self.bytes(of: piece, at: offset) { return bytes }
        }
        preconditionFailure("a location beyond the end of the log")
    }

    private static func bytes(of piece: TailPiece, at offset: UInt64) -> ByteView? {
        let within = Int(offset - piece.logicalStart)
        return within < piece.buffer.count ? piece.buffer.view.suffix(from: within) : nil
    }
}
