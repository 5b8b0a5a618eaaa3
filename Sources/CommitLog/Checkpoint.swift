// A checkpoint that was found in a directory: its parts, read like the log.
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// A checkpoint that is open for reading.
///
/// Its parts are mapped; each has a place of its own among the logical offsets.
public final class Checkpoint: Sendable {
    /// Half of the logical offsets of parts: while one checkpoint takes another's place, both are
    /// read.
    public enum Half: Sendable {
        /// The lower half, and the upper.
        case lower, upper

        /// The other half.
        public var other: Half { self == .lower ? .upper : .lower }

        /// The offsets.
        var offsets: Range<UInt64> {
            let all = Location.parts
            let middle = all.lowerBound + UInt64(all.count / 2)
            return self == .lower ? all.lowerBound..<middle : middle..<all.upperBound
        }
    }

    private struct Entry {
        let base: UInt64
        let header: PartHeader
        let path: String
        let map: MappedFile
    }

    /// What it is made of.
    public let manifest: Manifest
    /// Which of the logical offsets are its parts'.
    public let half: Half
    private let entries: [Entry]

    /// Opens the parts of a manifest and checks their heads.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`, `disk`.
    private init(
        _ manifest: Manifest,
        _ disk: any Disk,
        _ half: Half
    ) throws(CommitLogError) {
        self.manifest = manifest
        self.half = half
        let range = half.offsets
        var base = range.lowerBound
        var entries: [Entry] = []
        for part in manifest.parts {
            let path = part.path
            let (size, map): (Int, MappedFile)
            do throws(DiskError) {
                let file = try disk.open(path, .read)
                (size, map) = (try file.size(), try file.map(part.byteCount))
            } catch {
                guard error.isMissing else { throw .disk(error) }
                throw .damaged(file: path, offset: 0, why: "the part is missing")
            }
            guard size == part.byteCount else {
                throw .damaged(file: path, offset: size, why: "the part has another length")
            }
            let header = try PartHeader(map.view[0..<size], file: path)
            guard header.kind == part.kind, header.block == part.block,
                header.effectCount == part.effectCount
            else { throw .damaged(file: path, offset: 0, why: "it is another part") }
            // Only of a change may a mirror know nothing but that it was made.
            guard part.effectCount > 0 || !PartKind.ofState.contains(part.kind) else {
                throw .damaged(file: path, offset: 16, why: "the part holds nothing")
            }
            entries.append(Entry(base: base, header: header, path: path, map: map))
            base += UInt64(FrameLayout.padded(part.byteCount))
        }
        guard base <= range.upperBound else {
            throw .damaged(file: Manifest.path(seq: manifest.seq), offset: 0, why: "it is too long")
        }
        self.entries = entries
    }

    // MARK: Reading

    /// Lends a frame.
    ///
    /// - Parameters:
    ///   - location: A place in it, as `forEachFrame` gave it; traps elsewhere.
    ///   - body: Reads it; what it is lent ends with it.
    /// - Returns: What `body` returns.
    public func withFrame<T>(
        at location: Location,
        _ body: (Frame) throws -> T
    ) rethrows -> T {
        try body(frame(at: location))
    }

