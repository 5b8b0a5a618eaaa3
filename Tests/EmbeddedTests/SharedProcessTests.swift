// Four processes write one database at once; they are killed at any moment and begin again. What
// each was told is there once, and all see the same in the end.
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

@testable import HoldfastEmbedded

/// What a process made.
private struct Ticket: Record, Hashable {
    var owner: Int
    var number: Int
    /// So much that compactions find something to drop.
    var text = String(repeating: "x", count: 60_000)
    static func define(_ tree: inout TreeDefinition<Ticket>) { tree.name = "tickets" }
}

/// What only one of all can have.
private struct Seat: Record, Hashable {
    var place: String
    var owner: Int
    static let byPlace = UniqueIndex<Seat, String>("place", \.place)
    static func define(_ tree: inout TreeDefinition<Seat>) {
        tree.name = "seats"
        tree.unique(byPlace)
    }
}

/// What all of them count up.
private struct Counter: Record, Hashable {
    typealias ID = Name
    var count: Int
    static func define(_ tree: inout TreeDefinition<Counter>) { tree.name = "counters" }
}

private let types: [any Record.Type] = [Ticket.self, Seat.self, Counter.self]

/// What a process was told, a line each, written before it goes on.
private struct Account {
    private let descriptor: Int32

    init(_ path: String) { descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644) }

    func note(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        precondition(write(descriptor, bytes, bytes.count) == bytes.count)
    }

    /// Its lines, in words.
    static func read(_ path: String) throws -> [[Substring]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            .map { $0.split(separator: " ") }
    }
}

@Suite(.serialized) struct SharedProcessTests {
    private static let processCount = 4
    private static let lifeCount = 6
    private static let counter: Key<Counter> = "all"

    /// One life of a process; the last one ends in order, and waits for the others to end.
    private static func live(_ folder: String, _ owner: Int, _ life: Int) async {
        do {
            try await work(folder, owner, life)
        } catch {
            // What the others wait for never comes.
            Account("\(folder)/account-\(owner)").note("failed \(error)")
            exit(EXIT_FAILURE)
        }
    }

    private static func work(_ folder: String, _ owner: Int, _ life: Int) async throws {
        let random = SeededRandom(seed: UInt64(owner * 1000 + life))
        let isLast = life == lifeCount
        if !isLast {
            let microseconds = UInt32(random.within(30_000...400_000))
            Worker.detach {
                usleep(microseconds)
                kill(getpid(), SIGKILL)
            }
        }
        let account = Account("\(folder)/account-\(owner)")
        let db = try await Database.open(
            folder + "/data",
            application: "shared",
            trees: types,
            access: .shared(),
            device: owner.isMultiple(of: 2) ? "one" : "PC-\(owner)"
        )
        var number = 0
        while number < 80 || !isLast {
            number += 1
            switch random.below(10) {
            case 0...3:
                account.note("ticket? \(life) \(number)")
                let made = try await db.write { tx in
                    try tx.create(Ticket(owner: owner, number: life * 1_000_000 + number))
                }
                account.note("ticket \(made.value.id) \(life * 1_000_000 + number)")
            case 4...6:
                account.note("count?")
                let count = try await db.write { tx -> Int in
                    guard try tx.record(counter) != nil else {
                        try tx.create(Counter(count: 1), at: counter)
                        return 1
                    }
                    return try tx.update(counter) { counter in
                        counter.count += 1
                        return counter.count
                    }
                }
                account.note("count \(count.value)")
            case 7...8:
                let place = "\(random.below(400))"
                account.note("seat? \(place)")
                do {
                    try await db.write { _ = try $0.create(Seat(place: place, owner: owner)) }
                    account.note("seat \(place)")
                } catch DatabaseError.refused(let refusal) where refusal.code == .unique {
                    // Whoever has it, it is seen here.
                    guard try db.tree(Seat.self).find(Seat.byPlace, place) != nil else {
                        throw DatabaseError.damaged(file: "seat \(place)", offset: 0)
                    }
                }
            default:
                if owner == 1 { try await db.compact() }
                try await db.refresh()
            }
        }
        account.note("end")
        for other in 0..<processCount {
            let path = "\(folder)/account-\(other)"
            while try Account.read(path).last?.first != "end" {
                if try Account.read(path).contains(where: { $0[0] == "failed" }) {
                    throw Disagreement("process \(other) failed")
                }
                usleep(5_000)
            }
        }
        try await db.refresh()
        let (head, hashes) = db.store.read { ($0.state.position, $0.state.hashes) }
        try await db.close()
        try "\(head) \(hashes)".write(
            toFile: "\(folder)/end-\(owner)",
            atomically: true,
            encoding: .utf8
        )
    }

