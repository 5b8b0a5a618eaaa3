// A mirror's copy is made anew from the server's snapshot, while the present one is in use: when
// there is nothing yet, or the server's log does not reach back to it any more.
//
// Order: the parts, in `incoming`, which stays there when the process ends; manifest, log and
// identity; the directory's new name; the fact that names it; then the copy takes its place in
// memory, and the old one's directory goes. Killed anywhere, the next opening finds the old copy or
// the new one, and everything else is removed or gone on with.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

/// A new copy that waits to take its place.
struct RenewedCopy: Sendable {
    let store: Store
    let identity: PinnedIdentity
}

/// Makes the copies of one mirror anew; used on the connection's loop.
struct MirrorRenewal: Sendable {
    /// The mirror's directory.
    let path: String
    let store: Store
    let outbox: Outbox
    let trees: Set<TreeName>?

    private var incoming: String { path + "/incoming" }

    /// Whether the server's snapshot is what to go on from.
    func wants(_ server: ServerDocument) -> Bool {
        guard let snapshot = server.snapshot else { return false }
        let (mine, failure) = store.read { ($0.confirmedPosition, $0.progress.failure) }
        // What cannot be written is opened anew, by the program; a restored server waits for its
        // operator, and may have all of the copy then.
        guard failure == nil, server.healing == nil else { return false }
        // Epochs that the copy does not know, and parts from: the server was restored.
        let lineage = store.lineage
        if !lineage.agrees(with: server.lineage, upTo: mine.seq),
            lineage.first == server.lineage.first
        {
            return true
        }
        guard snapshot.seq > mine.seq else { return false }
        guard mine.seq > 0 else { return true }
        // Another history is told by the server, and is the program's to hear of.
        let epoch = server.lineage.last { $0.firstSeq <= mine.seq }?.epoch
        return epoch == mine.epoch && mine.seq < server.oldest.seq
    }

    /// Has the copy go on in the epochs of a server that has all of it.
    ///
    /// - Throws: `MirrorError` when the copy cannot be written.
    func goOn(with server: ServerDocument) throws(MirrorError) {
        // What a healing server will go on in is not known yet.
        let lineage = store.lineage
        guard server.healing == nil, server.lineage.first == lineage.first,
            server.lineage != lineage
        else { return }
        do throws(StoreError) {
            try store.goOn(in: server.lineage)
        } catch {
            throw .store(error)
        }
    }

    /// The last commit the copy has in common with a server that was restored; nil for others.
    private func fork(_ lineage: [EpochStart]) -> UInt64? {
        MirrorFork.last(of: store.lineage, upTo: store.read(\.confirmedHead), and: lineage)
    }

    /// Begins, or goes on with what an earlier process began.
    ///
    /// - Throws: `SnapshotError`, `DiskError`, `MirrorError`.
    func begin(_ server: ServerDocument) throws -> SnapshotFetch {
        guard LogStart.isLineage(server.lineage),
            server.lineage.known(upTo: server.head.seq).last?.epoch == server.head.epoch
        else { throw SnapshotError.garbled("the epochs of the server are no history") }
        let disk = try PosixDisk(incoming, create: true)
        // A copy that was begun and not named is made again; its parts stay.
        let names = try disk.names(in: "")
        for name in names where name == "IDENTITY" || name == "LOCK" { try disk.remove(name) }
        for directory in ["log", "manifest"] where names.contains(directory) {
            for name in try disk.names(in: directory) { try disk.remove(directory + "/" + name) }
        }
        let own = try PosixDisk(copyPath(pinned().copy))
        return try SnapshotFetch(server, BlockFilter(trees: trees), into: disk, beside: own)
    }

    /// Makes the copy of what was fetched, and opens it.
    ///
    /// - Throws: `SnapshotError`, `StoreError`, `DiskError`, `MirrorError`.
    func finish(_ fetch: SnapshotFetch) throws -> RenewedCopy {
        guard let manifest = fetch.manifest else {
            preconditionFailure("parts are missing still")
        }
        var pinned = try pinned()
        let server = fetch.server
        try Store.create(
            following: Identity(
                databaseID: pinned.databaseID,
                application: server.application,
                epoch: server.epoch
            ),
            trees: trees,
            from: manifest,
            lineage: server.lineage,
            base: store.endOfLog,
            &fetch.writer,
            on: fetch.disk
        )
        pinned.epoch = server.epoch
        // One that was made before may wait to take its place still.
        repeat {
            pinned.copy += 1
        } while FileManager.default.fileExists(atPath: copyPath(pinned.copy))
        let disk = try PosixDisk(path)
        try disk.rename("incoming", to: "copy.\(pinned.copy)")
        try disk.syncDirectory("")
        let copy = try Store(
            disk: fetch.disk,
            application: server.application,
            logger: Logger(level: .error)
        )
        return RenewedCopy(store: copy, identity: pinned)
    }

    /// Puts a copy in the place of the one in use; under the writer's gate.
    ///
    /// What this device did and the server was restored without is stranded first.
    ///
    /// - Returns: The last commit the server had kept of the old copy, where it was restored; nil
    ///   when it has all of it.
    /// - Throws: `MirrorError` when the outbox cannot keep which copy it is; nothing is changed
    ///   then.
    func install(_ copy: RenewedCopy) throws(MirrorError) -> UInt64? {
        let old = try pinned().copy
        let fork = fork(copy.store.lineage)
        if let fork { try strandLost(after: fork, of: copy.identity.device) }
        try outbox.setFact(MirrorDirectory.identityFact, copy.identity.json)
        store.replace(with: copy.store)
        do {
            try FileManager.default.removeItem(atPath: copyPath(old))
        } catch {
            // The next opening removes what is left of it.
        }
        return fork
    }

    private func strandLost(after seq: UInt64, of device: String) throws(MirrorError) {
        let bundles: [[Change]]
        do {
            bundles = try MirrorFork.lostChanges(
                after: seq,
                of: device,
                besides: Set(outbox.pending.map(\.id)),
                in: store
            )
        } catch let error as CommitLogError {
            throw .store(.log(error))
        } catch {
            throw .poisoned("what was written after the server's backup cannot be read: \(error)")
        }
        try outbox.strandLost(bundles)
    }

    private func pinned() throws(MirrorError) -> PinnedIdentity {
        let name = MirrorDirectory.identityFact
        guard let fact = outbox.fact(name) else {
            preconditionFailure("a mirror that is open is pinned")
        }
        do {
            return try fact.withView { try PinnedIdentity($0) }
        } catch {
            throw .unreadable(tree: "facts", key: name, what: "\(error)")
        }
    }

    private func copyPath(_ number: UInt64) -> String { path + "/copy.\(number)" }
}
