// A database inside the application: reads, writes, opening, and what a record weighs.
internal import Foundation
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastJSONCoding

/// `typed_read_ns`, `local_write_1`, `cold_open_ms`, `mirror_bytes_per_record`.
///
/// Reads are of one field of decoded records, in random order, everything in memory on all sides;
/// the peers hold the same records. A dictionary of Swift has the values at once and guards them
/// against nothing: it is the limit. SQLite selects by a prepared statement, LMDB gets in one
/// transaction for all: they give bytes that are still to be decoded.
/// The weight is what the process grew by: index, decoded records and caches, log not counted.
enum EmbeddedMeasure {
    #if DEBUG
    private static let quickCount = 10_000
    #else
    private static let quickCount = 200_000
    #endif
    private static let batchCount = 5000

    static func run(_ context: Context) throws {
        let count = context.choose(quick: quickCount, whole: 1_000_000)
        let rounds = context.choose(quick: 3, whole: 7)
        let directory = context.folder.fresh("embedded")
        let keys = try Blocking.run { try await fill(directory, count) }
        let sqlite = try SQLite(context.folder.fresh("embedded.sqlite"))
        let lmdb = try LMDB(context.folder.fresh("embedded.lmdb"))
        try fill(sqlite, lmdb, count)

        let before = residentByteCount
        let (first, _) = try Blocking.run { try await open(directory) }
        try readAll(first, keys)
        let weight = Double(residentByteCount - before) / Double(count)
        add(context, "mirror_bytes_per_record", "bytes", .less, [weight])
        try reads(context, first, keys, sqlite, lmdb, rounds)
        try writes(context, first, keys, rounds)
        try Blocking.run { try await first.close() }

        var opened: [Double] = []
        for _ in 0..<rounds {
            let (database, seconds) = try Blocking.run { try await open(directory) }
            opened.append(seconds * 1000)
            try Blocking.run { try await database.close() }
        }
        add(context, "cold_open_ms", "ms", .less, opened)
    }

    private static func add(
        _ context: Context,
        _ measure: String,
        _ unit: String,
        _ aim: Measurement.Aim,
        _ rounds: [Double],
        _ peer: Measurement.Peer = .none(because: "no peer measured")
    ) {
        context.report.add(
            Measurement(measure: measure, unit: unit, aim: aim, rounds: rounds, peer: peer)
        )
    }

    // MARK: Data

    private static func open(_ directory: String) async throws -> (Database, seconds: Double) {
        let start = Clock.nanoseconds
        let database = try await Database.open(
            directory,
            application: "bench",
            trees: [Part.self],
            cacheByteCount: 4 << 30
        )
        return (database, Double(Clock.nanoseconds - start) / 1e9)
    }

    private static func fill(_ directory: String, _ count: Int) async throws -> [Key<Part>] {
        let (database, _) = try await open(directory)
        var keys: [Key<Part>] = []
        var next = 0
        while next < count {
            let range = next..<min(next + batchCount, count)
            keys += try await database.write { tx in try range.map { try tx.create(Part($0)) } }
                .value
            next = range.upperBound
        }
        try await database.close()
        return keys
    }

    private static func fill(_ sqlite: SQLite?, _ lmdb: LMDB?, _ count: Int) throws {
        let encoder = RecordEncoder()
        var next = 0
        while next < count {
            let range = next..<min(next + batchCount, count)
            let values = try range.map { try encoder.encode(Part($0)) }
            try sqlite?.insert(values[...])
            try lmdb?.append(values, from: next + 1)
            next = range.upperBound
        }
    }

    private static func readAll(_ database: Database, _ keys: [Key<Part>]) throws {
        for (index, key) in keys.enumerated() {
            guard try database.withRecord(key, { $0.stock }) == index else {
                throw BenchError("record \(key) is another one")
            }
        }
    }

