// One upload: bytes in order, written and hashed as they come.
//
// Invariants: the digest is that of the file's first `byteCount` bytes; only the caller whose turn
// it is adds bytes, so that a connection that hangs cannot disturb the one that came after it.
public import HoldfastBasics
internal import HoldfastStorage

/// The bytes of a file that have come so far.
public final class FileUpload: Sendable {
    /// The digest so far; an object, as its context is not copied.
    private final class Digesting {
        var hasher = SHA256()
    }

    private struct State {
        let digesting = Digesting()
        var byteCount = 0
        /// Whose turn it is.
        var turn: UInt64 = 0
        /// Room that was found and is not used yet.
        var room = 0
    }

    let path: String
    let name: UploadName?
    private let file: any DiskFile
    private let disk: any Disk
    private let state = Lock(State())

    init(_ path: String, _ file: any DiskFile, _ disk: any Disk, _ name: UploadName?) {
        self.path = path
        self.file = file
        self.disk = disk
        self.name = name
    }

    /// How many bytes have come.
    public var byteCount: Int { state.withLock(\.byteCount) }

    /// From now on this caller adds bytes, and nobody else.
    func takeTurn() -> UploadTurn {
        let number = state.withLock { state in
            state.turn += 1
            return state.turn
        }
        return UploadTurn(upload: self, number: number)
    }

    /// Nobody adds bytes any more.
    func supersede() { state.withLock { $0.turn += 1 } }

    /// Hashes what lies in the file already.
    ///
    /// - Throws: `size`, `read`.
    func read() throws(DiskError) {
        let count = try file.size()
        try state.withLock { (state) throws(DiskError) in
            while state.byteCount < count {
                let block = try file.read(
                    min(Limits.fileBlockByteCount, count - state.byteCount),
                    at: state.byteCount
                )
                guard !block.isEmpty else { return }
                block.withView { state.digesting.hasher.update($0) }
                state.byteCount += block.count
            }
        }
    }

    fileprivate func append(_ bytes: [UInt8], _ turn: UInt64) throws(FileError) {
        try state.withLock { (state) throws(FileError) in
            guard state.turn == turn else { throw .superseded }
            do throws(DiskError) {
                // What the log needs to open and close is left to it.
                if state.room < bytes.count {
                    let free = try disk.freeByteCount()
                    guard free >= UInt64(bytes.count) + Limits.diskReserveByteCount else {
                        throw DiskError.full(path)
                    }
                    let room = free - Limits.diskReserveByteCount
                    state.room = Int(min(room, Self.roomByteCountMax))
                }
                try file.write(bytes, at: state.byteCount)
            } catch {
                throw .disk(error)
            }
            state.room -= bytes.count
            state.byteCount += bytes.count
            bytes.withView { state.digesting.hasher.update($0) }
        }
    }

    fileprivate func finish(_ turn: UInt64) throws(FileError) -> Digest256 {
        let digest = try state.withLock { (state) throws(FileError) in
            guard state.turn == turn else { throw .superseded }
            state.turn += 1
            return state.digesting.hasher.finish()
        }
        do throws(DiskError) {
            try file.sync()
        } catch {
            throw .disk(error)
        }
        return digest
    }

    /// The disk is asked for its room again after so many bytes at the latest.
    private static let roomByteCountMax: UInt64 = 16 << 20
}

/// One caller's turn at an upload.
public struct UploadTurn: Sendable {
    /// What is uploaded.
    public let upload: FileUpload
    fileprivate let number: UInt64

    init(upload: FileUpload, number: UInt64) {
        self.upload = upload
        self.number = number
    }

    /// Adds the next bytes.
    ///
    /// - Throws: `disk`; `superseded` when it is another caller's turn by now.
    public func append(_ bytes: [UInt8]) throws(FileError) {
        try upload.append(bytes, number)
    }

    /// Ends the upload: its bytes are durable then, though under no name that lasts.
    ///
    /// - Returns: Their digest.
    /// - Throws: `disk`, `superseded`.
    public func finish() throws(FileError) -> Digest256 { try upload.finish(number) }
}