    /// The process this one is told to be, and which of its lives: `folder owner life`.
    private static let variable = "HOLDFAST_SHARED_PROCESS"

    /// One of the four: this program again, with that variable.
    @Test("A life of one process", .enabled(if: getenv(variable) != nil))
    func life() async throws {
        let words = try #require(getenv(Self.variable).map { String(cString: $0) })
            .split(separator: " ")
        let (owner, life) = (try #require(Int(words[1])), try #require(Int(words[2])))
        await Self.live(String(words[0]), owner, life)
    }

    /// One life after the other, each killed but the last.
    ///
    /// - Returns: Those that ended otherwise.
    private static func run(_ folder: String, _ owner: Int) throws -> [String] {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var others: [String] = []
        for life in 1...lifeCount {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = [
                "--testing-library", "swift-testing", "--filter", "SharedProcessTests/life",
            ]
            var environment = ProcessInfo.processInfo.environment
            environment[variable] = "\(folder) \(owner) \(life)"
            process.environment = environment
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            let isKilled = process.terminationReason == .uncaughtSignal
            let status = process.terminationStatus
            if life < lifeCount ? !isKilled || status != SIGKILL : isKilled || status != 0 {
                others.append("life \(life) of \(owner) ended with \(status)")
            }
        }
        return others
    }

    @Test("Four processes that write, compact and are killed lose nothing, and see the same")
    func fourProcesses() async throws {
        let folder = try Folder()
        let path = folder.path
        let ends = Lock<[String]>([])
        let workers = (0..<Self.processCount).map { owner in
            Worker {
                let others = Result { try Self.run(path, owner) }
                ends.withLock { ends in
                    switch others {
                    case .success(let lives): ends += lives
                    case .failure(let error): ends.append("\(error)")
                    }
                }
            }
        }
        for worker in workers { worker.join() }
        #expect(ends.withLock(\.self).isEmpty, "\(ends.withLock(\.self))")
        let db = try await Database.open(path + "/data", application: "shared", trees: types)
        let (head, hashes) = db.store.read { ($0.state.position, $0.state.hashes) }
        var tickets: [String: (owner: Int, number: Int)] = [:]
        var (seats, counts, asked): ([String: Int], [Int], Int) = ([:], [], 0)
        for owner in 0..<Self.processCount {
            let end = try? String(contentsOfFile: "\(path)/end-\(owner)", encoding: .utf8)
            #expect(end == "\(head) \(hashes)", "process \(owner)")
            for line in try Account.read("\(path)/account-\(owner)") {
                switch line[0] {
                case "ticket":
                    #expect(tickets[String(line[1])] == nil, "id \(line[1]) was given twice")
                    tickets[String(line[1])] = (owner, try #require(Int(line[2])))
                case "seat":
                    #expect(seats[String(line[1])] == nil, "seat \(line[1]) was given twice")
                    seats[String(line[1])] = owner
                case "count": counts.append(try #require(Int(line[1])))
                case "count?": asked += 1
                case "failed": Issue.record("process \(owner) \(line.joined(separator: " "))")
                default: break
                }
            }
        }
        // Each kill leaves one whose outcome nobody was told.
        let killed = Self.processCount * (Self.lifeCount - 1)
        let standing = try db.tree(Ticket.self).all.fetch()
        #expect(Set(standing.map(\.value)).count == standing.count)
        #expect((tickets.count...tickets.count + killed).contains(standing.count))
        for entry in standing {
            guard let told = tickets.removeValue(forKey: "\(entry.key.id)") else { continue }
            #expect(told.owner == entry.value.owner && told.number == entry.value.number)
        }
        #expect(tickets.isEmpty, "lost: \(tickets)")
        for (place, owner) in seats {
            #expect(try db.tree(Seat.self).find(Seat.byPlace, place)?.value.owner == owner)
        }
        #expect(Set(counts).count == counts.count, "an increment was lost")
        let count = try #require(try db[Self.counter]?.count)
        #expect(count >= counts.count && count <= asked && count >= counts.max() ?? 0)
        let disk = try PosixDisk(path + "/data")
        try await db.close()
        var (seqs, oldest): ([UInt64], UInt64) = ([], 0)
        let report = try CommitLog.verify(disk: disk) { seqs.append($0.seq) }
        #expect(report.damages.isEmpty, "\(report.damages)")
        oldest = try #require(seqs.first)
        #expect(seqs == Array(oldest...head.seq))
        try Checkpoint.newest(on: disk)?.verify()
        print("four processes: head \(head.seq), \(counts.count) counts, \(standing.count) tickets")
        #expect(oldest > 1, "no compaction has dropped anything")
        #expect(counts.count > 100 && standing.count > 100 && seats.count > 50)
    }
}
