// A part as others fetch it: its bytes, whatever they hold.
public import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// A part that is open for reading; what it lends stays when the file is gone.
public struct PartFile: Sendable {
    private let map: MappedFile
    /// Its length.
    ///
    /// Unit: bytes.
    public let byteCount: Int

    /// Opens a part of a checkpoint.
    ///
    /// - Parameters:
    ///   - part: Which one.
    ///   - disk: The database's directory.
    /// - Throws: `damaged` when it has another length, `disk`.
    public init(_ part: PartReference, on disk: any Disk) throws(CommitLogError) {
        let path = part.path
        let (size, map) = try onDisk { () throws(DiskError) in
            let file = try disk.open(path, .read)
            let size = try file.size()
            return (size, try file.map(max(1, size)))
        }
        guard size == part.byteCount else {
            throw .damaged(file: path, offset: size, why: "the part has another length")
        }
        self.map = map
        byteCount = size
    }

    /// Its bytes.
    public var view: ByteView { map.view[0..<byteCount] }
}
