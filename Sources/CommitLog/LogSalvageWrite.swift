// Making a database of the commits before the first damage: the second half of `holdfast salvage`.
//
// Segments are copied byte for byte as far as they are whole: frames, salts and logical offsets
// stay, so every place a frame tells stays right. Where commits are lost the numbers go on under a
// new epoch, as after a tail that was exposed and lost (LogRestart): whoever saw a lost commit must
// notice. Then it is marked for healing: a mirror may have the lost commits, and ids they gave out
// are given to nobody. IDENTITY comes last: until it stands, the directory holds no database.
public import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

extension LogSalvage {
    /// Makes a database of what is kept, synced when this returns.
    ///
    /// It has the id, application and commits of the old one. When there is damage it begins a new
    /// epoch after the last of them and waits to be healed; when there is none it is in the same,
    /// and waits if the old one did.
    ///
    /// - Parameters:
    ///   - disk: An empty directory; files that are not the log's are left alone.
    ///   - options: Length of the segment a new epoch begins with.
    ///   - random: Gives the new epoch, and its segment's salt.
    /// - Returns: The epoch it is in.
    /// - Throws: `alreadyPresent` when a database, or part of one, is there; `inUse`, `disk`. What
    ///   was written by then is no database.
    public func write(
        to disk: any Disk,
        options: LogOptions = LogOptions(),
        random: any RandomSource
    ) throws(CommitLogError) -> Epoch {
        precondition(role == .authority, "a mirror is connected anew")
        let lock = try onDisk { () throws(DiskError) in
            try disk.lock(CommitLog.lockPath)
        }
        defer { lock.release() }
        guard try !CommitLog.isPresent(disk: disk) else { throw .alreadyPresent }
        if let mark { try Healing.mark(mark.word, mark.position, on: disk) }
        try onDisk { () throws(DiskError) in try disk.makeDirectory(Segment.directory) }
        let names = try onDisk { () throws(DiskError) in try disk.names(in: Segment.directory) }
        guard names.isEmpty else { throw .alreadyPresent }
        for segment in kept { try copy(segment, to: disk) }
        if keepsCheckpoint { try checkpoint?.copy(to: disk) }
        var opening = LogOpening(identity: identity, lock: nil)
        opening.head = keptHead
        opening.lineage = kept.last?.header.lineage ?? lineageBeforeFirst
        if !damages.isEmpty {
            opening.segments = [last]
            opening.end = last.base + UInt64(last.end)
            CommitLog.appendEpoch(random, &opening)
            try CommitLog.beginSegment(
                disk,
                options,
                random,
                &opening,
                after: keptChain,
                isLoose: false
            )
        }
        let made = Identity(
            databaseID: identity.databaseID,
            application: identity.application,
            epoch: opening.lineage.last?.epoch ?? identity.epoch
        )
        try onDisk { () throws(DiskError) in
            try disk.syncDirectory(Segment.directory)
            try disk.syncDirectory("")
            try disk.replace(Identity.path, with: made.bytes)
        }
        return made.epoch
    }

    /// How the database is marked for healing; nil when it lacks nothing.
    private var mark: (word: String, position: Position)? {
        let lineage = kept.last?.header.lineage ?? lineageBeforeFirst
        let epoch = lineage.known(upTo: keptHead).last?.epoch ?? identity.epoch
        let position = Position(epoch: epoch, seq: keptHead)
        if !damages.isEmpty { return ("salvaged", position) }
        return healing.map { ("restored", $0.made ?? position) }
    }

    private func copy(_ segment: Kept, to disk: any Disk) throws(CommitLogError) {
        try onDisk { () throws(DiskError) in
            let file = try disk.open(Segment.sparePath, .create)
            try file.write(segment.piece.bytes[0..<segment.end], at: 0)
            try file.sync()
            try disk.rename(Segment.sparePath, to: segment.piece.path)
        }
    }

    /// The epochs of a log of which no commit is kept.
    private var lineageBeforeFirst: [EpochStart] {
        let known = lineage.filter { $0.firstSeq <= 1 }
        return known.isEmpty ? [EpochStart(epoch: identity.epoch, firstSeq: 1)] : known
    }

    /// The segment that the new epoch's follows: an empty one when nothing is kept, which it
    /// replaces.
    private var last: Segment {
        let header = kept.last?.header
        let firstSeq = header?.firstSeq ?? 1
        return Segment(
            firstSeq: firstSeq,
            base: header?.base ?? 0,
            salt: header?.salt ?? 0,
            headerByteCount: header?.byteCount ?? 0,
            capacity: kept.last?.end ?? 0,
            end: kept.last?.end ?? 0,
            index: SeqIndex(firstSeq: firstSeq),
            map: nil
        )
    }
}
