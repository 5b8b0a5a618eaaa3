// The files of a database in a directory of backups: each once, under its hash, whichever backups
// name it.
//
// They are there before the backup that needs them is.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastJSONCoding
internal import HoldfastStorage
internal import HoldfastStore

/// The files in one directory of backups.
struct BackupFiles {
    let folder: BackupFolder

    /// Copies the files of a database's directory.
    func copy(of store: Store, from source: PosixDisk) throws(CommandFailure) {
        let digests = store.fileDigests()
        guard !digests.isEmpty else { return }
        let target = FileStore(try DatabaseFolder(folder.path).made())
        var progress = Progress("bytes of files written")
        do throws(CommitLogError) {
            try target.copy(digests, from: FileStore(source)) { progress.add($0) }
        } catch {
            throw folder.failure(error)
        }
    }

    /// Copies all files of a directory of backups to the database that is made of one.
    static func restore(
        from source: PosixDisk,
        to target: PosixDisk,
        _ progress: inout Progress
    ) throws(CommitLogError) {
        let files = FileStore(source)
        let digests: [Digest256]
        do throws(DiskError) {
            digests = try files.digests()
        } catch {
            throw .disk(error)
        }
        try FileStore(target).copy(digests, from: files) { progress.add($0) }
    }

    /// Reads every byte of every file.
    ///
    /// - Returns: How many there are, in words, empty for none; and what is damaged.
    func verify(
        _ disk: PosixDisk,
        _ progress: inout Progress
    ) throws(CommandFailure) -> (text: String, damages: [CommitLogError]) {
        let files = FileStore(disk)
        var (count, byteCount) = (0, 0)
        var damages: [CommitLogError] = []
        let digests: [Digest256]
        do throws(DiskError) {
            digests = try files.digests()
        } catch {
            throw folder.failure(.disk(error))
        }
        for digest in digests {
            do throws(CommitLogError) {
                let read = try files.verify(digest) ?? 0
                progress.add(read)
                byteCount += read
                count += 1
            } catch {
                guard case .damaged = error else { throw folder.failure(error) }
                damages.append(error)
            }
        }
        return (count == 0 ? "" : "\(count), \(byteCount) bytes", damages)
    }

    // MARK: From a server

    private static let pieceByteCount = 4 << 20

    /// Fetches the files of a server that are not there yet.
    func fetch(_ client: Client) throws(CommandFailure) {
        let digests = try list(client)
        guard !digests.isEmpty else { return }
        let files = FileStore(try DatabaseFolder(folder.path).made())
        var progress = Progress("bytes of files fetched")
        for (digest, size) in digests {
            do {
                let count = try files.take(digest) { offset in
                    guard offset < size else { return [] }
                    return try piece(client, digest, from: offset)
                }
                progress.add(count)
            } catch let failure as CommandFailure {
                // Nothing named it any more, and the server has taken it away meanwhile.
                guard failure.code == .notFound else { throw failure }
            } catch FileError.disk(let error) {
                throw folder.failure(.disk(error))
            } catch {
                throw CommandFailure(
                    .damaged,
                    "what the server sent as file \(digest) is not what its name says; run "
                        + "holdfast verify on the server's directory"
                )
            }
        }
    }

    /// The files that have a record, and their lengths.
    private func list(_ client: Client) throws(CommandFailure) -> [(Digest256, Int)] {
        var text = ByteBuffer()
        try client.send(
            "GET",
            "/v1/records/_files",
            fields: [("accept", "application/x-ndjson")]
        ) { (bytes: ByteView) throws(CommandFailure) in text.append(bytes) }
        var found: [(Digest256, Int)] = []
        var rest = text.view
        do throws(JSONError) {
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                if let file = try Self.file(rest[0..<end]) { found.append(file) }
                rest = rest.suffix(from: end + 1)
            }
        } catch {
            throw CommandFailure(.unreachable, "what answers at --url is no Holdfast server")
        }
        return found
    }

    private static func file(_ line: ByteView) throws(JSONError) -> (Digest256, Int)? {
        guard let key = try JSONScanner.member(named: ByteView("key"), in: line),
            let name = try JSONScanner.member(named: ByteView("name"), in: key), name.count == 66,
            let digest = Digest256(name[1..<65]),
            let value = try JSONScanner.member(named: ByteView("value"), in: line),
            let size = try JSONScanner.member(named: ByteView("size"), in: value)
        else { return nil }
        var scanner = JSONScanner(size)
        return (digest, try scanner.readInteger(Int.self))
    }

    private func piece(
        _ client: Client,
        _ digest: Digest256,
        from offset: Int
    ) throws(CommandFailure) -> [UInt8] {
        var bytes = ByteBuffer()
        try client.send(
            "GET",
            "/v1/files/\(digest)",
            fields: [("range", "bytes=\(offset)-\(offset + Self.pieceByteCount - 1)")]
        ) { (more: ByteView) throws(CommandFailure) in bytes.append(more) }
        return bytes.array
    }
}
