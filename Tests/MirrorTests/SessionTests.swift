// What an application meets in one session with a real server, beyond one change at a time.
import Foundation
import Holdfast
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

struct SessionBin: Record, Hashable {
    var place: String

    static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<SessionBin>) {
        tree.name = "bins"
    }
}

struct SessionLabel: Record, Hashable {
    typealias ID = Name
    var text: String

    static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<SessionLabel>) {
        tree.name = "labels"
        tree.borrow = .optional
    }
}

/// A folder of mirrors, removed at the end of a test.
final class MirrorFolder {
    let path = NSTemporaryDirectory() + "holdfast-session-\(UUID().uuidString)"

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("\(error)")
        }
    }

    func connect(_ address: String, _ name: String = "m") async throws -> Database {
        try await Database.connect(
            to: "http://" + address,
            mirror: path + "/" + name,
            application: "stockroom",
            trees: [SessionBin.self, SessionLabel.self],
            user: name
        )
    }

    /// Names of the mirror's directories.
    func directories(_ name: String = "m") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + name).sorted()
    }
}

/// Waits until something holds; when it never does, `what` is asked how it stands by then.
func eventually(
    _ what: @autoclosure () -> String,
    _ test: () throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(300)
    while try !test() {
        guard ContinuousClock.now < end else { throw Disagreement("never: \(what())") }
        try await Task.sleep(for: .milliseconds(2))
    }
}

@Suite(.serialized) struct SessionTests {
    @Test("From the first moment on, ten thousand creations of a session find their ids")
    func creations() async throws {
        let server = try TestServer()
        let folder = MirrorFolder()
        // A second mirror finds the trees there, and begins to write at once.
        for (name, sizes) in [("a", [200, 1, 1, 1, 250]), ("b", Array(repeating: 250, count: 40))] {
            let db = try await folder.connect(server.address, name)
            try await db.firstSync()
            let before = count(server)
            var keys: Set<Key<SessionBin>> = []
            for size in sizes {
                let made = try await db.write { tx in
                    try (0..<size).map { try tx.create(SessionBin(place: "\($0)")) }
                }
                keys.formUnion(made.value)
            }
            #expect(keys.count == sizes.reduce(0, +))
            try await eventually("all is accepted") { count(server) == before + keys.count }
            try await db.close()
        }
        #expect(count(server) == 10_453)
        try server.stop()
    }

    private func count(_ server: TestServer) -> Int {
        server.store.read { $0.state.tree(TreeName(any: "bins") ?? .trees)?.count ?? 0 }
    }

    @Test("With the server gone, running out of ids is said at once")
    func exhausted() async throws {
        let server = try TestServer()
        let folder = MirrorFolder()
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        try server.stop()
        try await eventually("it is offline") {
            if case .offline = db.status { true } else { false }
        }
        await #expect(throws: DatabaseError.keysExhausted(tree: "bins")) {
            for _ in 0..<10_000 {
                try await db.write { tx in
                    for _ in 0..<100 { _ = try tx.create(SessionBin(place: "x")) }
                }
            }
        }
        try await db.close()
    }

    @Test("What was just created can be borrowed at once, however often")
    func borrowAfterCreate() async throws {
        let server = try TestServer()
        let folder = MirrorFolder()
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        for number in 0..<25 {
            let made = try await db.write { tx in try tx.create(SessionBin(place: "\(number)")) }
            if number % 3 == 0 { try await made.accepted() }
            if number % 2 == 0 {
                let borrow = try await db.borrow(made.value, wait: .refuse)
                try await db.return(borrow)
            } else {
                try await db.borrowing(made.value) { $0.place += "!" }.accepted()
            }
        }
        #expect(try db.stranded().isEmpty)
        try await db.close()
        try server.stop()
    }

    @Test("Many who wait for the server's word are all told")
    func manyReceipts() async throws {
        let server = try TestServer()
        let folder = MirrorFolder()
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        let count = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<300 {
                let label: Key<SessionLabel> = Key(try #require(Name("l\(number % 290)")))
                do {
                    let made = try await db.write { tx in
                        try tx.create(SessionLabel(text: "\(number)"), at: label)
                    }
                    group.addTask {
                        try await made.accepted()
                        return true
                    }
                } catch DatabaseError.refused(let refusal) where refusal.code == .exists {
                    #expect(number >= 290)
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 290)
        try await db.close()
        try server.stop()
    }

    @Test("Closed in the middle of much: it ends in order, and delivers after the next opening")
    func closedBusy() async throws {
        let server = try TestServer()
        let folder = MirrorFolder()
        let before = count(server)
        for round in 1...2 {
            let db = try await folder.connect(server.address)
            try await db.firstSync()
            for number in 0..<300 {
                try await db.write { tx in
                    for _ in 0..<4 { _ = try tx.create(SessionBin(place: "\(number)")) }
                }
            }
            try await db.close()
            #expect(count(server) <= before + round * 1200)
        }
        let db = try await folder.connect(server.address)
        try await eventually("all is accepted") { count(server) == before + 2400 }
        try await db.close()
        try server.stop()
    }
}
