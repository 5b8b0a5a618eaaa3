// A mirror's store: it holds the commits of an authority, and shows its own pending changes above
// them.
//
// Invariants:
// - the log holds what the authority sent, verified against the chain, and nothing else; of chosen
//   trees no more than those, whatever it sent;
// - whatever does not verify changes nothing;
// - one call is one step of the state: nobody sees half of it, and consumers are told once.
public import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastEngine
public import HoldfastRecords
public import HoldfastStorage

/// What commits of the authority led to.
public struct Ingestion: Sendable {
    /// The last commit that is here.
    public let head: Position
    /// Pending changes that are the authority's commits now.
    public let settled: [PendingStatus]
}

extension Store {
    /// Makes a mirror's empty copy of a database in an empty directory.
    ///
    /// - Parameters:
    ///   - identity: The database that is followed, in the epoch it is in.
    ///   - trees: The trees that are copied; nil for all.
    ///   - lineage: The epochs of the database up to the identity's; nil when that is the first.
    ///   - base: Logical offset of the log's first byte; `endOfLog` of a copy it is to replace.
    ///   - disk: The directory.
    ///   - options: How its log is laid out.
    ///   - random: Gives salts.
    /// - Throws: `log`.
    public static func create(
        following identity: Identity,
        trees: Set<TreeName>? = nil,
        lineage: [EpochStart]? = nil,
        base: UInt64 = 0,
        on disk: any Disk,
        options: LogOptions = LogOptions(),
        random: any RandomSource = SystemRandom()
    ) throws(StoreError) {
        do throws(CommitLogError) {
            try CommitLog.create(
                disk: disk,
                identity: identity,
                role: .mirror(trees: trees),
                after: lineage.map { LogStart(lineage: $0, seq: 0, chain: .zero, base: base) },
                options: options,
                random: random
            )
        } catch {
            throw .log(error)
        }
    }

    /// Whether it follows an authority, and which trees it copies.
    public var role: LogRole { core.withLock(\.log.role) }

    /// The trees a mirror's copy has, be they declared yet or not; nil for all.
    public var copiedTrees: Set<TreeName>? {
        if case .mirror(let trees) = role { trees } else { nil }
    }

    /// Takes commits of the authority: verifies, logs and applies them, and judges the pending
    /// changes anew.
    ///
    /// - Parameter contents: Contents of commits, dense and ascending; those that are here already
    ///   are compared by their chain and skipped.
    /// - Returns: How far it is now, and what has been settled.
    /// - Throws: `gap`, `diverged`, `otherEpoch`, `badContent`, `unfoldable`, `readOnly`; nothing
    ///   of all the contents is taken then.
    public func ingest(_ contents: [[UInt8]]) throws(StoreError) -> Ingestion {
        try mutate { (core) throws(StoreError) in
            precondition(core.overlay != nil, "only a mirror takes commits of an authority")
            if let why = core.ingestionRefusal { throw .readOnly(why) }
            let accepted = try core.checkContents(contents)
            guard !accepted.isEmpty else {
                return Ingestion(head: core.state.position(of: core.confirmedHead), settled: [])
            }
            var touched = Touched.Gathering()
            core.takeOverlayOff(&touched)
            for one in accepted { core.take(one, &touched) }
            let head = core.state.position
            let settled = core.putOverlayOn(&touched)
            core.tell(touched.all)
            return Ingestion(head: head, settled: settled)
        }
    }

    /// Decides what a change would lead to, as far as a mirror can tell.
    ///
    /// - Parameters:
    ///   - change: What is proposed.
    ///   - caller: Who proposes it.
    /// - Returns: The authority's answer if nobody else's change comes before; `undetermined` when
    ///   that cannot be seen from here.
    public func preview(_ change: Change, by caller: Caller) -> Decision {
        core.withLock { $0.preview(change, by: caller) }
    }

