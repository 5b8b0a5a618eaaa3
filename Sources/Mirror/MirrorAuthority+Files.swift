// The files of a mirror: attached here and brought to the server, or fetched from it.
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastRecords
internal import HoldfastStore

extension MirrorAuthority {
    private func contents() throws(DatabaseError) -> MirrorFiles {
        try checkOpen()
        guard let files = state.withLock(\.files) else { throw .closed }
        return files
    }

    func files() throws(DatabaseError) -> FileStore { try contents().files }

    func fetch(_ digest: Digest256) async throws(DatabaseError) {
        try await contents().fetch(digest)
    }

    func used(_ digest: Digest256) { state.withLock(\.files)?.use(digest) }

    func keep(_ upload: FileUpload, as file: FileRecord) async throws(DatabaseError) {
        let contents = try contents()
        let staged = StagedFile(size: file.size, type: file.type, name: file.name, at: file.at)
        let outbox = outbox
        try await Worker.run {
            Result { () throws(DatabaseError) in
                try Self.place(upload, file.digest, staged, in: contents.files, outbox)
            }
        }.get()
        contents.came(file.digest)
        act { $0.attached(file.digest) }
    }

    /// Puts a content in its place and notes that it is to be brought to the server.
    private static func place(
        _ upload: FileUpload,
        _ digest: Digest256,
        _ staged: StagedFile,
        in files: FileStore,
        _ outbox: Outbox
    ) throws(DatabaseError) {
        var failure: MirrorError?
        do throws(FileError) {
            do throws(FileError) {
                try files.place(upload, digest) {
                    do throws(MirrorError) {
                        try outbox.stage(digest, staged)
                    } catch {
                        failure = error
                    }
                    return failure == nil
                }
            } catch {
                try files.giveUp(upload)
                throw error
            }
        } catch {
            throw DatabaseError(error)
        }
        if let failure { throw error(failure) }
    }

    /// Has a file brought to the server, unless it is under way.
    func upload(_ digest: Digest256, _ file: StagedFile) {
        state.withLock(\.files)?.send(digest, file) { [weak self] outcome in
            self?.wake { $0.inbox.add(.sent(digest, outcome)) }
        }
    }

    /// Takes what came of an upload; under the gate.
    func sent(_ digest: Digest256, _ outcome: FileOutcome) throws(MirrorError) {
        act(
            try core.withLock { (core) throws(MirrorError) in
                switch outcome {
                case .done: return try core.uploaded(digest)
                case .refused(let refusal): return try core.uploadRefused(digest, refusal)
                // The disk here; the next connection tries again.
                case .failed: return []
                }
            }
        )
    }
}
