// The real server, killed with SIGKILL in the middle of its work, again and again.
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

@Suite(.serialized) struct KillTests {
    private static let rounds = 200
    private static let roundsPerDatabase = 25
    private static let clients = 4

    /// The server as a process of its own.
    private final class Child {
        private let process = Process()
        let address: String

        init(data: String) throws {
            let output = Pipe()
            process.executableURL = try Child.executable()
            process.arguments = [
                "serve", "--data", data, "--listen", "127.0.0.1:0", "--application", "stockroom",
                "--loops", "1",
            ]
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            var line: [UInt8] = []
            while !line.contains(UInt8(ascii: "\n")) {
                let more = output.fileHandleForReading.availableData
                guard !more.isEmpty else { throw Disagreement("the server does not start") }
                line += more
            }
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard words.count > 1, words[0] == "ready" else {
                throw Disagreement("the server says \(words)")
            }
            address = String(words[1].dropFirst("http://".count))
        }

        /// Beside the test bundle, where the build put it.
        private static func executable() throws -> URL {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let url = URL(fileURLWithPath: own).deletingLastPathComponent()
                .appendingPathComponent("holdfast")
            guard FileManager.default.isExecutableFile(atPath: url.path) else {
                throw Disagreement("there is no \(url.path); build the product holdfast")
            }
            return url
        }

        /// Ends it at once and waits until it has ended.
        func kill() {
            Glibc.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// A change of two records: one whose name tells if it is lost, one whose id the server
    /// chooses.
    private struct Proposal: Sendable {
        let id: UniqueID
        let text: String

        init(_ name: String) {
            let now = SystemTime().wallMilliseconds()
            id = .version7(milliseconds: now, random: SystemRandom())
            let put = #"{"put":{"tree":"footprints","key":{"name":"\#(name)","revision":0},"#
            text =
                #"{"id":"\#(id)","operations":["# + put + #""expects":"absent","value":{}}},"#
                + #"{"put":{"tree":"bins","expects":"absent","value":{"mark":"\#(name)"}}}]}"#
        }
    }

    /// What the clients of one database know.
    private struct Ledger: Sendable {
        var acknowledged: Set<UniqueID> = []
        /// Sent, and no reply came.
        var open: [Proposal] = []
        var proposed: Set<UniqueID> = []
        var problems: [String] = []
    }

    /// Sends one change; false when the connection ended.
    private static func send(
        _ proposal: Proposal,
        _ client: TestClient,
        _ ledger: Lock<Ledger>
    ) -> Bool {
        ledger.withLock { _ = $0.proposed.insert(proposal.id) }
        guard let reply = try? client.send("POST", "/v1/changes", body: proposal.text) else {
            ledger.withLock { $0.open.append(proposal) }
            return false
        }
        ledger.withLock {
            if reply.status == 200 {
                $0.acknowledged.insert(proposal.id)
            } else {
                $0.problems.append("\(reply.status) \(reply.text)")
            }
        }
        return true
    }

    /// Four clients write until the server is killed.
    private func load(
        _ child: Child,
        _ ledger: Lock<Ledger>,
        _ round: Int,
        _ random: SeededRandom
    ) {
        let address = child.address
        let workers = (0..<Self.clients).map { index in
            Worker {
                guard let client = try? TestClient(address) else { return }
                var number = 0
                while Self.send(Proposal("r\(round)-\(index)-\(number)"), client, ledger) {
                    number += 1
                }
            }
        }
        usleep(UInt32(random.within(5_000...80_000)))
        child.kill()
        for worker in workers { worker.join() }
    }

    /// Opens what the killed server left, beside no server.
    private func check(_ folder: String, _ ledger: Ledger) throws {
        try #require(ledger.problems.isEmpty, "\(ledger.problems.prefix(3))")
        let store = try Store(
            disk: PosixDisk(folder),
            application: "stockroom",
            logger: StoreBench.silent
        )
        try store.compareWithFreshFold()
        let changes = try LogCopy(store.logReader()).changes
        let known = Set(changes)
        try #require(known.count == changes.count, "a change is there twice")
        let lost = ledger.acknowledged.subtracting(known)
        try #require(lost.isEmpty, "\(lost.count) acknowledged changes are lost")
        // All that is there was proposed; three commits declared the trees.
        try #require(known.subtracting(ledger.proposed).count == 3)
        let counts = store.read { reader in
            [StockModel.footprints, StockModel.bins].map { reader.state.tree($0)?.count }
        }
        try #require(counts == [changes.count - 3, changes.count - 3], "half a commit")
        try store.close()
    }

    @Test("200 kills at random moments: what was acknowledged is there, once, and nothing is half")
    func kills() throws {
        let random = SeededRandom(seed: Seed.chosen ?? 1)
        var acknowledged = 0
        var lost = 0
        for _ in 0..<Self.rounds / Self.roundsPerDatabase {
            let folder = NSTemporaryDirectory() + "holdfast-kill-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let ledger = Lock(Ledger())
            for round in 0..<Self.roundsPerDatabase {
                let child = try Child(data: folder)
                if round == 0 {
                    let client = try TestClient(child.address)
                    for (tree, keys) in [("parts", "id"), ("bins", "id"), ("footprints", "name")] {
                        let reply = try client.send(
                            "PUT",
                            "/v1/trees/\(tree)",
                            body: #"{"keys":"\#(keys)"}"#
                        )
                        try #require(reply.status == 201)
                    }
                }
                // What nobody answered is sent again, and done once.
                let open = ledger.withLock { ledger in
                    defer { ledger.open = [] }
                    return ledger.open
                }
                let client = try TestClient(child.address)
                for proposal in open { #expect(Self.send(proposal, client, ledger)) }
                lost += open.count
                load(child, ledger, round, random)
                if round % 5 == 4 {
                    try check(folder, ledger.withLock { $0 })
                }
            }
            acknowledged += ledger.withLock { $0.acknowledged.count }
        }
        #expect(acknowledged > Self.rounds, "the clients hardly wrote")
        #expect(lost > 0, "no kill met a change on its way")
        print("kills: \(Self.rounds), acknowledged: \(acknowledged), sent again: \(lost)")
    }
}