    /// Adds a change that the outbox holds durably to what is shown.
    ///
    /// - Parameter pending: The change, later than all that are shown; one that pends already is
    ///   left as it is.
    /// - Returns: How it is shown; a settled one is not kept.
    @discardableResult
    public func show(_ pending: PendingChange) -> PendingShowing {
        mutate { core in
            precondition(core.overlay != nil, "only a mirror shows pending changes")
            let id = pending.change.id
            if let overlay = core.overlay, overlay.ids.contains(id),
                let known = overlay.entries.first(where: { $0.pending.change.id == id })
            {
                return known.showing
            }
            var touched = Touched.Gathering()
            let showing = core.judge(pending, &touched)
            core.tell(touched.all)
            return showing
        }
    }

    /// Takes pending changes out of what is shown and judges the others anew.
    ///
    /// - Parameter ids: Changes that were refused, dropped or answered without a commit; unknown
    ///   ones are passed over.
    public func withdraw(_ ids: Set<UniqueID>) {
        mutate { core in
            guard let overlay = core.overlay, !overlay.ids.isDisjoint(with: ids) else { return }
            var touched = Touched.Gathering()
            core.takeOut(ids, &touched)
            core.tell(touched.all)
        }
    }

    /// The pending changes, in order, and how each is shown.
    public var pending: [PendingStatus] {
        core.withLock { core in
            (core.overlay?.entries ?? []).map { entry in
                PendingStatus(id: entry.pending.change.id, showing: entry.showing)
            }
        }
    }
}

extension Store {
    /// Goes on in the epochs of the authority, where the commits that are here have the same ones
    /// there.
    ///
    /// Durable when it returns.
    ///
    /// - Parameter lineage: The epochs of the authority.
    /// - Returns: False when they part before the last commit that is here, or the epochs are those
    ///   of no log: nothing is changed.
    /// - Throws: `readOnly` when nothing can be written.
    @discardableResult
    public func goOn(in lineage: [EpochStart]) throws(StoreError) -> Bool {
        try alone { () throws(StoreError) in
            syncAll()
            let isTaken = try mutate { (core) throws(StoreError) -> Bool in
                precondition(core.overlay != nil, "only a mirror follows an authority's epochs")
                guard LogStart.isLineage(lineage),
                    lineage.agrees(with: core.log.lineage, upTo: core.confirmedHead)
                else { return false }
                guard lineage != core.log.lineage else { return true }
                if let why = core.ingestionRefusal { throw .readOnly(why) }
                var touched = Touched.Gathering()
                core.takeOverlayOff(&touched)
                core.goOn(in: lineage)
                core.putOverlayOn(&touched)
                core.tell(touched.all)
                return true
            }
            syncAll()
            if let failure = core.withLock(\.failure) { throw .readOnly(failure) }
            return isTaken
        }
    }
}

/// A content that may be taken.
struct CheckedContent {
    let seq: UInt64
    let bytes: [UInt8]
    let effectOffsets: [UInt32]
}

extension Store.Core {
    /// Goes on in other epochs from the next commit on, in log and state.
    ///
    /// Every batch is finished, and nothing pends.
    func goOn(in lineage: [EpochStart]) {
        log.goOn(in: lineage, after: state.chain)
        state.goOn(in: lineage)
    }

    /// Why no commit is taken; nil when they are.
    var ingestionRefusal: String? {
        if failure != nil { return "A write to the disk failed; open the mirror anew." }
        if log.writer == nil { return "The mirror is open for reading alone." }
        if !log.takesCommits { return "The mirror is closed." }
        return isFull ? "The disk is full; make room." : nil
    }

