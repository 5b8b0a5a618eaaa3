// Fetching a snapshot without a server: what is asked for next, whatever comes.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import Holdfast
@testable import HoldfastHTTP

@Suite struct SnapshotFetchTests {
    private static let epoch = Epoch(rawValue: 9)
    private static let database = UniqueID(high: 1, low: 2)

    /// A server's parts, and what it says of them.
    private final class Parts {
        var bytes: [(part: PartReference, bytes: [UInt8])] = []
        var seq: UInt64 = 50

        func add(
            _ count: Int,
            _ fill: UInt8,
            kind: PartKind = .records,
            block: String = "bins"
        ) {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) ^ fill }
            let part = PartReference(
                digest: bytes.withView { SHA256.digest($0) },
                byteCount: count,
                kind: kind,
                block: block,
                effectCount: 1
            )
            self.bytes.append((part, bytes))
        }

        var document: SnapshotDocument {
            SnapshotDocument(
                databaseID: SnapshotFetchTests.database,
                position: Position(epoch: SnapshotFetchTests.epoch, seq: seq),
                chain: Hash128(high: 1, low: 1),
                time: 5,
                trees: ["bins"],
                parts: bytes.map(\.part)
            )
        }

        /// Answers as a server does.
        func answer(_ request: LinkRequest) -> Response {
            if request.path == "/v1/snapshot" {
                var body = ByteBuffer()
                document.append(to: &body)
                return Response(status: 200, fields: [], body: body.array)
            }
            guard let range = request.range,
                let found = bytes.first(where: { request.path.hasSuffix("\($0.part.digest)") })
            else { return Response(status: 404, fields: [], body: []) }
            return Response(status: 206, fields: [], body: Array(found.bytes[range]))
        }
    }

    private func server() -> ServerDocument {
        ServerDocument(
            version: "test",
            databaseID: Self.database,
            application: "stockroom",
            head: Position(epoch: Self.epoch, seq: 60),
            chain: .zero,
            oldest: Position(epoch: Self.epoch, seq: 40)
        )
    }

    private func fetch(
        _ disk: SimulatedDisk = SimulatedDisk(),
        beside own: SimulatedDisk = SimulatedDisk(),
        trees: Set<TreeName>? = nil
    ) throws -> SnapshotFetch {
        try SnapshotFetch(server(), BlockFilter(trees: trees), into: disk, beside: own)
    }

    /// Goes on until all is here; gives what was asked for.
    @discardableResult
    private func run(_ fetch: SnapshotFetch, _ parts: Parts) throws -> [LinkRequest] {
        var asked: [LinkRequest] = []
        while let request = fetch.next() {
            asked.append(request)
            try fetch.take(parts.answer(request))
        }
        return asked
    }

    @Test("Parts come piece by piece, and each is written when it is whole")
    func pieces() throws {
        let disk = SimulatedDisk()
        let parts = Parts()
        parts.add(100, 1)
        parts.add(10 << 20, 2)
        parts.add(50, 3, kind: .changes, block: "")
        let fetch = try fetch(disk)
        let asked = try run(fetch, parts)
        #expect(
            asked.map(\.range) == [
                nil, 0..<100, 0..<4 << 20, 4 << 20..<8 << 20, 8 << 20..<10 << 20,
            ]
        )
        #expect(fetch.manifest?.parts.map(\.byteCount) == [100, 10 << 20])
        for (part, bytes) in parts.bytes.prefix(2) {
            #expect(try disk.contents(of: "parts/\(part.digest)") == bytes)
        }
    }

    @Test(
        "After a cut it goes on behind what has come, on another connection and in another process"
    )
    func cut() throws {
        let disk = SimulatedDisk()
        let parts = Parts()
        parts.add(9 << 20, 1)
        parts.add(100, 2)
        let cut = try fetch(disk)
        for _ in 0..<3 { try cut.take(parts.answer(try #require(cut.next()))) }
        cut.restart(server())
        let rest = try run(cut, parts)
        #expect(rest.map(\.range) == [nil, 8 << 20..<9 << 20, 0..<100])
        // Another process has the parts that were whole.
        let again = try fetch(disk)
        #expect(try run(again, parts).map(\.range) == [nil])
        #expect(again.manifest == cut.manifest)
    }

    @Test("What the present copy has is not asked for; what the next snapshot has not is left out")
    func own() throws {
        let own = SimulatedDisk()
        let parts = Parts()
        parts.add(1000, 1)
        parts.add(1000, 2)
        parts.add(1000, 3)
        try own.makeDirectory("parts")
        try own.replace("parts/\(parts.bytes[1].part.digest)", with: parts.bytes[1].bytes)
        // One that is damaged here is fetched.
        try own.replace("parts/\(parts.bytes[2].part.digest)", with: [1, 2, 3])
        let fetch = try fetch(beside: own)
        #expect(try run(fetch, parts).count == 3)
        #expect(fetch.manifest?.parts.count == 3)
        // The server has another snapshot meanwhile.
        let other = try self.fetch(beside: own)
        for _ in 0..<2 { try other.take(parts.answer(try #require(other.next()))) }
        parts.bytes.removeLast()
        parts.add(500, 4)
        parts.seq = 55
        #expect(throws: SnapshotError.gone) {
            try other.take(Response(status: 404, fields: [], body: []))
        }
        other.restart(server())
        try run(other, parts)
        #expect(other.manifest?.parts.map(\.digest) == parts.bytes.map(\.part.digest))
        #expect(other.manifest?.seq == 55)
    }

    @Test("A mirror of chosen trees asks for no part of another tree")
    func chosen() throws {
        let parts = Parts()
        parts.add(10, 1, block: "_trees")
        parts.add(10, 2, block: "bins")
        parts.add(10, 3, block: "parts")
        parts.add(10, 4, block: "_borrows/bins")
        parts.add(10, 5, block: "_borrows/parts")
        parts.add(10, 6, kind: .tombstones, block: "parts")
        let fetch = try fetch(trees: [try #require(TreeName("bins"))])
        let asked = try run(fetch, parts)
        #expect(asked.count == 4)
        #expect(fetch.manifest?.parts.map(\.block) == ["_trees", "bins", "_borrows/bins"])
    }

    @Test("What is not what was asked for is refused, and not kept")
    func garbled() throws {
        let disk = SimulatedDisk()
        let parts = Parts()
        parts.add(1000, 1)
        let fetch = try fetch(disk)
        try fetch.take(parts.answer(try #require(fetch.next())))
        let good = parts.bytes[0].bytes
        for bad in [Array(good.dropLast()), good + [0], [], good.map { $0 ^ 1 }] {
            #expect(throws: SnapshotError.self) {
                try fetch.take(Response(status: 206, fields: [], body: bad))
            }
        }
        #expect(throws: SnapshotError.refused(status: 500)) {
            try fetch.take(Response(status: 500, fields: [], body: []))
        }
        #expect(try disk.names(in: "parts") == [])
        // All of it, from a server that knows no ranges.
        try fetch.take(Response(status: 200, fields: [], body: good))
        #expect(fetch.next() == nil && fetch.manifest != nil)
        for (text, status) in [("{}", 200), ("no", 200), ("", 503)] {
            let other = try self.fetch()
            #expect(throws: SnapshotError.self) {
                try other.take(Response(status: status, fields: [], body: Array(text.utf8)))
            }
        }
        let foreign = Parts()
        foreign.seq = 0
        let other = try self.fetch()
        #expect(throws: SnapshotError.self) { try run(other, foreign) }
    }

    @Test("A disk that refuses ends it with nothing half written")
    func fullDisk() throws {
        let disk = SimulatedDisk()
        let parts = Parts()
        parts.add(1000, 1)
        let fetch = try fetch(disk)
        try fetch.take(parts.answer(try #require(fetch.next())))
        disk.fail(SimulatedDisk.Fault(.sync))
        let request = try #require(fetch.next())
        #expect(throws: SnapshotError.self) { try fetch.take(parts.answer(request)) }
        #expect(try disk.names(in: "parts").filter { !$0.hasSuffix(".new") } == [])
    }
}
