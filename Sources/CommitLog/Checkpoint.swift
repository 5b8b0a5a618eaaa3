// A checkpoint that was found in a directory: its parts, read like the log.
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// A checkpoint that is open for reading.
///
/// Its parts are mapped; each has a place of its own among the logical offsets.
public final class Checkpoint: Sendable {
    private struct Entry {
        let base: UInt64
        let header: PartHeader
        let path: String
        let map: MappedFile
    }

    /// What it is made of.
    public let manifest: Manifest
    private let entries: [Entry]

    /// Opens the parts of a manifest and checks their heads.
    ///
    /// - Throws: `damaged`, `unsupportedFormat`, `disk`.
    private init(_ manifest: Manifest, _ disk: any Disk) throws(CommitLogError) {
        self.manifest = manifest
        var base = Location.parts.lowerBound
        var entries: [Entry] = []
        for part in manifest.parts {
            let path = part.path
            let (size, map) = try onDisk { () throws(DiskError) in
                let file = try disk.open(path, .read)
                return (try file.size(), try file.map(part.byteCount))
            }
            guard size == part.byteCount else {
                throw .damaged(file: path, offset: size, why: "the part has another length")
            }
            let header = try PartHeader(map.view[0..<size], file: path)
            guard header.kind == part.kind, header.block == part.block,
                header.effectCount == part.effectCount
            else { throw .damaged(file: path, offset: 0, why: "it is another part") }
            entries.append(Entry(base: base, header: header, path: path, map: map))
            base += UInt64(FrameLayout.padded(part.byteCount))
        }
        guard base <= Location.parts.upperBound else {
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
        return try body(Frame(bytes[0..<length], offset: offset))
    }

    /// Runs `body` over the frames of all parts, in the order of the manifest, and checks each.
    ///
    /// - Throws: `damaged`, and what `body` throws.
    public func forEachFrame(_ body: (PartReference, Frame) throws -> Void) throws {
        for (entry, part) in zip(entries, manifest.parts) {
            let bytes = entry.map.view[0..<part.byteCount]
            var offset = entry.header.byteCount
            var effectCount = 0
            while offset < part.byteCount {
                guard
                    case .commit(let byteCount) = FrameLayout.look(
                        bytes,
                        at: offset,
                        salt: PartHeader.salt
                    )
                else {
                    throw CommitLogError.damaged(
                        file: entry.path,
                        offset: offset,
                        why: "no whole frame begins here"
                    )
                }
                let frame = Frame(
                    bytes[offset..<offset + byteCount],
                    offset: entry.base + UInt64(offset)
                )
                effectCount += frame.effectCount
                try body(part, frame)
                offset += byteCount
            }
            guard effectCount == part.effectCount else {
                throw CommitLogError.damaged(
                    file: entry.path,
                    offset: offset,
                    why: "it holds \(effectCount) effects, not \(part.effectCount)"
                )
            }
        }
    }

    // MARK: Files

    /// The newest checkpoint of a directory.
    ///
    /// - Parameter disk: The database's directory.
    /// - Returns: Nil when there is none.
    /// - Throws: `damaged`, `unsupportedFormat`, `disk`.
    public static func newest(on disk: any Disk) throws(CommitLogError) -> Checkpoint? {
        guard let seq = try seqs(disk).last else { return nil }
        let path = Manifest.path(seq: seq)
        let bytes = try onDisk { () throws(DiskError) in try disk.contents(of: path) }
        let manifest = try Manifest(bytes, file: path)
        guard manifest.seq == seq else {
            throw .damaged(file: path, offset: 32, why: "the name is another manifest's")
        }
        return try Checkpoint(manifest, disk)
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
