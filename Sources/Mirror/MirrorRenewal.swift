// A mirror's copy is made anew while the present one is in use: from the server's snapshot, when
// there is nothing yet or the server's log does not reach back to it any more; of fewer trees, from
// the present one; of more trees, from the server's snapshot and log (`CopyFilling`).
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
    /// Whether it lacks trees that the one in use has.
    var isReduced = false
}

/// Makes the copies of one mirror anew; used on the connection's loop.
struct MirrorRenewal: Sendable {
    /// The mirror's directory.
    let path: String
    let store: Store
    let outbox: Outbox
    /// Who the mirror is.
    let identity: MirrorIdentity
    /// The trees that are to be copied as far as they may be read; nil for all.
    let wanted: Set<TreeName>?

    /// The trees of the present copy; nil for all.
    var copied: Set<TreeName>? { store.copiedTrees }

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

    private func check(_ lineage: [EpochStart], of server: ServerDocument) throws(SnapshotError) {
        guard LogStart.isLineage(lineage),
            lineage.known(upTo: server.head.seq).last?.epoch == server.head.epoch
        else { throw .garbled("the epochs of the server are no history") }
    }

    /// Begins, or goes on with what an earlier process began.
    ///
    /// - Parameters:
    ///   - server: What it says of itself.
    ///   - trees: The trees of the new copy; nil for all.
    /// - Returns: What fetches the snapshot.
    /// - Throws: `SnapshotError`, `DiskError`, `MirrorError`.
    func begin(
        _ server: ServerDocument,
        copying trees: Set<TreeName>?
    ) throws -> SnapshotFetch {
        try check(server.lineage, of: server)
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
            trees: fetch.trees,
            from: manifest,
            lineage: server.lineage,
            base: store.endOfLog,
            &fetch.writer,
            on: fetch.disk
        )
        try name(&pinned, server.epoch, copying: fetch.trees)
        let disk = try PosixDisk(path)
        try disk.rename("incoming", to: "copy.\(pinned.copy)")
        try disk.syncDirectory("")
        return try open(fetch.disk, pinned)
    }

    /// Numbers the next copy: one that was made before may wait to take its place still.
    private func name(
        _ pinned: inout PinnedIdentity,
        _ epoch: Epoch,
        copying trees: Set<TreeName>?
    ) throws {
        (pinned.epoch, pinned.trees, pinned.wanted) = (epoch, trees, wanted)
        repeat {
            pinned.copy += 1
        } while FileManager.default.fileExists(atPath: copyPath(pinned.copy))
    }

    private func open(_ disk: any Disk, _ identity: PinnedIdentity) throws -> RenewedCopy {
        let copy = try Store(
            disk: disk,
            application: store.identity.application,
            logger: Logger(level: .error)
        )
        return RenewedCopy(store: copy, identity: identity)
    }

    // MARK: Other trees

    /// Makes a copy without what is not to be here any more: of the present copy alone.
    ///
    /// - Parameter trees: The trees that are to be there; nil for all.
    /// - Returns: Nil when the present copy has nothing else.
    /// - Throws: `StoreError`, `DiskError`, `MirrorError`.
    func reduced(to trees: Set<TreeName>?) throws -> RenewedCopy? {
        guard let trees else { return nil }
        let kept = copied?.intersection(trees) ?? trees
        guard kept != copied else { return nil }
        // What was fetched before may be of the others.
        try remove(incoming)
        guard kept.isEmpty else {
            var pinned = try pinned()
            try name(&pinned, pinned.epoch, copying: kept)
            let disk = try PosixDisk(copyPath(pinned.copy), create: true)
            try store.copy(kept, to: disk)
            var copy = try open(disk, pinned)
            copy.isReduced = true
            return copy
        }
        // Empty, it is a copy of any trees. One that is empty already stays.
        guard !trees.isEmpty || store.read(\.confirmedHead) > 0 else { return nil }
        var copy = try empty(store.lineage, copying: trees.isEmpty ? wanted : trees)
        copy.isReduced = true
        return copy
    }

    /// Begins a copy that is to be filled from the server's log.
    ///
    /// - Parameters:
    ///   - server: What it says of itself.
    ///   - trees: The trees of the copy; nil for all.
    /// - Returns: The copy, which has no commit.
    /// - Throws: `SnapshotError`, `StoreError`, `DiskError`, `MirrorError`.
    func beginEmpty(
        _ server: ServerDocument,
        copying trees: Set<TreeName>?
    ) throws -> RenewedCopy {
        try check(server.lineage, of: server)
        return try empty(server.lineage, copying: trees)
    }

    private func empty(
        _ lineage: [EpochStart],
        copying trees: Set<TreeName>?
    ) throws -> RenewedCopy {
        var pinned = try pinned()
        try name(&pinned, lineage.last?.epoch ?? pinned.epoch, copying: trees)
        let disk = try PosixDisk(copyPath(pinned.copy), create: true)
        try Store.create(
            following: Identity(
                databaseID: pinned.databaseID,
                application: store.identity.application,
                epoch: pinned.epoch
            ),
            trees: trees,
            lineage: lineage,
            base: store.endOfLog,
            on: disk
        )
        return try open(disk, pinned)
    }

    /// Removes a copy that is not to take its place any more.
    func discard(_ copy: RenewedCopy) throws { try remove(copyPath(copy.identity.copy)) }

    private func remove(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        try FileManager.default.removeItem(atPath: path)
    }

    // MARK: Taking its place

    /// Puts a copy in the place of the one in use; under the writer's gate.
    ///
    /// What this device did and the server was restored without is stranded first.
    ///
    /// - Returns: The last commit of the old copy that the new one has, or that a server which was
    ///   restored has; nil when that is all of it.
    /// - Throws: `MirrorError` when the outbox cannot keep which copy it is; nothing is changed
    ///   then.
    func install(_ copy: RenewedCopy) throws(MirrorError) -> UInt64? {
        let old = try pinned().copy
        let fork = fork(copy.store.lineage)
        if let fork { try strandLost(after: fork, of: copy.identity.device) }
        try outbox.setFact(MirrorDirectory.identityFact, copy.identity.json)
        let (before, after) = (store.read(\.confirmedHead), copy.store.read(\.confirmedHead))
        store.replace(with: copy.store)
        do {
            try FileManager.default.removeItem(atPath: copyPath(old))
        } catch {
            // The next opening removes what is left of it.
        }
        return fork ?? (after < before ? after : nil)
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
