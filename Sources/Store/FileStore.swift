// The bytes of files, by their digest: `files/<aa>/<sha256>`, and uploads under way in
// `files/uploads`. What is known of a file besides is a record of `_files`.
//
// Invariants:
// - a file stands under its digest whole and durable, or not at all: it is written under another
//   name, synced, and moved; its record is committed after that;
// - a file is moved into place and taken away under one lock, with its record looked at under the
//   same: what was uploaded anew is not taken away by a collection decided before;
// - bytes of an upload are durable when it has ended; what a power cut leaves of one that was cut
//   is found wrong by its digest.
public import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// Why bytes of an upload are not taken.
public enum FileError: Error {
    /// The disk refuses.
    case disk(DiskError)
    /// The upload stands elsewhere.
    case offset(Int)
    /// The same caller sends the same file on another connection.
    case superseded
    /// The bytes have another digest than was said.
    case digest(Digest256)
}

/// Whose upload of which file: what finds one that was cut.
public struct UploadName: Hashable, Sendable {
    /// The digest the bytes are said to have.
    public let digest: Digest256
    /// Stands for the caller.
    let caller: UInt64

    /// Names an upload.
    public init(_ digest: Digest256, by caller: Caller) {
        self.digest = digest
        var hasher = SHA256()
        for text in [caller.user, caller.device] {
            let bytes = Array(text.utf8)
            hasher.update(Hash128(high: 0, low: UInt64(bytes.count)))
            bytes.withView { hasher.update($0) }
        }
        self.caller = hasher.finishTruncated().high
    }

    private init(_ digest: Digest256, _ caller: UInt64) {
        self.digest = digest
        self.caller = caller
    }

    /// The file of an upload that began at a time.
    func path(begunAt: Int64) -> String {
        "\(FileStore.uploadsPath)/\(digest).\(hexadecimal(caller)).\(begunAt)"
    }

    /// Reads the name of such a file; nil for another one's.
    static func read(_ name: String) -> (name: UploadName, begunAt: Int64)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let digest = Array(parts[0].utf8).withView({ Digest256($0) }),
            let caller = UInt64(parts[1], radix: 16), let begunAt = Int64(parts[2])
        else { return nil }
        return (UploadName(digest, caller), begunAt)
    }
}

/// The files of one directory.
public final class FileStore: Sendable {
    static let path = "files"
    static let uploadsPath = "files/uploads"

    private struct Entry {
        let path: String
        let begunAt: Int64
        /// Nil while its file is not open.
        var upload: FileUpload?
    }

    private struct State {
        /// Uploads that are not complete.
        var uploads: [UploadName: Entry] = [:]
        /// Readers that must find all files: a backup.
        var holdCount = 0
        /// Files whose records are gone, and since which commit.
        var leaving: [(digest: Digest256, seq: UInt64)] = []
    }

    private let disk: any Disk
    private let state = Lock(State())
    /// Directories whose names are durable; guards what is moved into place and taken away.
    private let places = Lock(Set<String>())

    /// The files of a database's directory, or of a directory of backups.
    public init(_ disk: any Disk) { self.disk = disk }

    /// Where the bytes of a digest lie, below the directory.
    public static func path(of digest: Digest256) -> String {
        let text = digest.description
        return "\(path)/\(text.prefix(2))/\(text)"
    }

    // MARK: Reading

