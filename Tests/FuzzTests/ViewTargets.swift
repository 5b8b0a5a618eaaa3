// What embedded databases keep of views.
import HoldfastBasics
import HoldfastRecords
import HoldfastStorage

@testable import HoldfastEmbedded

/// Checkpoints of views made of any bytes.
enum ViewTargets {
    static let checkpoint = ViewCheckpoint(
        tree: .devices,
        kind: "view",
        name: "sum",
        version: 1,
        signature: "s"
    )

    private struct Entry {
        let key: RecordKey
        let seq: UInt64
        let item: [UInt8]
    }

    /// Mode: bit 0 mends the magic, the signature and the checksum.
    static func checkpoint(_ input: [UInt8]) throws {
        guard let mode = input.first, let checkpoint else { return }
        var bytes = Array(input.dropFirst())
        if mode & 1 != 0 { mend(&bytes) }
        let disk = FuzzDisk()
        disk.put(checkpoint.path, bytes)
        var last: UInt64 = 0
        let found = ViewCheckpointReader(checkpoint, on: disk) { _, seq, _ in
            last = seq
            return true
        }
        guard var reader = consume found else { return }
        let entries = entries(bytes)
        // Asked for in the order of keys, the first of each key counts, as long as keys ascend.
        var asked: RecordKey?
        for entry in entries {
            guard asked.map({ $0 < entry.key }) ?? true else { break }
            asked = entry.key
            let item = reader.item(of: entry.key, seq: entry.seq)
            try demand(
                item == (entry.seq <= last ? entry.item : nil),
                "an item is as it was written, or too young"
            )
            try demand(
                reader.item(of: entry.key, seq: entry.seq &+ 1) == nil,
                "an item is of one version"
            )
        }
        try demand(
            reader.item(of: RecordKey(.name([0xFF]), revision: .max), seq: 0) == nil,
            "nothing is behind the end"
        )
    }

    /// The entries once more, by offsets alone.
    private static func entries(_ bytes: [UInt8]) -> [Entry] {
        let end = bytes.count - 48 - 1
        var entries: [Entry] = []
        var at = 8
        func number(_ offset: Int, _ count: Int) -> UInt64? {
            guard offset + count <= end else { return nil }
            return (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
        }
        while at < end {
            var id = HoldfastRecords.RecordID.number(0)
            if bytes[at] == 0 {
                guard let value = number(at + 1, 8) else { return entries }
                id = .number(value)
                at += 9
            } else {
                guard let length = number(at + 1, 2).map({ Int($0) }), at + 3 + length <= end
                else { return entries }
                id = .name(Array(bytes[at + 3..<at + 3 + length]))
                at += 3 + length
            }
            guard let revision = number(at, 4), let seq = number(at + 4, 8),
                let length = number(at + 12, 4).map({ Int($0) }), at + 16 + length <= end
            else { return entries }
            let item = Array(bytes[at + 16..<at + 16 + length])
            let key = RecordKey(id, revision: UInt32(revision))
            entries.append(Entry(key: key, seq: seq, item: item))
            at += 16 + length
        }
        return entries
    }

    private static func mend(_ bytes: inout [UInt8]) {
        guard bytes.count >= 8 + 1 + 48 else { return }
        bytes.replaceSubrange(0..<8, with: Array("HFVIEW01".utf8))
        bytes[bytes.count - 49] = UInt8(ascii: "s")
        bytes.replaceSubrange(bytes.count - 8..<bytes.count - 4, with: [1, 0, 0, 0])
        let crc = bytes.withView { CRC32C.extend(0, $0[0..<$0.count - 4]) }
        for index in 0..<4 {
            bytes[bytes.count - 4 + index] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(index)))
        }
    }

    // MARK: Seeds

    /// Checkpoints the product writes: of no record, of numbers, of names.
    static func seeds() throws -> [[UInt8]] {
        guard let checkpoint else { return [] }
        let keys = (1...9).map { RecordKey(number: UInt64($0) * 3, revision: UInt32($0 % 2)) }
        let names = ["a", "b", "ba", "c/d"].map { RecordKey(name: $0) }
        return try [[], keys, names].map { keys in
            let disk = FuzzDisk()
            var writer = try ViewCheckpointWriter(checkpoint, on: disk)
            for (number, key) in keys.enumerated() {
                writer.append(key, seq: UInt64(number) * 5 + 1) { buffer in
                    if number % 3 > 0 { buffer.append(text: "{\"a\":\(number)}") }
                    return number % 4 != 3
                }
            }
            try writer.flush()
            let id = UniqueID(high: 7, low: 8)
            try writer.finish(id, (seq: 30, chain: Hash128(high: 1, low: 2)))
            return [1] + (try disk.contents(of: checkpoint.path))
        }
    }
}
