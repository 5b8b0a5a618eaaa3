// Files from one place to another, for backups: each once, hashed on its way.
public import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

extension FileStore {
    /// Takes a file's bytes from somewhere else, unless it is here; the caller is alone with it.
    ///
    /// - Parameters:
    ///   - digest: Which one.
    ///   - next: Gives the bytes from an offset on; none at the end.
    /// - Returns: How many bytes were written.
    /// - Throws: `disk`; `digest` when the bytes are not those of their name; what `next` throws.
    public func take(
        _ digest: Digest256,
        _ next: (Int) throws -> [UInt8]
    ) throws -> Int {
        if try open(digest) != nil { return 0 }
        let turn = try begin(nil, at: nil, now: 0)
        do {
            while true {
                let bytes = try next(turn.upload.byteCount)
                if bytes.isEmpty { break }
                try turn.append(bytes)
            }
            try finish(turn, as: digest)
        } catch {
            try giveUp(turn.upload)
            throw error
        }
        return turn.upload.byteCount
    }

    /// Ends an upload whose digest is known ahead, and puts it in place.
    ///
    /// - Parameters:
    ///   - turn: All bytes have come.
    ///   - digest: What they must be.
    /// - Throws: `disk`, `superseded`; `digest` when the bytes are others, and stay where they are.
    public func finish(_ turn: UploadTurn, as digest: Digest256) throws(FileError) {
        let found = try turn.finish()
        guard found == digest else { throw FileError.digest(found) }
        try place(turn.upload, digest) { true }
    }

    /// Copies files from another directory, those that are not here.
    ///
    /// - Parameters:
    ///   - digests: Which ones; those that are not there either are passed over.
    ///   - source: Where they are.
    ///   - visit: Is told after each file how many bytes were written.
    /// - Throws: `disk`; `damaged` for bytes that are not those of their name.
    public func copy(
        _ digests: [Digest256],
        from source: FileStore,
        visit: (Int) -> Void = { _ in }
    ) throws(CommitLogError) {
        for digest in digests {
            do {
                guard let file = try source.open(digest) else { continue }
                visit(try take(digest) { try file.read(Limits.fileBlockByteCount, at: $0) })
            } catch let error as FileError {
                throw error.ofLog(digest)
            } catch let error as DiskError {
                throw .disk(error)
            } catch {
                preconditionFailure("copying throws nothing else: \(error)")
            }
        }
    }

    /// Reads a file's bytes.
    ///
    /// - Returns: How many there are; nil when it is not here.
    /// - Throws: `disk`; `damaged` when they are not those of their name.
    public func verify(_ digest: Digest256) throws(CommitLogError) -> Int? {
        var hasher = SHA256()
        var count = 0
        do throws(DiskError) {
            guard let file = try open(digest) else { return nil }
            while true {
                let bytes = try file.read(Limits.fileBlockByteCount, at: count)
                if bytes.isEmpty { break }
                bytes.withView { hasher.update($0) }
                count += bytes.count
            }
        } catch {
            throw .disk(error)
        }
        let found = hasher.finish()
        guard found == digest else { throw FileError.digest(found).ofLog(digest) }
        return count
    }
}

extension FileError {
    /// The same, of a file that was there before.
    fileprivate func ofLog(_ digest: Digest256) -> CommitLogError {
        switch self {
        case .disk(let error): .disk(error)
        case .digest, .offset, .superseded:
            .damaged(
                file: FileStore.path(of: digest),
                offset: 0,
                why: "its bytes are not those of its name"
            )
        }
    }
}

extension Store {
    /// The digests of all files that have a record, in order.
    public func fileDigests() -> [Digest256] {
        core.withLock { core in
            guard let tree = core.state.tree(.files) else { return [] }
            var digests: [Digest256] = []
            _ = core.state.scan(tree, after: nil, prefix: nil, .all, at: .max, entryCountMax: .max)
            {
                key,
                _ in
                if case .name(let name) = key.id, let digest = name.withView({ Digest256($0) }) {
                    digests.append(digest)
                }
                return true
            }
            return digests
        }
    }
}
