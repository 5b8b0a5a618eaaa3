// What a file holds, as an application reads it.
internal import HoldfastBasics
internal import HoldfastStorage
public import HoldfastStore

/// The content of a file that is on this device.
///
/// Never changes, and can be read for as long as this stands, whatever becomes of the record that
/// names the file.
public final class FileContent: Sendable {
    private let file: any DiskFile
    /// Its length in bytes.
    public let byteCount: Int

    init(_ file: any DiskFile) throws(DatabaseError) {
        self.file = file
        do throws(DiskError) {
            byteCount = try file.size()
        } catch {
            throw DatabaseError(.disk(error))
        }
    }

    /// Reads bytes; waits for the disk.
    ///
    /// - Parameters:
    ///   - count: How many at most.
    ///   - offset: Where they begin.
    /// - Returns: Fewer where the content ends, none behind it.
    /// - Throws: `diskFailed`.
    public func read(_ count: Int, at offset: Int) throws(DatabaseError) -> [UInt8] {
        guard count > 0, offset >= 0, offset < byteCount else { return [] }
        do throws(DiskError) {
            return try file.read(min(count, byteCount - offset), at: offset)
        } catch {
            throw DatabaseError(.disk(error))
        }
    }

    /// Reads all of it into memory; waits for the disk.
    ///
    /// - Throws: `diskFailed`.
    public func bytes() throws(DatabaseError) -> [UInt8] { try read(byteCount, at: 0) }

    /// Writes all of it to a file of the application's.
    ///
    /// - Parameter path: Where to; what stands there is replaced when all of it is written.
    /// - Throws: `diskFailed`, `full`.
    public func copy(to path: String) async throws(DatabaseError) {
        try await Worker.run { [self] in
            Result { () throws(DatabaseError) in try write(to: path) }
        }.get()
    }

    private func write(to path: String) throws(DatabaseError) {
        do throws(DiskError) {
            let folder = parentDirectory(of: path)
            let name = folder.isEmpty ? path : String(path.dropFirst(folder.utf8.count + 1))
            let disk = try PosixDisk(folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder)
            let part = "\(name).\(UInt64.random(in: .min ... .max)).part"
            let copy = try disk.open(part, .create)
            do throws(DiskError) {
                var offset = 0
                while offset < byteCount {
                    let bytes = try file.read(Limits.fileBlockByteCount, at: offset)
                    try copy.write(bytes, at: offset)
                    offset += bytes.count
                }
                try copy.sync()
                try disk.rename(part, to: name)
            } catch {
                try disk.remove(part)
                throw error
            }
        } catch {
            throw DatabaseError(.disk(error))
        }
    }
}

extension DatabaseError {
    /// What a file's error is to an application; for this package's own modules.
    public init(_ error: FileError) {
        switch error {
        case .disk(let error) where error.isFull: self = .full
        case .disk(let error): self = .diskFailed("\(error)")
        case .offset, .superseded, .digest: self = .diskFailed("\(error)")
        }
    }
}
