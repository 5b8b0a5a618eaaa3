// The formats of the log and of checkpoints.
import HoldfastBasics
import HoldfastRecords
import HoldfastStorage

@testable import HoldfastCommitLog

/// Frames, segments, parts and manifests made of any bytes.
enum LogTargets {
    static let salt: UInt32 = 0x5A17_0000
    static let identity = Identity(
        databaseID: UniqueID(high: 0x0123_4567_89AB_7DEF, low: 0x8123_4567_89AB_CDEF),
        application: "stockroom",
        epoch: Epoch(rawValue: 0x0102_0304_0506_0708)
    )
    private static let longest = 16 << 10

    /// The mode of an input, and what it is the mode of.
    private static func split(_ input: [UInt8]) -> (mode: UInt8, bytes: [UInt8])? {
        guard let mode = input.first, input.count <= longest else { return nil }
        return (mode, Array(input.dropFirst()))
    }

    // MARK: Frames

    /// Mode: bit 0 mends lengths and checksum, bit 1 the hashes of the commit.
    static func frame(_ input: [UInt8]) throws {
        guard let (mode, rest) = split(input) else { return }
        var bytes = rest
        if mode & 2 != 0 { Mend.hashes(ofFrame: &bytes) }
        if mode & 1 != 0 { Mend.frame(&bytes, at: 0, byteCount: bytes.count, salt: salt) }
        try bytes.withView { view in
            switch FrameLayout.look(view, at: 0, salt: salt) {
            case .nothing: return
            case .mark(let mark):
                var again = ByteBuffer()
                FrameLayout.appendMark(mark, salt: salt, to: &again)
                try demand(again.view == view[0..<again.count], "a mark is written as it was read")
            case .commit(let byteCount):
                let frame = Frame(view[0..<byteCount], offset: 0)
                try encodesAgain(frame, view[0..<byteCount])
                try commit(frame)
            }
        }
    }

    private static func encodesAgain(_ frame: Frame, _ bytes: ByteView) throws {
        let effects = 0..<frame.effectCount
        var again = ByteBuffer()
        FrameLayout.append(
            seq: frame.seq,
            content: frame.content,
            effectOffsets: effects.map {
                UInt32(frame.content.count - frame.effectBytes($0).count)
            },
            previous: effects.map { frame.previous($0) },
            salt: salt,
            to: &again
        )
        try demand(again.view == bytes, "a frame is written as it was read")
    }

    /// Reads all of a commit, its effects also by the frame's table.
    private static func commit(_ frame: Frame) throws {
        for ordinal in 0..<frame.effectCount {
            _ = try taken(ContentError.self) { try touch(EffectView(frame.effectBytes(ordinal))) }
        }
        _ = try taken(ContentError.self) {
            let commit = try CommitView(frame.content)
            try commit.verify(after: .zero)
            _ = try commit.details()
            var shown = 0
            var names: [[UInt8]] = []
            try commit.forEachBlock { block, first in
                try demand(first == names.count, "effects are counted through")
                shown += 1
                try block.forEachEffect { effect in
                    touch(effect)
                    names.append(block.name.array)
                }
            }
            let whole = try commit.project { _ in true }
            if shown > 0 {
                try demand(whole == frame.content.array, "a projection of everything is the whole")
            }
            let nothing = try commit.project { _ in false }
            try nothing.withView { try CommitView($0).verify(after: .zero) }
            for (ordinal, name) in names.enumerated() {
                try demand(commit.block(of: ordinal).array == name, "an effect's block is its own")
            }
        }
    }

    /// Reads every member of an effect.
    private static func touch(_ effect: EffectView) {
        _ = (effect.label, effect.previousSeq, effect.state, effect.schema, effect.key)
        _ = (effect.created, effect.image, effect.keyChecksum)
    }

    // MARK: Segments

    /// Mode: bit 0 mends the head and every frame.
    static func segment(_ input: [UInt8]) throws {
        guard let (mode, rest) = split(input) else { return }
        var bytes = rest
        if mode & 1 != 0 { Mend.segment(&bytes, identity.databaseID) }
        var first = bytes.withView { $0.count < 48 ? 1 : $0.integer(UInt64.self, at: 40) }
        if first >= 10_000_000_000_000_000 { first = 1 }
        let disk = FuzzDisk()
        disk.put("IDENTITY", identity.bytes)
        disk.put(Segment.path(firstSeq: first), bytes)
        let report = try taken(CommitLogError.self) {
            try CommitLog.verify(disk: disk) { try commit($0) }
        }
        let salvage = try taken(CommitLogError.self) { try CommitLog.salvage(disk: disk) }
        try salvage?.forEachLaterCommit { try commit($0) }
        try opening(disk, first, report)
    }