    /// Memory of this process.
    private static var residentByteCount: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let words = text.split(separator: " ")
        return words.count > 2 ? ((Int(words[1]) ?? 0) - (Int(words[2]) ?? 0)) * 4096 : 0
    }

    // MARK: Measures

    private static func reads(
        _ context: Context,
        _ database: Database,
        _ keys: [Key<Part>],
        _ sqlite: SQLite?,
        _ lmdb: LMDB?,
        _ rounds: Int
    ) throws {
        let random = SeededRandom(seed: 1)
        let order = (0..<min(keys.count, 200_000)).map { _ in
            Int(random.next() % UInt64(keys.count))
        }
        // One after the other, as the peers get theirs, not by a walk through all keys.
        let asked = order.map { keys[$0] }
        let values = Dictionary(
            uniqueKeysWithValues: keys.enumerated().map { ($1.id.rawValue, Part($0)) }
        )
        var (ours, limit): ([Double], [Double]) = ([], [])
        var (selects, gets): ([Double], [Double]) = ([], [])
        for _ in 0..<rounds {
            var sum = 0
            let seconds = try Clock.seconds {
                for key in asked { sum += try database.withRecord(key) { $0.stock } ?? 0 }
            }
            guard sum == order.reduce(0, +) else { throw BenchError("a read was wrong") }
            ours.append(seconds * 1e9 / Double(order.count))
            limit.append(
                Clock.seconds {
                    for key in asked { sum -= values[key.id.rawValue]?.stock ?? 0 }
                } * 1e9 / Double(order.count)
            )
            guard sum == 0 else { throw BenchError("a dictionary was wrong") }
            if let sqlite { selects.append(try time(order) { try sqlite.valueByteCount(of: $0) }) }
            if let lmdb { gets.append(try time(order) { try lmdb.valueByteCount(of: $0) }) }
        }
        let peers = [
            .measured("dictionary", rounds: limit),
            peer("sqlite", "libsqlite3", selects), peer("lmdb", "liblmdb0", gets),
        ]
        for peer in peers { add(context, "typed_read_ns", "ns", .less, ours, peer) }
    }

    /// Nanoseconds a read of a peer.
    private static func time(_ order: [Int], _ read: (Int) throws -> Int) throws -> Double {
        var byteCount = 0
        let seconds = try Clock.seconds {
            for index in order { byteCount += try read(index + 1) }
        }
        guard byteCount >= order.count * 100 else { throw BenchError("a peer lost a value") }
        return seconds * 1e9 / Double(order.count)
    }

    private static func peer(
        _ name: String,
        _ library: String,
        _ rounds: [Double]
    ) -> Measurement.Peer {
        rounds.isEmpty
            ? .none(because: "\(library) is not installed") : .measured(name, rounds: rounds)
    }

    private static func writes(
        _ context: Context,
        _ database: Database,
        _ keys: [Key<Part>],
        _ rounds: Int
    ) throws {
        let seconds = context.choose(quick: 0.2, whole: 0.6)
        let sqlite = try SQLite(context.folder.fresh("write.sqlite"))
        let value = [Array(Sample.document(byteCount: 200, number: 1).utf8)]
        var ours: [Double] = []
        var theirs: [Double] = []
        for _ in 0..<rounds {
            ours.append(
                try Blocking.run {
                    let start = Clock.nanoseconds
                    var commits = 0
                    while Double(Clock.nanoseconds - start) / 1e9 < seconds {
                        let key = keys[commits % keys.count]
                        try await database.write { tx in try tx.update(key) { $0.minimum += 1 } }
                        commits += 1
                    }
                    return Double(commits) * 1e9 / Double(Clock.nanoseconds - start)
                }
            )
            guard let sqlite else { continue }
            let start = Clock.nanoseconds
            var commits = 0
            while Double(Clock.nanoseconds - start) / 1e9 < seconds {
                try sqlite.insert(value[...])
                commits += 1
            }
            theirs.append(Double(commits) * 1e9 / Double(Clock.nanoseconds - start))
        }
        let peer = peer("sqlite", "libsqlite3", theirs)
        add(context, "local_write_1", "writes/s", .more, ours, peer)
    }
}
