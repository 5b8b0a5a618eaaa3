// A mirror that begins with nothing, against the real server on the same machine.
internal import Foundation
internal import Holdfast
internal import HoldfastEmbedded
internal import HoldfastStore

/// `first_sync_s`: from `connect` to the end of `firstSync()`, one record of 200 bytes a commit;
/// `first_sync_snapshot_s`: the same, once the server has a snapshot, with the log as its peer.
///
/// Both ends work meanwhile: the server reads and sends its log, the mirror checks every commit
/// against the chain, writes it to its own log, syncs, and folds it.
enum FirstSyncMeasure {
    #if DEBUG
    private static let quickCount = 5000
    #else
    private static let quickCount = 100_000
    #endif

    /// What is mirrored: `Sample.document`.
    private struct Stock: Record {
        var number: Int
        var name: String
        var stock: Int
        var note: String

        static func define(_ tree: inout TreeDefinition<Stock>) {
            tree.name = StoreUnderTest.treeName
            tree.borrow = .optional
        }
    }

    static func run(_ context: Context) throws {
        let count = context.choose(quick: quickCount, whole: 1_000_000)
        let directory = context.folder.fresh("first")
        try fill(directory, count)
        let server = try ServerProcess(data: directory)
        defer { server.stop() }
        let url = "http://127.0.0.1:\(server.port)"
        let rounds = try rounds(context, url, count)
        context.report.add(
            Measurement(
                measure: "first_sync_s",
                unit: "s of \(count)",
                aim: .less,
                rounds: rounds,
                peer: .none(because: "no peer measured")
            )
        )
        try HTTPExchange(port: server.port).require("POST", "/v1/snapshot")
        context.report.add(
            Measurement(
                measure: "first_sync_snapshot_s",
                unit: "s of \(count)",
                aim: .less,
                rounds: try self.rounds(context, url, count),
                peer: .measured("by the log", rounds: rounds)
            )
        )
    }

    private static func rounds(
        _ context: Context,
        _ url: String,
        _ count: Int
    ) throws -> [Double] {
        var rounds: [Double] = []
        for round in 0..<context.choose(quick: 1, whole: 3) {
            let mirror = context.folder.fresh("first-\(round)")
            rounds.append(try Blocking.run { try await sync(url, mirror, count) })
            try FileManager.default.removeItem(atPath: mirror)
        }
        return rounds
    }

    private static func fill(_ directory: String, _ count: Int) throws {
        // The type declares its tree.
        try Blocking.run {
            let database = try await Database.open(
                directory,
                application: "bench",
                trees: [Stock.self]
            )
            try await database.close()
        }
        let opened = try StoreUnderTest(directory)
        for number in 0..<count {
            try opened.insert([Array(Sample.document(byteCount: 200, number: number).utf8)])
            if number % 4096 == 4095 { opened.store.syncStep() }
        }
        try opened.store.close()
    }

    private static func sync(_ url: String, _ mirror: String, _ count: Int) async throws -> Double {
        let start = Clock.nanoseconds
        let database = try await Database.connect(
            to: url,
            mirror: mirror,
            application: "bench",
            trees: [Stock.self]
        )
        try await database.firstSync()
        let seconds = Double(Clock.nanoseconds - start) / 1e9
        for number in [0, count / 2, count - 1] {
            let key = Key<Stock>(Number(UInt64(number + 1)))
            guard try database.withRecord(key, { $0.number }) == number else {
                throw BenchError("record \(key) did not arrive")
            }
        }
        try await database.close()
        return seconds
    }
}
