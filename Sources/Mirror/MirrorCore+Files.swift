// Files that were attached here: they are brought to the server before what names them.
internal import HoldfastBasics
internal import HoldfastRecords

extension MirrorCore {
    /// What was attached and the server has not taken, as far as is known here.
    func uploads() -> [MirrorAction] {
        guard phase == .open else { return [] }
        return outbox.stagedFiles.filter { !$0.value.isUploaded }
            .sorted { ($0.value.at, $0.key.description) < ($1.value.at, $1.key.description) }
            .map { .upload($0.key, $0.value) }
    }

    /// Whether a change names a file that has to be brought to the server first.
    func waitsForFiles(_ change: Change) -> Bool {
        let staged = outbox.stagedFiles
        guard !staged.isEmpty else { return false }
        return change.files.contains { staged[$0]?.isUploaded == false }
    }

    /// The server has taken a file.
    ///
    /// - Throws: `MirrorError` when the outbox cannot be written.
    func uploaded(_ digest: Digest256) throws(MirrorError) -> [MirrorAction] {
        guard var file = outbox.stagedFiles[digest] else { return [] }
        file.isUploaded = true
        try outbox.stage(digest, file)
        return sendMore()
    }

    /// The server will not have a file: the changes that name it are set aside.
    ///
    /// - Throws: `MirrorError` when the outbox cannot be written.
    func uploadRefused(
        _ digest: Digest256,
        _ refusal: Refusal
    ) throws(MirrorError) -> [MirrorAction] {
        defer { takeOut() }
        var actions: [MirrorAction] = []
        for change in outbox.pending where change.files.contains(digest) {
            // One that built on another left with it.
            guard outbox.pendingChange(change.id) != nil else { continue }
            actions += try strand(change.id, refusal)
        }
        try outbox.unstage([digest])
        refusedFiles[digest] = refusal
        return actions + sendMore()
    }

    /// The server lacks files it had: they are brought there again, once for each change.
    ///
    /// - Parameter id: A change that names files.
    /// - Returns: Whether another attempt makes sense.
    /// - Throws: `MirrorError` when the outbox cannot be written.
    func stageAnew(filesOf id: UniqueID) throws(MirrorError) -> Bool {
        guard resentFor.insert(id).inserted else { return false }
        let staged = outbox.stagedFiles
        var isWorthIt = false
        for digest in outbox.pendingChange(id)?.files ?? [] {
            guard var file = staged[digest] else { continue }
            file.isUploaded = false
            try outbox.stage(digest, file)
            isWorthIt = true
        }
        return isWorthIt
    }

    /// Why a change cannot be made: the server will not have a file it names.
    func refusalOfFiles(_ change: Change) -> Refusal? {
        guard !refusedFiles.isEmpty else { return nil }
        return change.files.lazy.compactMap { self.refusedFiles[$0] }.first
    }

    /// A file was attached, maybe not for the first time: the server is asked, again.
    func attached(_ digest: Digest256) -> [MirrorAction] {
        refusedFiles[digest] = nil
        return uploads()
    }
}
