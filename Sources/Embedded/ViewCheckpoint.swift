// Checkpoints of views: `views/<name>.<version>` in the database's directory.
//
// Invariants:
// - an entry is what a record put into the view and the seq of the version it was made of; it
//   counts for that very version alone, so that a checkpoint may be older than the records, and a
//   record that has changed since is read anew;
// - the tail names the database and a commit of its history with the chain after it: all entries
//   are of versions up to there, so that what is of another history is never taken;
// - it holds nothing that cannot be made anew: one that is damaged, of another version or of
//   another history counts as a missing one.
//
// Shape: "HFVIEW01", entries, tail. An entry: kind (1: 0 a number, 1 a name), id (8, or length (2)
// and bytes), revision (4), seq (8), length of the item (4), the item in JSON (nothing for a record
// that puts nothing in). The tail: signature, database id (16), seq (8), chain (16), length of the
// signature (4), CRC-32C of everything before (4).
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// Which checkpoint is a view's.
struct ViewCheckpoint: Sendable {
    static let directory = "views"
    fileprivate static var magic: ByteView { ByteView("HFVIEW01") }
    fileprivate static let tailByteCount = 16 + 8 + 16 + 4 + 4
    /// The longest name of a file there is, less the version and what stands behind a new one.
    private static let nameByteCountMax = 220

    /// The name without its version; only letters, digits and `-._~%`.
    let name: String
    /// The view's version.
    let version: Int
    /// What must be as it was: the view's type, version and fields, the tree's schema.
    let signature: String

    /// Names a view's checkpoint; nil when the name is too long for a file.
    init?(tree: TreeName, kind: String, name: String, version: Int, signature: String) {
        var text = ByteBuffer()
        text.append(text: "\(tree).\(kind)")
        if !name.isEmpty {
            text.append(".")
            Array(name.utf8).withView { text.append(percentEncoded: $0) }
        }
        guard text.count <= Self.nameByteCountMax else { return nil }
        self.name = text.view.text
        self.version = version
        self.signature = signature
    }

    var path: String { "\(Self.directory)/\(name).\(version)" }

    /// Whether a file is this view's, of another version.
    fileprivate func isOutdated(_ file: String) -> Bool {
        guard let dot = file.utf8.lastIndex(of: UInt8(ascii: ".")) else { return false }
        return file[..<dot] == name
            && Int(file[file.index(after: dot)...]).map { $0 != version } ?? false
    }
}

/// Writes a checkpoint, entries in key order.
struct ViewCheckpointWriter: ~Copyable {
    private let checkpoint: ViewCheckpoint
    private let disk: any Disk
    private let file: any DiskFile
    private var buffer: ByteBuffer
    private var offset = 0
    private var crc: UInt32 = 0

    /// Begins the file.
    ///
    /// - Throws: `DiskError`.
    init(_ checkpoint: ViewCheckpoint, on disk: any Disk) throws(DiskError) {
        try disk.makeDirectory(ViewCheckpoint.directory)
        file = try disk.open(checkpoint.path + ".new", .create)
        self.checkpoint = checkpoint
        self.disk = disk
        buffer = ByteBuffer(capacity: 1 << 16)
        buffer.append(ViewCheckpoint.magic)
    }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - key: The record's key.
    ///   - seq: The commit that wrote the version.
    ///   - item: Appends the item, nothing for none; false takes the entry back.
    mutating func append(_ key: RecordKey, seq: UInt64, _ item: (inout ByteBuffer) -> Bool) {
        let mark = buffer.count
        switch key.id {
        case .number(let number):
            buffer.append(0)
            buffer.append(integer: number)
        case .name(let name):
            buffer.append(1)
            buffer.append(integer: UInt16(name.count))
            buffer.append(name)
        }
        buffer.append(integer: key.revision)
        buffer.append(integer: seq)
        buffer.append(integer: UInt32(0))
        let start = buffer.count
        guard item(&buffer) else { return buffer.truncate(to: mark) }
        buffer.replace(integer: UInt32(buffer.count - start), at: start - 4)
    }

    /// Writes what has gathered.
    ///
    /// - Throws: `DiskError`.
    mutating func flush() throws(DiskError) {
        try file.write(buffer.view, at: offset)
        crc = CRC32C.extend(crc, buffer.view)
        offset += buffer.count
        buffer.removeAll()
    }