    /// Checks contents against the chain and the state, without changing either.
    func checkContents(_ contents: [[UInt8]]) throws(StoreError) -> [CheckedContent] {
        var accepted: [CheckedContent] = []
        var declared = PendingDeclarations()
        var (head, chain) = (confirmedHead, confirmedChain)
        for bytes in contents {
            let checked: Result<CheckedContent?, StoreError> = bytes.withView { view in
                do throws(StoreError) {
                    let commit = try Self.commit(view, after: head)
                    guard commit.seq > head else {
                        guard reader.chain(atSeq: commit.seq) == commit.chain else {
                            throw .diverged(seq: commit.seq)
                        }
                        return .success(nil)
                    }
                    return .success(try check(commit, after: head, chain, &declared))
                } catch {
                    return .failure(error)
                }
            }
            guard let one = try checked.get() else { continue }
            accepted.append(one)
            head = one.seq
            chain = one.bytes.withView { Self.chain(of: $0) }
        }
        return accepted
    }

    private static func commit(
        _ view: ByteView,
        after head: UInt64
    ) throws(StoreError) -> CommitView {
        do throws(ContentError) {
            return try CommitView(view)
        } catch {
            throw .badContent(seq: head + 1, error)
        }
    }

    private static func chain(of view: ByteView) -> Hash128 {
        do throws(ContentError) {
            return try CommitView(view).chain
        } catch {
            preconditionFailure("a commit that was checked cannot be read: \(error)")
        }
    }

    private func check(
        _ commit: CommitView,
        after head: UInt64,
        _ chain: Hash128,
        _ declared: inout PendingDeclarations
    ) throws(StoreError) -> CheckedContent {
        guard commit.seq == head + 1 else { throw .gap(expected: head + 1, found: commit.seq) }
        let epoch = Int(commit.epochIndex)
        guard epoch < state.lineage.count,
            state.lineage[epoch].epoch == state.position(of: commit.seq).epoch
        else { throw .otherEpoch(seq: commit.seq) }
        guard commit.bytes.count <= Limits.commitByteCountMax else {
            throw .badContent(seq: commit.seq, .malformed(offset: 0, what: "it is too long"))
        }
        do {
            try commit.verify(after: chain)
            // An authority holds everything.
            if overlay == nil { try commit.checkWhole() }
            let bytes = try kept(of: commit)
            let offsets = try bytes.withView { bytes in
                try state.checkFoldable(try CommitView(bytes), &declared)
            }
            return CheckedContent(seq: commit.seq, bytes: bytes, effectOffsets: offsets)
        } catch let error as ContentError {
            throw .badContent(seq: commit.seq, error)
        } catch let error as ApplyError {
            throw .unfoldable(seq: commit.seq, error)
        } catch {
            preconditionFailure("checking throws nothing else: \(error)")
        }
    }

    /// What is kept of a commit: on a mirror of chosen trees no more than those, whatever came.
    private func kept(of commit: CommitView) throws -> [UInt8] {
        guard let filter = overlay?.filter, filter.trees != nil else { return commit.bytes.array }
        return try commit.project(permitting: filter.permits)
    }

    /// Logs and applies a commit of the authority.
    func take(_ content: CheckedContent, _ touched: inout Touched.Gathering) {
        content.bytes.withView { bytes in
            do {
                let commit = try CommitView(bytes)
                let offset = log.append(
                    seq: content.seq,
                    content: bytes,
                    effectOffsets: content.effectOffsets,
                    previous: try previous(of: commit),
                    chainBefore: state.chain
                )
                try state.apply(commit, at: offset, undoable: true)
                if !consumers.isEmpty { touched.add(commit) }
            } catch {
                preconditionFailure("a commit that was checked cannot be applied: \(error)")
            }
        }
    }

    private func previous(of commit: CommitView) throws -> [Location] {
        var previous: [Location] = []
        try commit.forEachBlock { block, _ in
            let end = block.name.firstIndex(of: UInt8(ascii: "/")) ?? block.name.count
            let tree = TreeName(any: block.name[0..<end].text).flatMap { state.tree($0) }
            try block.forEachEffect { effect in
                let place = tree.flatMap { state.location($0, effect.key) } ?? .none
                // Parts come and go, seqs stay.
                previous.append(place.isInPart ? .bySeq : place)
            }
        }
        return previous
    }
}
