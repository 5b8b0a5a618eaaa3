// Writes a checkpoint beside everything else.
//
// Order: parts, each by a rename after a sync; their directory; the manifest; its directory. Killed
// anywhere it leaves the old checkpoint or the new one. What no manifest names any more is removed
// when the new one is in place.
public import HoldfastBasics
internal import HoldfastRecords
public import HoldfastStorage

/// What is done between two pieces of a part that is written: where others want the disk too, the
/// pieces before are synced by the call it is given, and the disk is left to them for a while.
///
/// One long sync at the end would hold up every other one meanwhile.
public typealias Yielding = (_ sync: () throws(DiskError) -> Void) throws(DiskError) -> Void

/// Takes the parts of a checkpoint as they are made.
public protocol PartSink: Sendable {
    /// Keeps a part, unless it is there already.
    ///
    /// - Parameters:
    ///   - part: Its name and content.
    ///   - yielding: Is called between two pieces.
    /// - Throws: `disk`.
    mutating func write(_ part: BuiltPart, yielding: Yielding) throws(CommitLogError)
}

extension PartSink {
    /// Keeps a part, unless it is there already, as fast as the disk takes it.
    ///
    /// - Throws: `disk`.
    public mutating func write(_ part: BuiltPart) throws(CommitLogError) {
        try write(part, yielding: { (_) throws(DiskError) in })
    }
}

/// Writes the files of one checkpoint.
public struct CheckpointWriter: PartSink {
    private let disk: any Disk
    /// Parts that are there: their names came after their bytes, so they are whole.
    private var present: Set<String>
    /// Parts that were written here.
    private var written: [String] = []
    /// Whether the manifest may stand in its place.
    private var isNamed = false
    /// Parts written; the others were there already.
    public var writtenCount: Int { written.count }
    /// What they weigh.
    ///
    /// Unit: bytes.
    public private(set) var writtenByteCount = 0

    /// Makes the directories.
    ///
    /// - Throws: `disk`.
    public init(_ disk: any Disk) throws(CommitLogError) {
        self.disk = disk
        present = try onDisk { () throws(DiskError) in
            try disk.makeDirectory(PartReference.directory)
            try disk.makeDirectory(Manifest.directory)
            try disk.syncDirectory("")
            return Set(try disk.names(in: PartReference.directory))
        }
    }

    /// Whether a part is there: all of it, as its name came after its bytes.
    public func has(_ digest: Digest256) -> Bool { present.contains(digest.description) }

    /// Writes a part, unless it is there already.
    ///
    /// - Throws: `disk`.
    public mutating func write(
        _ part: BuiltPart,
        yielding: Yielding
    ) throws(CommitLogError) {
        guard present.insert(part.reference.digest.description).inserted else { return }
        let path = part.reference.path
        written.append(path)
        try onDisk { () throws(DiskError) in
            let file = try disk.open(path + ".new", .create)
            var end = 0
            repeat {
                if end > 0 { try yielding { () throws(DiskError) in try file.sync() } }
                let start = end
                end = min(start + Self.pieceByteCount, part.bytes.count)
                try file.write(part.bytes, start..<end, at: start)
            } while end < part.bytes.count
            try file.sync()
            try disk.rename(path + ".new", to: path)
        }
        writtenByteCount += part.bytes.count
    }

    /// What the disk takes before others may want it again.
    private static let pieceByteCount = 128 << 10

    /// Removes what was written before something failed: a disk that is full has its room back.
    public func giveUp() {
        guard !isNamed else { return }
        for path in written.flatMap({ [$0, $0 + ".new"] }) {
            do throws(DiskError) {
                try disk.remove(path)
            } catch {
                // It was not there, or goes when the next checkpoint is in place.
            }
        }
    }

    /// Puts the checkpoint in place of the one before.
    ///
    /// - Parameter manifest: Names parts that were all written.
    /// - Throws: `disk`.
    public mutating func finish(_ manifest: Manifest) throws(CommitLogError) {
        isNamed = true
        try onDisk { () throws(DiskError) in
            try disk.syncDirectory(PartReference.directory)
            try disk.replace(Manifest.path(seq: manifest.seq), with: manifest.bytes)
        }
        let older = try Checkpoint.seqs(disk).filter { $0 != manifest.seq }
        let kept = Set(manifest.parts.map(\.digest.description))
        try onDisk { () throws(DiskError) in
            for seq in older { try disk.remove(Manifest.path(seq: seq)) }
            // Only a manifest that is gone for good needs its parts no more.
            try disk.syncDirectory(Manifest.directory)
            for name in try disk.names(in: PartReference.directory) where !kept.contains(name) {
                try disk.remove(PartReference.directory + "/" + name)
            }
        }
    }
}