    /// Opens a file's bytes.
    ///
    /// - Returns: nil when they are not here.
    /// - Throws: `open`.
    public func open(_ digest: Digest256) throws(DiskError) -> (any DiskFile)? {
        do throws(DiskError) {
            return try disk.open(Self.path(of: digest), .read)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    /// The digests of all files.
    ///
    /// - Throws: `list`.
    public func digests() throws(DiskError) -> [Digest256] {
        var found: [Digest256] = []
        for folder in try names(Self.path) where folder.utf8.count == 2 {
            for name in try names("\(Self.path)/\(folder)") {
                if let digest = Array(name.utf8).withView({ Digest256($0) }) {
                    found.append(digest)
                }
            }
        }
        return found
    }

    private func names(_ folder: String) throws(DiskError) -> [String] {
        do throws(DiskError) {
            return try disk.names(in: folder)
        } catch {
            if error.isMissing { return [] }
            throw error
        }
    }

    // MARK: Uploads

    /// Finds the uploads that were cut when the process before this one ended, and removes those
    /// that cannot be resumed.
    ///
    /// - Parameter now: The clock, in milliseconds since 1970.
    /// - Throws: `list`, `remove`.
    public func findUploads(at now: Int64) throws(DiskError) {
        for file in try names(Self.uploadsPath) {
            guard let (name, begunAt) = UploadName.read(file),
                now < begunAt + Limits.uploadMilliseconds
            else {
                try disk.remove("\(Self.uploadsPath)/\(file)")
                continue
            }
            let entry = Entry(path: "\(Self.uploadsPath)/\(file)", begunAt: begunAt)
            state.withLock { $0.uploads[name] = entry }
        }
    }

    /// How many bytes of an upload have come; nil when there is none.
    ///
    /// - Throws: `open`, `size`.
    public func byteCount(of name: UploadName) throws(DiskError) -> Int? {
        guard let entry = state.withLock({ $0.uploads[name] }) else { return nil }
        if let upload = entry.upload { return upload.byteCount }
        return try disk.open(entry.path, .read).size()
    }

    /// Begins an upload, or goes on with one.
    ///
    /// - Parameters:
    ///   - name: Of one that may be resumed; nil for one that ends with its connection.
    ///   - offset: Where its next byte belongs; nil begins anew.
    ///   - now: The clock, in milliseconds since 1970.
    /// - Returns: The upload, for this caller's turn.
    /// - Throws: `disk`; `offset` when the upload stands elsewhere.
    public func begin(
        _ name: UploadName?,
        at offset: Int?,
        now: Int64
    ) throws(FileError) -> UploadTurn {
        guard let name else {
            // Processes that share a database have their own.
            let number = UInt64.random(in: .min ... .max)
            return try create("\(Self.uploadsPath)/unnamed-\(hexadecimal(number))", nil)
        }
        guard let offset else {
            let entry = state.withLock { $0.uploads.removeValue(forKey: name) }
            if let entry { try abandon(entry) }
            let turn = try create(name.path(begunAt: now), name)
            state.withLock { state in
                state.uploads[name] = Entry(
                    path: turn.upload.path,
                    begunAt: now,
                    upload: turn.upload
                )
            }
            return turn
        }
        guard let entry = state.withLock({ $0.uploads[name] }) else { throw .offset(0) }
        let upload = if let open = entry.upload { open } else { try reopen(name, entry) }
        let turn = upload.takeTurn()
        guard upload.byteCount == offset else { throw .offset(upload.byteCount) }
        return turn
    }

    private func create(_ path: String, _ name: UploadName?) throws(FileError) -> UploadTurn {
        do throws(DiskError) {
            try disk.makeDirectory(Self.path)
            try disk.makeDirectory(Self.uploadsPath)
            return FileUpload(path, try disk.open(path, .create), disk, name).takeTurn()
        } catch {
            throw .disk(error)
        }
    }

    /// Opens what came before the process began, or before too many others were cut.
    private func reopen(_ name: UploadName, _ entry: Entry) throws(FileError) -> FileUpload {
        do throws(DiskError) {
            let upload = FileUpload(entry.path, try disk.open(entry.path, .readWrite), disk, name)
            try upload.read()
            return state.withLock { state in
                if let other = state.uploads[name]?.upload { return other }
                state.uploads[name]?.upload = upload
                let open = state.uploads.filter { $0.value.upload != nil }
                if open.count > Limits.openUploadCountMax,
                    let idle = open.first(where: { $0.key != name })
                {
                    state.uploads[idle.key]?.upload = nil
                }
                return upload
            }
        } catch {
            throw .disk(error)
        }
    }

    private func abandon(_ entry: Entry) throws(FileError) {
        entry.upload?.supersede()
        do throws(DiskError) {
            try disk.remove(entry.path)
        } catch {
            guard error.isMissing else { throw .disk(error) }
        }
    }

    /// Gives an upload up: what came of it is removed.
    ///
    /// - Throws: `disk`.
    public func giveUp(_ upload: FileUpload) throws(FileError) {
        state.withLock { state in
            if let name = upload.name, state.uploads[name]?.path == upload.path {
                state.uploads[name] = nil
            }
        }
        try abandon(Entry(path: upload.path, begunAt: 0, upload: upload))
    }

    /// Removes uploads that were begun so long ago that nobody goes on with them.
    ///
    /// - Parameter now: The clock, in milliseconds since 1970.
    /// - Throws: `disk`.
    public func removeOldUploads(at now: Int64) throws(FileError) {
        let old = state.withLock { state in
            state.uploads.filter { $0.value.begunAt + Limits.uploadMilliseconds <= now }
        }
        for (name, entry) in old {
            state.withLock { $0.uploads[name] = nil }
            try abandon(entry)
        }
    }

    // MARK: Into place, and away

    /// Puts a whole upload under its digest, durably, and runs `body` before anybody could take it
    /// away again.
    ///
    /// - Parameters:
    ///   - upload: Ended, its bytes synced.
    ///   - digest: Theirs.
    ///   - body: Notes durably that it is needed; false takes the file away again.
    /// - Throws: `disk`.
    public func place(
        _ upload: FileUpload,
        _ digest: Digest256,
        _ body: () -> Bool
    ) throws(FileError) {
        state.withLock { state in
            if let name = upload.name, state.uploads[name]?.path == upload.path {
                state.uploads[name] = nil
            }
        }
        do throws(DiskError) {
            try places.withLock { (known) throws(DiskError) in
                let path = Self.path(of: digest)
                let folder = parentDirectory(of: path)
                if !known.contains(folder) {
                    try disk.makeDirectory(folder)
                    try disk.syncDirectory(Self.path)
                    try disk.syncDirectory("")
                    known.insert(folder)
                }
                try disk.rename(upload.path, to: path)
                // The one it leaves too: a name that is durable nowhere would be lost.
                try disk.syncDirectory(parentDirectory(of: upload.path))
                try disk.syncDirectory(folder)
                if !body() { try disk.remove(path) }
            }
        } catch {
            throw .disk(error)
        }
    }

    /// Notes files whose records are gone with a commit.
    func leave(_ digests: [Digest256], with seq: UInt64) {
        state.withLock { $0.leaving += digests.map { ($0, seq) } }
    }

    /// Takes files away whose records are gone for good.
    ///
    /// - Parameters:
    ///   - durable: The last durable commit.
    ///   - stands: Whether a file has a record again.
    /// - Throws: `remove`.
    func removeLeaving(
        upTo durable: UInt64,
        unless stands: (Digest256) -> Bool
    ) throws(DiskError) {
        let gone = state.withLock { state -> [Digest256] in
            guard state.holdCount == 0 else { return [] }
            defer { state.leaving.removeAll { $0.seq <= durable } }
            return state.leaving.filter { $0.seq <= durable }.map(\.digest)
        }
        for digest in gone { try remove(digest, unless: stands) }
    }

    /// Takes a file away, unless it is needed.
    ///
    /// - Throws: `remove`.
    public func remove(_ digest: Digest256, unless stands: (Digest256) -> Bool) throws(DiskError) {
        try places.withLock { (_) throws(DiskError) in
            guard !stands(digest) else { return }
            do throws(DiskError) {
                try disk.remove(Self.path(of: digest))
            } catch {
                guard error.isMissing else { throw error }
            }
        }
    }

    /// Keeps files where they are from now on, or no longer.
    func hold(_ isHeld: Bool) { state.withLock { $0.holdCount += isHeld ? 1 : -1 } }
}