    /// Puts the file in place, and removes those of other versions.
    ///
    /// - Parameters:
    ///   - id: The database.
    ///   - position: A commit of its history, none of an entry is above, and the chain after it.
    /// - Throws: `DiskError`.
    mutating func finish(
        _ id: UniqueID,
        _ position: (seq: UInt64, chain: Hash128)
    ) throws(DiskError) {
        buffer.append(text: checkpoint.signature)
        buffer.append(integer: id.high.bigEndian)
        buffer.append(integer: id.low.bigEndian)
        buffer.append(integer: position.seq)
        buffer.append(integer: position.chain.high.bigEndian)
        buffer.append(integer: position.chain.low.bigEndian)
        buffer.append(integer: UInt32(checkpoint.signature.utf8.count))
        let crc = CRC32C.extend(crc, buffer.view)
        buffer.append(integer: crc)
        try file.write(buffer.view, at: offset)
        try file.sync()
        try disk.rename(checkpoint.path + ".new", to: checkpoint.path)
        for file in try disk.names(in: ViewCheckpoint.directory) where checkpoint.isOutdated(file) {
            try disk.remove(ViewCheckpoint.directory + "/" + file)
        }
        try disk.syncDirectory(ViewCheckpoint.directory)
    }

    /// Removes what was begun.
    ///
    /// - Throws: `DiskError`.
    func abandon() throws(DiskError) { try disk.remove(checkpoint.path + ".new") }
}

/// Reads a checkpoint, entries in key order.
struct ViewCheckpointReader: ~Copyable {
    private let map: MappedFile
    private var reader: ByteReader
    /// The last commit its history is vouched for.
    private let seqMax: UInt64
    /// The entry that comes next; nil at the end.
    private var next: (key: RecordKey, seq: UInt64, item: ByteView)?

    /// Opens a view's checkpoint.
    ///
    /// - Returns: Nil when there is none that is whole, of this version, and of this history.
    init?(_ checkpoint: ViewCheckpoint, of store: Store) {
        self.init(checkpoint, on: store.directory) { id, seq, chain in
            store.read { reader in
                id == store.identity.databaseID && seq <= reader.confirmedHead
                    && reader.chain(atSeq: seq) == chain
            }
        }
    }

    /// Opens a view's checkpoint in a directory; nil as above.
    ///
    /// `isOurs` says whether a commit, and the chain after it, is of the database's history.
    init?(
        _ checkpoint: ViewCheckpoint,
        on disk: any Disk,
        isOurs: (_ database: UniqueID, _ seq: UInt64, _ chain: Hash128) -> Bool
    ) {
        let (map, count): (MappedFile, Int)
        do throws(DiskError) {
            let file = try disk.open(checkpoint.path, .read)
            count = try file.size()
            map = try file.map(max(1, count))
        } catch {
            // None, or none that can be read: it is made anew.
            return nil
        }
        let bytes = map.view[0..<count]
        let (magic, tail) = (ViewCheckpoint.magic, ViewCheckpoint.tailByteCount)
        guard count >= magic.count + tail, bytes[0..<magic.count] == magic,
            CRC32C.extend(0, bytes[0..<count - 4]) == bytes.integer(at: count - 4)
        else { return nil }
        let length = Int(bytes.integer(UInt32.self, at: count - 8))
        let end = count - tail - length
        guard end >= magic.count,
            Array(checkpoint.signature.utf8).withView({ $0 == bytes[end..<end + length] })
        else { return nil }
        func word(_ offset: Int) -> UInt64 {
            bytes.integer(UInt64.self, at: end + length + offset).bigEndian
        }
        let seq = word(16).byteSwapped
        let isTaken = isOurs(
            UniqueID(high: word(0), low: word(8)),
            seq,
            Hash128(high: word(24), low: word(32))
        )
        guard isTaken else { return nil }
        seqMax = seq
        self.map = map
        reader = ByteReader(bytes[magic.count..<end])
        advance()
    }

    /// The item of a version of a record, to be asked for in key order.
    ///
    /// - Returns: Nil when there is none of that version; empty when the record put nothing in.
    mutating func item(of key: RecordKey, seq: UInt64) -> [UInt8]? {
        while let entry = next, entry.key < key { advance() }
        guard seq <= seqMax, let entry = next, entry.key == key, entry.seq == seq else {
            return nil
        }
        return entry.item.array
    }

    private mutating func advance() {
        do throws(ByteReaderError) {
            next = reader.remaining > 0 ? try entry() : nil
        } catch {
            // Its checksum fits, and no writer made it: it ends here.
            next = nil
        }
    }

    private mutating func entry() throws(ByteReaderError) -> (RecordKey, UInt64, ByteView) {
        let id: HoldfastRecords.RecordID
        if try reader.integer(UInt8.self) == 0 {
            id = .number(try reader.integer())
        } else {
            id = .name(try reader.take(Int(try reader.integer(UInt16.self))).array)
        }
        let revision = try reader.integer(UInt32.self)
        let seq = try reader.integer(UInt64.self)
        let item = try reader.take(Int(try reader.integer(UInt32.self)))
        return (RecordKey(id, revision: revision), seq, item)
    }
}
