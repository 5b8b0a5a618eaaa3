// The last whole version of every record that commits behind a damage touched, as NDJSON.
//
// The commits are read twice, first to learn which version is the last, then to write it: values
// are never held in memory.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastWire

/// Writes `salvaged.ndjson`.
enum SalvagedRecords {
    static let name = "salvaged.ndjson"

    private struct Key: Hashable {
        let block: String
        let record: RecordKey
    }

    private static let flushByteCount = 1 << 20

    /// Writes and syncs the file; makes none when there is nothing to write.
    ///
    /// Returns how many records it holds. Throws `DiskError` and `ContentError`.
    static func write(of salvage: LogSalvage, to disk: any Disk) throws -> Int {
        var last: [Key: UInt64] = [:]
        try forEachEffect(salvage) { effect, block, commit in
            last[Key(block: block, record: effect.key)] = commit.seq
        }
        guard !last.isEmpty else { return 0 }
        let temporary = name + ".new"
        let file = try disk.open(temporary, .create)
        var progress = Progress("records written")
        var end = 0
        var buffer = ByteBuffer(capacity: 4096)
        func flush() throws(DiskError) {
            try file.write(buffer.view, at: end)
            end += buffer.count
            buffer.removeAll()
        }
        try forEachEffect(salvage) { effect, block, commit in
            guard last[Key(block: block, record: effect.key)] == commit.seq else { return }
            guard let tree = BlockName(block)?.tree else {
                throw ContentError.malformed(offset: 0, what: "commit \(commit.seq) has no tree")
            }
            let facts = RecordFacts(
                tree: tree,
                version: Position(epoch: salvage.epoch(atIndex: commit.epochIndex), seq: commit.seq)
            )
            if effect.isSet {
                Envelope.append(effect, of: commit, facts, to: &buffer)
            } else {
                Envelope.appendRemoval(effect, of: commit, facts, to: &buffer)
            }
            buffer.append("\n")
            if buffer.count >= flushByteCount { try flush() }
            progress.step()
        }
        try flush()
        try file.sync()
        try disk.rename(temporary, to: name)
        try disk.syncDirectory("")
        return last.count
    }

    private static func forEachEffect(
        _ salvage: LogSalvage,
        _ body: (EffectView, String, CommitView) throws -> Void
    ) throws {
        try salvage.forEachLaterCommit { frame in
            let commit = try CommitView(frame.content)
            try commit.forEachBlock { block, _ in
                let name = block.name.text
                try block.forEachEffect { effect in try body(effect, name, commit) }
            }
        }
    }
}