    /// A frame, to be read as long as the checkpoint is there.
    ///
    /// - Parameter location: A place in it, as `forEachFrame` gave it; traps elsewhere.
    /// - Returns: The frame, which owns nothing.
    public func frame(at location: Location) -> Frame {
        let offset = location.frameOffset
        var low = 0
        var high = entries.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if entries[middle].base <= offset { low = middle } else { high = middle - 1 }
        }
        let bytes = entries[low].map.view.suffix(from: Int(offset - entries[low].base))
        precondition(
            bytes.integer(UInt32.self, at: 0) == FrameLayout.commitMagic,
            "no frame begins at this location"
        )
        let length = Int(bytes.integer(UInt32.self, at: 8))
        return Frame(bytes[0..<length], offset: offset)
    }

    /// Runs `body` over the frames of parts, in the order of the manifest, and checks each.
    ///
    /// - Parameters:
    ///   - kinds: Of which parts.
    ///   - body: Is given the part and a frame; what it is lent ends with it.
    /// - Throws: `damaged`, and what `body` throws.
    public func forEachFrame(
        of kinds: [PartKind],
        _ body: (PartReference, Frame) throws -> Void
    ) throws {
        for (slot, part) in manifest.parts.enumerated() where kinds.contains(part.kind) {
            var effectCount = 0
            try walk(slot, salt: PartHeader.salt) { frame in
                effectCount += frame.effectCount
                try body(part, frame)
            }
            guard effectCount == part.effectCount else {
                throw CommitLogError.damaged(
                    file: part.path,
                    offset: part.byteCount,
                    why: "it holds \(effectCount) effects, not \(part.effectCount)"
                )
            }
        }
    }

    /// Runs `body` over the used keys of each block that has some, a frame at a time.
    ///
    /// - Parameter body: Is given the block's name and a frame's keys.
    /// - Throws: `damaged`, and what `body` throws.
    public func forEachUsed(_ body: (String, UsedKeysView) throws -> Void) throws {
        try forEachFrame(of: [.used]) { part, frame in
            func damage(_ why: String) -> CommitLogError {
                .damaged(file: part.path, offset: 0, why: "it holds no used keys: \(why)")
            }
            guard frame.seq == 1, frame.effectCount == 0 else { throw damage("a commit's frame") }
            let keys: UsedKeysView
            do throws(ContentError) {
                keys = try UsedKeysView(frame.content)
            } catch {
                throw damage("\(error)")
            }
            try body(part.block, keys)
        }
    }

    /// Runs `body` over the frames of a part, and takes checksums where a salt is given.
    private func walk(
        _ slot: Int,
        salt: UInt32?,
        _ body: (Frame) throws -> Void
    ) throws {
        let entry = entries[slot]
        let bytes = entry.map.view[0..<manifest.parts[slot].byteCount]
        var offset = entry.header.byteCount
        while offset < bytes.count {
            guard case .commit(let byteCount) = FrameLayout.look(bytes, at: offset, salt: salt),
                bytes.integer(UInt32.self, at: offset + 16) > 0
                    || !PartKind.ofState.contains(entry.header.kind)
            else {
                throw CommitLogError.damaged(
                    file: entry.path,
                    offset: offset,
                    why: "no whole frame begins here"
                )
            }
            let frame = bytes[offset..<offset + byteCount]
            try body(Frame(frame, offset: entry.base + UInt64(offset)))
            offset += byteCount
        }
    }

    /// Whether one of its parts holds a place.
    public func holds(_ location: Location) -> Bool { half.offsets.contains(location.frameOffset) }

    /// The effect a commit left last on a record.
    ///
    /// Complexity: a walk over one part.
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - block: Of which block, as commits name it.
    ///   - seq: The commit.
    /// - Returns: Nil when another was the last.
    public func location(of key: RecordKey, in block: [UInt8], at seq: UInt64) -> Location? {
        let block = String(decoding: block, as: UTF8.self)
        var found: Location?
        for kind in PartKind.ofState {
            // The last part that does not begin behind the key.
            let slot = entries.indices.last {
                let header = entries[$0].header
                return header.kind == kind && header.block == block && firstKey($0) <= key
            }
            guard let slot else { continue }
            do {
                try walk(slot, salt: nil) { frame in
                    guard frame.seq == seq else { return }
                    for ordinal in 0..<frame.effectCount {
                        let effect = try EffectView(frame.effectBytes(ordinal))
                        if effect.key == key { found = frame.location(ordinal) }
                    }
                }
            } catch {
                preconditionFailure("a part that was checked changed: \(error)")
            }
        }
        return found
    }

    /// The first key of a part of the state, which is never empty.
    private func firstKey(_ slot: Int) -> RecordKey {
        let entry = entries[slot]
        let place = Location(frame: entry.base + UInt64(entry.header.byteCount), effect: 0)
        return withFrame(at: place) { frame in
            do throws(ContentError) {
                return try EffectView(frame.effectBytes(0)).key
            } catch {
                preconditionFailure("a part that was checked changed: \(error)")
            }
        }
    }

    /// Reads every byte: the checksum of every frame, and the digest of every part.
    ///
    /// - Throws: `damaged`.
    public func verify() throws(CommitLogError) {
        do {
            try forEachFrame(of: PartKind.ofCommits) { _, frame in
                _ = try CommitView(frame.content)
            }
            try forEachUsed { _, _ in }
        } catch let error as CommitLogError {
            throw error
        } catch {
            throw .damaged(file: manifest.path, offset: 0, why: "a part holds no commits: \(error)")
        }
        for (entry, part) in zip(entries, manifest.parts)
        where SHA256.digest(entry.map.view[0..<part.byteCount]) != part.digest {
            throw .damaged(file: entry.path, offset: 0, why: "its bytes are not those of its name")
        }
    }

    /// Writes it into another directory.
    ///
    /// - Throws: `disk`.
    func copy(to disk: any Disk) throws(CommitLogError) {
        var writer = try CheckpointWriter(disk)
        for (entry, part) in zip(entries, manifest.parts) {
            let bytes = entry.map.view[0..<part.byteCount].array
            try writer.write(BuiltPart(reference: part, bytes: bytes))
        }
        try writer.finish(manifest)
    }

    // MARK: Files

    /// The newest checkpoint of a directory.
    ///
    /// - Parameters:
    ///   - disk: The database's directory.
    ///   - half: Where its parts lie among the logical offsets.
    /// - Returns: Nil when there is none.
    /// - Throws: `damaged`, `unsupportedFormat`, `disk`.
    public static func newest(
        on disk: any Disk,
        in half: Half = .lower
    ) throws(CommitLogError) -> Checkpoint? {
        guard let seq = try seqs(disk).last else { return nil }
        let path = Manifest.path(seq: seq)
        let bytes = try onDisk { () throws(DiskError) in try disk.contents(of: path) }
        let manifest = try Manifest(bytes, file: path)
        guard manifest.seq == seq else {
            throw .damaged(file: path, offset: 32, why: "the name is another manifest's")
        }
        return try Checkpoint(manifest, disk, half)
    }

    static func seqs(_ disk: any Disk) throws(CommitLogError) -> [UInt64] {
        let names: [String]
        do throws(DiskError) {
            names = try disk.names(in: Manifest.directory)
        } catch {
            if error.isMissing { return [] }
            throw .disk(error)
        }
        return names.filter { $0.utf8.count == 16 }.compactMap { UInt64($0) }
    }
}