    /// What opens holds what was seen, goes on, and opens again with what was added.
    private static func opening(_ disk: FuzzDisk, _ first: UInt64, _ report: LogReport?) throws {
        var before: [[UInt8]] = []
        let options = LogOptions(segmentByteCount: 4096, growByteCount: 512)
        let random = SeededRandom(seed: 1)
        let log: CommitLog
        do {
            log = try CommitLog.open(disk: disk, options: options, random: random) { stretch in
                try stretch.forEachCommit { frame in
                    try demand(frame.seq == first + UInt64(before.count), "commits are dense")
                    before.append(frame.content.array)
                }
            }
        } catch let error as CommitLogError {
            if case .damaged = error, let report {
                try demand(!report.damages.isEmpty, "damage is reported too: \(error)")
            }
            return
        }
        try demand(report?.damages.isEmpty == true, "what opens is whole")
        try demand(log.head + 1 == first + UInt64(before.count), "the head is the last commit")
        try backwards(log, before)
        let added: [UInt8] = [1, 2, 3]
        _ = added.withView { content in
            log.append(
                seq: log.head + 1,
                content: content,
                effectOffsets: [],
                previous: [],
                chainBefore: .zero
            )
        }
        while let batch = log.beginBatch(), let writer = log.writer {
            log.finish(try writer.write(batch))
        }
        try log.close()
        var after: [[UInt8]] = []
        let again = try CommitLog.open(disk: disk, options: options, random: random) { stretch in
            try stretch.forEachCommit { after.append($0.content.array) }
        }
        try demand(again.recovery.wasClean, "a log that was closed is clean")
        try demand(after == before + [added], "what was there and what was added is there")
        try again.close()
    }

    private static func backwards(_ log: CommitLog, _ commits: [[UInt8]]) throws {
        let reader = log.reader()
        guard var cursor = try reader.cursor(before: reader.head + 1) else { return }
        for content in commits.reversed() {
            try demand(cursor.previous()?.content.array == content, "backwards is forwards")
        }
        try demand(cursor.previous() == nil, "nothing is before the oldest")
    }

    // MARK: Checkpoints

    /// Mode: bit 0 mends the head and every frame.
    static func part(_ input: [UInt8]) throws {
        guard let (mode, rest) = split(input) else { return }
        var bytes = rest
        if mode & 1 != 0 { Mend.part(&bytes) }
        let header = try taken(CommitLogError.self) {
            try bytes.withView { try PartHeader($0, file: "part") }
        }
        guard let header else { return }
        try demand(
            header.bytes.array == Array(bytes.prefix(header.byteCount)),
            "a part's head is written as it was read"
        )
        let reference = PartReference(
            digest: bytes.withView { SHA256.digest($0) },
            byteCount: bytes.count,
            kind: header.kind,
            block: header.block,
            effectCount: header.effectCount
        )
        let manifest = Manifest(
            databaseID: identity.databaseID,
            seq: 9,
            chain: .zero,
            time: 1,
            trees: ["parts"],
            parts: [reference]
        )
        let disk = FuzzDisk()
        disk.put(manifest.path, manifest.bytes)
        disk.put(reference.path, bytes)
        let checkpoint = try taken(CommitLogError.self) { try Checkpoint.newest(on: disk) }
        guard let checkpoint = checkpoint ?? nil else { return }
        _ = try taken(CommitLogError.self) { try checkpoint.verify() }
        try read(checkpoint, header)
    }

    private static func read(_ checkpoint: Checkpoint, _ header: PartHeader) throws {
        var places: [(RecordKey, UInt64)] = []
        var isWhole = false
        _ = try taken(CommitLogError.self) {
            _ = try taken(ContentError.self) {
                try checkpoint.forEachFrame(of: PartKind.ofCommits) { _, frame in
                    for ordinal in 0..<frame.effectCount {
                        let effect = try EffectView(frame.effectBytes(ordinal))
                        touch(effect)
                        places.append((effect.key, frame.seq))
                    }
                }
                try checkpoint.forEachUsed { _, keys in
                    try demand(!keys.ids.isEmpty || !keys.revisions.isEmpty, "a frame has keys")
                    var content: [UInt8] = []
                    var encoder = UsedKeysEncoder()
                    for ids in keys.ids { encoder.add(ids) }
                    for (id, revision) in keys.revisions { encoder.add(id, revision: revision) }
                    encoder.finish { content = $0.array }
                    let again = try content.withView { try UsedKeysView($0) }
                    try demand(again.ids == keys.ids, "used keys are written as they were read")
                }
                isWhole = true
            }
        }
        // Places are asked for of a checkpoint that was read to its end alone.
        guard isWhole, header.kind != .changes else { return }
        try demand(places.count == header.effectCount, "a part holds as many effects as it says")
        for (key, seq) in places.prefix(50) {
            _ = checkpoint.location(of: key, in: Array(header.block.utf8), at: seq)
        }
    }

    /// Mode: bit 0 mends the checksum.
    static func manifest(_ input: [UInt8]) throws {
        guard let (mode, rest) = split(input) else { return }
        var bytes = rest
        if mode & 1 != 0 { Mend.manifest(&bytes) }
        let manifest = try taken(CommitLogError.self) { try Manifest(bytes, file: "manifest") }
        guard let manifest else { return }
        try demand(manifest.bytes == bytes, "a manifest is written as it was read")
    }
}
