// The steps of a write, under the store's lock.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

/// The encoder and its buffers, kept from commit to commit.
final class EncoderBox {
    var encoder = CommitEncoder()
    var buffer = ByteBuffer(capacity: 64 << 10)
    var previous: [Location] = []
}

extension Store.Core {
    /// Why no write is taken; nil when they are.
    var writeRefusal: Refusal? {
        if overlay != nil {
            return Refusal(
                .readOnly,
                "This is a mirror. Propose the change to the server it follows."
            )
        }
        if failure != nil {
            return Refusal(
                .readOnly,
                "A write to the disk failed. Reads go on; restart the server to write again."
            )
        }
        if healing != nil {
            return Refusal(
                .healing,
                "The database was restored from a backup and takes no writes yet. Its operator "
                    + "says by `holdfast heal` what becomes of the commits that came after it."
            )
        }
        if log.isShared, log.writer == nil, !log.isPoisoned {
            return Refusal(.busy, "Others share the database; begin to write before changing it.")
        }
        if log.writer == nil {
            return Refusal(
                .readOnly,
                "The database is open for reading alone; open it for writing to change it."
            )
        }
        if !log.takesCommits { return Refusal(.readOnly, "The database is closed.") }
        if isFull {
            return Refusal(.full, "The disk is full. Reads go on; make room to write again.")
        }
        return nil
    }

    /// Encodes a decided commit, and finds the version before each of its effects.
    ///
    /// - Returns: Holds both until the next commit is encoded.
    func encode(_ commit: Commit) -> EncoderBox {
        let box = encoder
        box.buffer.removeAll()
        box.previous.removeAll(keepingCapacity: true)
        _ = box.encoder.encode(commit, after: state.chain, into: &box.buffer)
        for block in commit.blocks {
            guard let tree = state.tree(block.name.tree) else {
                box.previous.append(contentsOf: block.effects.map { _ in .none })
                continue
            }
            let effects = block.effects.span
            for index in effects.indices {
                // Without a version before it, its key has no place in the index.
                let isFirst = effects[index].previousSeq == 0
                let place = isFirst ? nil : state.location(tree, effects[index].key)
                box.previous.append(place ?? .none)
            }
        }
        return box
    }

    /// Logs a decided commit in memory and folds it into the state.
    func append(_ commit: Commit) {
        let box = encode(commit)
        // Parts come and go, seqs stay.
        for index in box.previous.indices where box.previous[index].isInPart {
            box.previous[index] = .bySeq
        }
        let offset = log.append(
            seq: commit.seq,
            content: box.buffer.view,
            effectOffsets: box.encoder.effectOffsets,
            previous: box.previous,
            chainBefore: state.chain
        )
        do {
            let view = try CommitView(box.buffer.view)
            try state.apply(view, at: offset, undoable: true)
            if !consumers.isEmpty { tell(view.touched) }
        } catch {
            preconditionFailure("decide made a commit that cannot be applied: \(error)")
        }
        box.buffer.shrinkIfEmpty(above: 1 << 20)
    }

    /// After a failed write or sync: back to what is durable, and no more writes.
    func poison(_ reason: String) {
        lostUpTo = confirmedHead
        var touched = Touched.Gathering()
        takeOverlayOff(&touched)
        rollBack(to: log.durable, &touched)
        log.discard()
        failure = reason
        putOverlayOn(&touched)
        tell(touched.all)
    }
}
