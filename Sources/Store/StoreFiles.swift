// Files: their bytes first, then the record; and away in the other order.
public import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords
internal import HoldfastStorage

extension Store {
    /// Puts an upload in place and adds its record.
    ///
    /// Waits for the disk.
    ///
    /// - Parameters:
    ///   - upload: Ended, its bytes synced.
    ///   - file: The record.
    ///   - change: Its id, digest and reason; it has no operations.
    ///   - caller: Who uploads.
    ///   - rights: What the caller may do; nil for everything.
    /// - Returns: The answer; an accepted file counts when its position is durable.
    /// - Throws: `disk`.
    public func submit(
        _ upload: FileUpload,
        as file: FileRecord,
        _ change: Change,
        by caller: Caller,
        rights: Rights?
    ) throws(FileError) -> Submission {
        var submission: Submission?
        try files.place(upload, file.digest) {
            let answer = settle(change, by: caller, rights: rights) {
                $0.decideFile(file, change, $1)
            }
            submission = answer
            return hasFile(file.digest)
        }
        guard let submission else { preconditionFailure("what was put in place was answered") }
        return submission
    }

    /// Whether a file has a record.
    public func hasFile(_ digest: Digest256) -> Bool {
        core.withLock { core in
            guard let tree = core.state.tree(.files) else { return false }
            let key = FileRecord.key(of: digest)
            guard let location = core.state.location(tree, key) else { return false }
            return core.source.withEffect(at: location) { effect, _ in effect.isSet }
        }
    }

    /// The files that live records of some trees name.
    ///
    /// The first time all values are looked at.
    ///
    /// - Parameters:
    ///   - trees: The trees; nil for all.
    ///   - known: What was given with the last answer.
    /// - Returns: The files, each once, and a number that stands for them; nil when no record names
    ///   a file its tree did not name when `known` was given.
    public func namedFiles(
        in trees: Set<TreeName>?,
        since known: UInt64?
    ) -> (digests: [Digest256], known: UInt64)? {
        core.withLock { core in
            core.state.trackFiles()
            let count = core.state.fileNamingCount
            return count == known ? nil : (core.state.namedFiles(in: trees), count)
        }
    }

    /// Keeps files from now on: a value that names one which is not here is refused.
    public func keepFiles() { core.withLock { $0.keepsFiles = true } }

    /// Finds what an ended process left of uploads; before the first one of this process.
    ///
    /// - Throws: `disk`; what was found until then is known.
    public func openFiles() throws(FileError) {
        do throws(DiskError) {
            try files.findUploads(at: time.wallMilliseconds())
        } catch {
            throw .disk(error)
        }
    }

    /// Takes bytes away that never got a record.
    ///
    /// - Throws: `disk`.
    public func removeUnrecordedFiles() throws(FileError) {
        do throws(DiskError) {
            // Records of files that are here may still be handed back.
            guard writeRefusal == nil else { return }
            for digest in try files.digests() { try files.remove(digest, unless: hasFile) }
        } catch {
            throw .disk(error)
        }
    }

    /// Takes files away that nothing needs: their records by a commit, their bytes at a later call,
    /// when that is durable; and uploads nobody goes on with.
    ///
    /// - Returns: How many records went.
    /// - Throws: `disk`.
    @discardableResult
    public func collectFiles() throws(FileError) -> Int {
        let now = time.wallMilliseconds()
        try files.removeOldUploads(at: now)
        do throws(DiskError) {
            try files.removeLeaving(upTo: progress.durable, unless: hasFile)
        } catch {
            throw .disk(error)
        }
        let gone: (digests: [Digest256], seq: UInt64) = mutate { core in
            guard core.writeRefusal == nil, core.clock.check(time, logger) else { return ([], 0) }
            let oldest = core.log.oldest
            do throws(ApplyError) {
                let commit = try core.state.decideCollection(
                    keepingFrom: oldest,
                    now: now,
                    random: random
                )
                guard let commit else { return ([], 0) }
                core.append(commit)
                let keys = commit.blocks.flatMap { $0.effects.map(\.key) }
                return (keys.compactMap { $0.fileDigest }, commit.seq)
            } catch {
                logger.log(.error, "files.unreadable", ["error": "\(error)"])
                return ([], 0)
            }
        }
        files.leave(gone.digests, with: gone.seq)
        return gone.digests.count
    }
}

extension RecordKey {
    /// The digest a record of `_files` is about.
    fileprivate var fileDigest: Digest256? {
        guard case .name(let name) = id else { return nil }
        return name.withView { Digest256($0) }
    }
}
