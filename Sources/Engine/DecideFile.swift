// The rules of `_files`: who adds a file, who may name and read it, and when it goes. No operation
// of a change asks for it: the bytes must be here before the record is.
public import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// What is known of a file; nil when it is not here.
    ///
    /// - Throws: `badSystemRecord` for a record this version cannot read.
    public func file(_ digest: Digest256) throws(ApplyError) -> FileRecord? {
        let key = FileRecord.key(of: digest)
        guard let tree = tree(.files), let location = location(tree, key) else { return nil }
        let read = source.withEffect(at: location) { effect, commit in
            Result { () throws(ApplyError) -> FileRecord? in
                guard effect.isSet else { return nil }
                do throws(FormError) {
                    return try FileRecord(key: key, json: effect.value)
                } catch {
                    throw .badSystemRecord(tree: "_files", seq: commit.seq, what: error.detail)
                }
            }
        }
        return try read.get()
    }

    /// Whether a caller may name and read a file: a live record of a tree it may read names it, or
    /// it uploaded the file itself, not long ago.
    ///
    /// - Parameters:
    ///   - file: One that is here.
    ///   - user: The caller's user.
    ///   - readable: The trees whose records it may see; nil for all.
    ///   - now: The clock, in milliseconds since 1970.
    /// - Returns: Whether the caller may.
    public func mayRead(
        _ file: FileRecord,
        by user: String,
        seeing readable: Set<TreeName>?,
        at now: Int64
    ) -> Bool {
        guard let readable else { return true }
        let counts = files?[file.digest]?.counts ?? []
        return counts.contains { readable.contains($0.tree) } || file.isFresh(of: user, at: now)
    }

    /// Whether a live record names a file.
    public func isNamed(_ digest: Digest256) -> Bool { files?[digest]?.counts.isEmpty == false }

    /// Whether a file that is here need not be uploaded again: it stays for long enough, and the
    /// caller may know of it.
    ///
    /// - Parameters:
    ///   - file: As it stands.
    ///   - user: The caller's user.
    ///   - readable: The trees whose records it may see; nil for all.
    ///   - now: The clock, in milliseconds since 1970.
    /// - Returns: Whether it would stay as it is.
    public func keeps(
        _ file: FileRecord,
        for user: String,
        seeing readable: Set<TreeName>?,
        at now: Int64
    ) -> Bool {
        let isNew = user == file.uploadedBy && now < file.at + 86_400_000
        return isNew || isNamed(file.digest) && mayRead(file, by: user, seeing: readable, at: now)
    }

    /// Decides the record of a file whose bytes are here.
    ///
    /// What stands stays: a file that its uploader added today, or that is named in what the caller
    /// may read, is not added again.
    ///
    /// - Parameters:
    ///   - file: The record.
    ///   - change: Its id, digest and reason; it has no operations.
    ///   - context: Who asks, and when.
    /// - Returns: A commit, or why there is none.
    public func decideFile(
        _ file: FileRecord,
        _ change: Change,
        _ context: DecisionContext
    ) -> Decision {
        decideAlone(change, context) { draft throws(Refused) in try draft.store(file) }
    }

    /// Decides the commit that takes away files nothing needs: no live record and no version of the
    /// log's names them, and they came long enough ago.
    ///
    /// - Parameters:
    ///   - oldest: The first commit the log has.
    ///   - now: The clock, in milliseconds since 1970.
    ///   - random: Gives the change id and salts.
    /// - Returns: A commit of the system's, or nil when nothing is to go.
    /// - Throws: `badSystemRecord` for a record this version cannot read.
    public func decideCollection(
        keepingFrom oldest: UInt64,
        now: Int64,
        random: any RandomSource
    ) throws(ApplyError) -> Commit? {
        guard let files else { return nil }
        var gone: [FileRecord] = []
        for digest in files.unnamed {
            // A file that was never named has no version to wait for, but for its own record's.
            guard let entry = files[digest], let record = try file(digest),
                now >= record.at + Limits.fileMilliseconds,
                entry.leftSeq < oldest || entry.leftSeq == version(of: digest)
            else { continue }
            gone.append(record)
            if gone.count == Limits.collectedCountMax { break }
        }
        guard !gone.isEmpty else { return nil }
        let change = Change(
            id: .version7(milliseconds: now, random: random),
            why: "nothing names these files",
            operations: []
        )
        let context = DecisionContext(caller: .system, now: now, random: random)
        var draft = Draft(state: self, change: change, context: context)
        for file in gone.sorted(by: { $0.digest.bytes.lexicographicallyPrecedes($1.digest.bytes) })
        {
            draft.system(.files, about: nil, FileRecord.key(of: file.digest), .collectFile, nil)
        }
        return draft.commit()
    }

    /// The seq of a file's record; nil when there is none.
    private func version(of digest: Digest256) -> UInt64? {
        tree(.files).flatMap { location($0, FileRecord.key(of: digest)) }
            .map { source.withEffect(at: $0) { $1.seq } }
    }
}

extension Draft {
    fileprivate mutating func store(_ file: FileRecord) throws(Refused) {
        guard context.rights?.hasAnywhere(.write) ?? true else {
            throw Refused(.forbidden, "Files are uploaded by whoever may write a tree.")
        }
        if let known = try knownFile(file.digest) {
            let readable = context.rights?.readable
            if state.keeps(known, for: file.uploadedBy, seeing: readable, at: file.at) { return }
        }
        system(.files, about: nil, FileRecord.key(of: file.digest), .storeFile, file.json)
    }

    /// Every file a value names must be here, and be one the caller may know of.
    func checkFiles(_ value: [UInt8]) throws(Refused) {
        let names = value.withView { FileNames(in: $0) }
        if let path = names.malformed {
            throw Refused(
                .invalidField,
                "$file names a file by its SHA-256: 64 hexadecimal digits in lower case.",
                field: path.isEmpty ? nil : path
            )
        }
        for (digest, path) in zip(names.digests, names.paths) {
            if let known = try knownFile(digest), mayName(known) { continue }
            throw Refused(
                .fileMissing,
                "There is no file \(digest). Upload it with PUT /v1/files/\(digest) first, then "
                    + "write what names it.",
                field: path.isEmpty ? nil : path
            )
        }
    }

    private func mayName(_ file: FileRecord) -> Bool {
        state.mayRead(file, by: caller.user, seeing: context.rights?.readable, at: context.now)
    }

    private func knownFile(_ digest: Digest256) throws(Refused) -> FileRecord? {
        do throws(ApplyError) {
            return try state.file(digest)
        } catch {
            throw Refused(.internalError, "A file cannot be read; use the holdfast that made it.")
        }
    }
}
