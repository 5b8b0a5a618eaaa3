// Files beside records: contents that values name by a FileRef.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

extension Database {
    /// Takes a file of the application's into the database, so that values may name it.
    ///
    /// The content is durable on this device when this returns. On a mirror it is brought to the
    /// server by itself, before any change that names it; without a connection it waits in the
    /// outbox with them. What no record comes to name goes after seven days.
    ///
    /// ```swift
    /// let drawing = try await db.attach(contentsOf: "r100.pdf", type: "application/pdf")
    /// try await db.write { tx in try tx.update(part) { $0.drawing = drawing } }
    /// ```
    ///
    /// - Parameters:
    ///   - path: Where it is; it is read once, and copied.
    ///   - type: Its media type, `TYPE/SUBTYPE` with or without parameters.
    ///   - name: What people know it by; nil takes the last part of the path.
    /// - Returns: What a value names it by.
    /// - Throws: `diskFailed` (it cannot be read, or not written here), `full`, `poisoned`,
    ///   `closed`; `refused` with `bad-header` for a type or name that is none, `read-only` where
    ///   another process writes.
    public func attach(
        contentsOf path: String,
        type: String = "application/octet-stream",
        name: String? = nil
    ) async throws(DatabaseError) -> FileRef {
        let source: any DiskFile
        let folder = parentDirectory(of: path)
        let last = folder.isEmpty ? path : String(path.dropFirst(folder.utf8.count + 1))
        do throws(DiskError) {
            let disk = try PosixDisk(folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder)
            source = try disk.open(last, .read)
        } catch {
            throw .diskFailed("\(error)")
        }
        return try await attach(type, name ?? last) { offset throws(DiskError) in
            try source.read(Limits.fileBlockByteCount, at: offset)
        }
    }

    /// Takes bytes into the database as a file, so that values may name it.
    ///
    /// As ``attach(contentsOf:type:name:)`` does.
    ///
    /// - Parameters:
    ///   - bytes: Its content.
    ///   - type: Its media type.
    ///   - name: What people know it by; may be empty.
    /// - Returns: What a value names it by.
    /// - Throws: `diskFailed`, `full`, `poisoned`, `closed`, `refused`.
    public func attach(
        _ bytes: [UInt8],
        type: String = "application/octet-stream",
        name: String = ""
    ) async throws(DatabaseError) -> FileRef {
        try await attach(type, name) { offset in
            Array(bytes[offset..<min(bytes.count, offset + Limits.fileBlockByteCount)])
        }
    }

    private func attach(
        _ type: String,
        _ name: String,
        _ next: @escaping @Sendable (Int) throws(DiskError) -> [UInt8]
    ) async throws(DatabaseError) -> FileRef {
        try checkOpen()
        if let refusal = FileRecord.refusal(type: type, name: name) {
            throw .refused(Refusal(refusal))
        }
        if store.isReadOnly, let refusal = store.writeRefusal { throw .refused(Refusal(refusal)) }
        let (files, authority) = (try authority.files(), authority)
        let now = time.wallMilliseconds()
        let (upload, digest) = try await Worker.run {
            Result { () throws(DatabaseError) in try Self.read(next, into: files, now: now) }
        }.get()
        let file = FileRecord(
            digest: digest,
            size: UInt64(upload.byteCount),
            type: type,
            name: name,
            uploadedBy: authority.caller.user,
            at: now
        )
        try await authority.keep(upload, as: file)
        return FileRef(sha256: digest.description, size: file.size, type: type, name: name)
    }

    private static func read(
        _ next: (Int) throws(DiskError) -> [UInt8],
        into files: FileStore,
        now: Int64
    ) throws(DatabaseError) -> (FileUpload, Digest256) {
        do throws(FileError) {
            let turn = try files.begin(nil, at: nil, now: now)
            do throws(FileError) {
                while true {
                    let bytes: [UInt8]
                    do throws(DiskError) {
                        bytes = try next(turn.upload.byteCount)
                    } catch {
                        throw .disk(error)
                    }
                    if bytes.isEmpty { break }
                    try turn.append(bytes)
                }
                return (turn.upload, try turn.finish())
            } catch {
                try files.giveUp(turn.upload)
                throw error
            }
        } catch {
            throw DatabaseError(error)
        }
    }

    /// What a file holds; on a mirror it is fetched from the server when it is not here.
    ///
    /// ```swift
    /// let drawing = try await db.content(of: part.drawing)
    /// try await drawing.copy(to: "shown.pdf")
    /// ```
    ///
    /// - Parameter file: As a value names it.
    /// - Returns: The content.
    /// - Throws: `refused` with `unknown-file` when the server does not have it, or not for this
    ///   caller; `offline` when it is not here and there is no server, or the task is cancelled;
    ///   `diskFailed`, `full`, `closed`.
    public func content(of file: FileRef) async throws(DatabaseError) -> FileContent {
        try checkOpen()
        guard let digest = file.digest else {
            throw .refused(Refusal(.unknownFile, "'\(file.sha256)' is no SHA-256."))
        }
        if let content = try content(digest) { return content }
        try await authority.fetch(digest)
        guard let content = try content(digest) else {
            throw .refused(Refusal(.unknownFile, "The content of file \(digest) is gone again."))
        }
        return content
    }

    /// Whether a file's content is on this device.
    ///
    /// - Parameter file: As a value names it.
    /// - Returns: Whether reading it needs no server.
    /// - Throws: `diskFailed`, `closed`.
    public func hasContent(of file: FileRef) throws(DatabaseError) -> Bool {
        try checkOpen()
        guard let digest = file.digest else { return false }
        return try content(digest) != nil
    }

    private func content(_ digest: Digest256) throws(DatabaseError) -> FileContent? {
        let files = try authority.files()
        let found: (any DiskFile)?
        do throws(DiskError) {
            found = try files.open(digest)
        } catch {
            throw .diskFailed("\(error)")
        }
        guard let found else { return nil }
        authority.used(digest)
        return try FileContent(found)
    }
}

extension FileRef {
    /// Its digest; nil when it is written as no digest is.
    var digest: Digest256? { Array(sha256.utf8).withView { Digest256($0) } }
}
