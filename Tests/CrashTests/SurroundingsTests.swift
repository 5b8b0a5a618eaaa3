// What goes wrong around a database: no descriptors left, its directory gone, writes that come short, a
// clock that is set. Each with what a user is told.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct SurroundingsTests {
    private static let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)
    private static let sizes = PartSizes(least: 500, most: 4096, mask: 3)

    /// Sets a limit of this process: a child's.
    private static func limit(_ resource: __rlimit_resource, _ value: Int) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
        limit.rlim_cur = min(rlim_t(value), limit.rlim_max)
        setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
    }

    private static func demand(_ isRight: Bool, _ what: String) throws {
        guard isRight else { throw Disagreement(what) }
    }

    /// Leaves `count` descriptors to the process while `body` runs.
    private static func leaving<T>(_ count: Int, _ body: () throws -> T) rethrows -> T {
        // The lowest free one: all above the limit are refused.
        let next = dup(0)
        close(next)
        limit(RLIMIT_NOFILE, Int(next) + count)
        defer { limit(RLIMIT_NOFILE, 1024) }
        return try body()
    }

    private static func life(_ folder: String) throws -> StockLife {
        let bench = try StoreBench(PosixDisk(folder, create: true), options: options)
        let life = try StockLife(bench, seed: 1, keepsHistory: true)
        for _ in 0..<60 { try life.step() }
        bench.sync()
        return life
    }

    /// Lives until the store takes no writes.
    private static func fill(_ life: StockLife, steps: Int = 2000) throws {
        for _ in 0..<steps where life.bench.store.writeRefusal == nil {
            try life.step()
            life.bench.sync()
        }
    }

    /// What is durable is read, and is there when the database is opened again, with all rules.
    private static func survives(_ life: StockLife, _ folder: String) throws {
        let durable = life.bench.store.progress.durable
        let shown = life.bench.store.read { $0.state.head }
        try demand(shown == durable, "reads show \(shown), \(durable) is durable")
        try life.models[Int(durable)].compare(with: life.bench.store)
        try? life.bench.store.close()
        // Another seed, or ids would come twice.
        let bench = try StoreBench(
            PosixDisk(folder),
            seed: 2,
            time: life.bench.time,
            options: options
        )
        let head = bench.store.read { $0.state.head }
        try demand(head >= durable, "\(durable) commits were durable, \(head) are there")
        let next = try life.resumed(with: bench, seed: 2)
        try next.model.compare(with: bench.store)
        for _ in 0..<50 { try next.step() }
        bench.sync()
        try bench.store.close()
    }

    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "holdfast-around-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    @Test("Without descriptors opening says so and changes nothing; with them it opens")
    func openingWithoutDescriptors() async throws {
        try await inFolder { folder in
            await #expect(processExitsWith: .success) { [folder = folder as String] in
                let life = try Self.life(folder)
                try life.bench.store.close()
                var refusals = 0
                for count in 0...3 {
                    try Self.leaving(count) {
                        do {
                            try StoreBench(PosixDisk(folder), options: Self.options).store.close()
                        } catch let error as DiskError where error.code == EMFILE {
                            refusals += 1
                        } catch CommitLogError.disk(let error) where error.code == EMFILE {
                            refusals += 1
                        } catch StoreError.log(.disk(let error)) where error.code == EMFILE {
                            try Self.demand("\(error)".contains("Too many open files"), "\(error)")
                            refusals += 1
                        }
                    }
                }
                try Self.demand(refusals >= 3, "\(refusals) refusals")
                try life.bench.reopen(closing: false)
                try life.model.compare(with: life.bench.store)
                try life.bench.store.close()
            }
        }
    }

    @Test(
        "Without descriptors for the next segment writes end, reads go on, nothing durable is lost"
    )
    func rollingWithoutDescriptors() async throws {
        try await inFolder { folder in
            await #expect(processExitsWith: .success) { [folder = folder as String] in
                let life = try Self.life(folder)
                try Self.leaving(0) { try Self.fill(life) }
                let store = life.bench.store
                let failure = store.progress.failure ?? ""
                try Self.demand(failure.contains("Too many open files"), "it says \(failure)")
                // Not that the disk was full.
                try Self.demand(
                    store.writeRefusal?.code == .readOnly,
                    "\(store.writeRefusal as Any)"
                )
                try Self.survives(life, folder)
            }
        }
    }

    @Test("Without descriptors a compaction fails, leaves nothing, and works when there are some")
    func compactingWithoutDescriptors() async throws {
        try await inFolder { folder in
            await #expect(processExitsWith: .success) { [folder = folder as String] in
                let life = try Self.life(folder)
                for count in 0...12 {
                    try Self.leaving(count) {
                        do {
                            try life.bench.store.compact(sizes: Self.sizes)
                            try Self.demand(count > 0, "compacted with \(count) descriptors")
                        } catch StoreError.log(.disk(let error)) where error.code == EMFILE {
                        }
                    }
                    let names = (try? PosixDisk(folder).names(in: "parts")) ?? []
                    try Self.demand(!names.contains { $0.hasSuffix(".new") }, "\(names)")
                    try Self.demand(life.bench.store.writeRefusal == nil, "writes are refused")
                    try life.model.compare(with: life.bench.store)
                    for _ in 0..<10 { try life.step() }
                    life.bench.sync()
                }
                try life.bench.store.compact(sizes: Self.sizes)
                try Self.survives(life, folder)
            }
        }
    }

    @Test("A server with few descriptors lets connections wait, and writes and rolls on")
    func serverWithFewDescriptors() throws {
        try withFolder { folder in
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let program = URL(fileURLWithPath: own).deletingLastPathComponent().path + "/holdfast"
            let (process, output) = (Process(), Pipe())
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = [
                "-c", "ulimit -n 80; exec \"$0\" \"$@\"", program, "serve", "--data", folder,
                "--listen", "127.0.0.1:0", "--application", "stockroom", "--loops", "1",
                "--segment-bytes", "65536",
            ]
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            defer {
                process.terminate()
                process.waitUntilExit()
            }
            var line: [UInt8] = []
            while !line.contains(UInt8(ascii: "\n")) {
                let more = output.fileHandleForReading.availableData
                try #require(!more.isEmpty, "the server does not start")
                line += more
            }
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            let address = String(words[1].dropFirst("http://".count))
            let first = try TestClient(address)
            let tree = try first.send("PUT", "/v1/trees/bins", body: "{\"keys\":\"name\"}")
            #expect(tree.status == 201)
            // More than it has descriptors for: those above its number wait outside.
            var others = try (0..<120).map { _ in try TestClient(address) }
            func figure(_ name: String) throws -> Int {
                let text = try first.send("GET", "/metrics").text
                let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
                return try #require(line.flatMap { Int($0.dropFirst(name.count + 1)) })
            }
            let limit = try figure("holdfast_connections_limit")
            #expect((20...60).contains(limit))
            while try figure("holdfast_accept_pauses_total") == 0 {}
            #expect(try figure("holdfast_connections") == limit)
            #expect(try others[0].send("GET", "/livez").status == 200)
            let value = "\"" + String(repeating: "x", count: 8000) + "\""
            for number in 0..<60 {
                let reply = try first.send(
                    "PUT",
                    "/v1/records/bins/n\(number)",
                    headers: [("If-None-Match", "*")],
                    body: value
                )
                #expect(reply.status == 201, "\(number): \(reply.text)")
            }
            let segments = try FileManager.default.contentsOfDirectory(atPath: folder + "/log")
            #expect(segments.count { $0.hasSuffix(".seg") } > 5)
            #expect(try figure("holdfast_connections") == limit)
            // As others go, those who wait are let in.
            let last = others.removeLast()
            others.removeAll()
            #expect(try last.send("GET", "/readyz").status == 200)
        }
    }

    @Test("A write that comes short is told, and what it left is a torn tail")
    func shortWrite() async throws {
        try await inFolder { folder in
            await #expect(processExitsWith: .success) { [folder = folder as String] in
                let life = try Self.life(folder)
                signal(SIGXFSZ, SIG_IGN)
                // No multiple of anything: the last write that fits in part comes short.
                Self.limit(RLIMIT_FSIZE, 10_007)
                try Self.fill(life)
                let failure = life.bench.store.progress.failure ?? ""
                try Self.demand(failure.contains("File too large"), "it says \(failure)")
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
                limit.rlim_cur = limit.rlim_max
                setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
                try Self.survives(life, folder)
            }
        }
    }

    @Test("A directory that is moved away under a store is written on, and opened where it is now")
    func movedDirectory() throws {
        try withFolder { folder in
            let life = try Self.life(folder)
            let moved = folder + "-moved"
            defer { try? FileManager.default.removeItem(atPath: moved) }
            try FileManager.default.moveItem(atPath: folder, toPath: moved)
            for _ in 0..<300 { try life.step() }
            life.bench.sync()
            #expect(life.bench.store.progress.failure == nil)
            try life.bench.store.compact(sizes: Self.sizes)
            try Self.survives(life, moved)
        }
    }

    @Test("A directory that is removed under a server: clear errors at the next file, reads go on")
    func removedDirectory() throws {
        try withFolder { folder in
            let server = try TestServer(
                disk: PosixDisk(folder, create: true),
                options: Self.options
            )
            let client = try TestClient(server.address)
            let tree = try client.send("PUT", "/v1/trees/bins", body: "{\"keys\":\"name\"}")
            #expect(tree.status == 201)
            let value = "\"" + String(repeating: "x", count: 2000) + "\""
            func put(_ number: Int) throws -> TestReply {
                try client.send(
                    "PUT",
                    "/v1/records/bins/n\(number)",
                    headers: [("If-None-Match", "*")],
                    body: value
                )
            }
            for number in 0..<3 { #expect(try put(number).status == 201) }
            try FileManager.default.removeItem(atPath: folder)
            // What is open is written on; the next file cannot be made.
            var statuses: [Int] = []
            while statuses.count < 100, statuses.last != 503 {
                statuses.append(try put(statuses.count + 3).status)
            }
            #expect(statuses.last == 503, "\(statuses)")
            #expect(Set(statuses).isSubset(of: [201, 503, 504]), "\(statuses)")
            let refused = try put(1000)
            #expect(refused.status == 503)
            #expect(refused.text.contains("\"code\":\"read-only\""), "\(refused.text)")
            #expect(server.store.progress.failure?.contains("No such file") == true)
            // Everything that was acknowledged is read, and nothing else.
            for (number, status) in statuses.enumerated() {
                let reply = try client.send("GET", "/v1/records/bins/n\(number + 3)")
                #expect(reply.status == (status == 201 ? 200 : 404), "\(number): \(status)")
            }
            #expect(try client.send("GET", "/readyz").status == 503)
            #expect(try client.send("GET", "/livez").status == 200)
            // It has nowhere to go: closing may say so.
            try? server.stop()
        }
    }

    @Test("Whatever the clock is set to, time in the log does not go back and nothing lapses early")
    func clock() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk)
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<100 { try life.step() }
        let now = bench.time.wallMilliseconds()
        for wall in [now - 86_400_000, 0, -1, now + 30 * 86_400_000, 253_402_300_799_999, now] {
            let before = bench.store.read { ($0.state.lastTime, $0.state.head) }
            bench.time.set(wallMilliseconds: wall)
            let lines = life.model.borrowLines
            // A grant lapses by time alone: neither a step back nor a leap ends one.
            if wall != now {
                bench.store.tick()
                #expect(bench.store.read { $0.state.head } == before.1, "\(wall)")
                #expect(life.model.borrowLines == lines)
            }
            let name = RecordKey(name: "at \(wall)")
            let put = WriteOperation(
                tree: StockModel.footprints,
                key: name,
                expects: .absent,
                value: Array("{}".utf8)
            )
            #expect(bench.submit([.put(put)]).isAccepted, "\(wall)")
            bench.sync()
            #expect(bench.store.read { $0.state.lastTime } >= before.0, "\(wall)")
            try bench.reopen()
            #expect(bench.store.read { $0.state.lastTime } >= before.0, "\(wall)")
        }
        try bench.store.compareWithFreshFold()
        try bench.store.close()
    }
}
