// The README's tutorial: its snippets stand here, word for word, and run.
//
// What stands between `// README: NAME` and `// README: end`, less the indentation of the marker,
// is the README's block "```swift NAME".
import Foundation
import Holdfast
import HoldfastEngine
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

private struct Manual: Record {
    typealias ID = Name
    var sheet: FileRef

    static func define(_ tree: inout Holdfast.TreeDefinition<Manual>) {
        tree.name = "manuals"
    }
}

@Suite(.serialized) struct TutorialTests {
    private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    private static let root = tests.deletingLastPathComponent().deletingLastPathComponent()

    /// The README's blocks of Swift, by name.
    private func blocks() throws -> [String: String] {
        let readme = Self.root.appending(path: "README.md")
        var blocks: [String: String] = [:]
        var name: String?
        for line in try String(contentsOf: readme, encoding: .utf8).components(separatedBy: "\n") {
            if line.hasPrefix("```swift") {
                let found = String(line.dropFirst("```swift ".count))
                try #require(!found.isEmpty && blocks[found] == nil, "a block needs its own name")
                name = found
                blocks[found] = ""
            } else if line == "```" {
                name = nil
            } else if let name {
                blocks[name, default: ""] += line + "\n"
            }
        }
        return blocks
    }

    /// The snippets of a test's source, by name.
    private func snippets(_ file: String) throws -> [String: String] {
        let source = Self.tests.appending(path: file)
        let marker = "// README: "
        var snippets: [String: String] = [:]
        var open: (name: String, indentation: String)?
        for line in try String(contentsOf: source, encoding: .utf8).components(separatedBy: "\n") {
            let indentation = String(line.prefix { $0 == " " })
            let text = line.dropFirst(indentation.count)
            if text.hasPrefix(marker) {
                let name = String(text.dropFirst(marker.count))
                open = name == "end" ? nil : (name, indentation)
            } else if let open {
                try #require(line.isEmpty || line.hasPrefix(open.indentation))
                snippets[open.name, default: ""] += line.dropFirst(open.indentation.count) + "\n"
            }
        }
        return snippets
    }

    /// A folder for a test; removed afterwards.
    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/tutorial-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(folder))
        } catch {
            result = .failure(error)
        }
        try FileManager.default.removeItem(atPath: folder)
        try result.get()
    }

    private func connect(_ address: String, _ folder: String) async throws -> Database {
        try await Database.connect(
            to: "http://" + address,
            mirror: folder + "/mirror",
            application: "stockroom",
            trees: [Shelf.self, Reel.self],
            user: "anna"
        )
    }

    @Test("Every Swift block of the README is code that these tests run")
    func same() throws {
        var blocks = try blocks()
        #expect(blocks.removeValue(forKey: "Package.swift") != nil)
        var run = try snippets("TutorialTests.swift")
        run.merge(try snippets("TutorialProgram.swift")) { a, _ in a }
        run.merge(try snippets("TutorialViews.swift")) { a, _ in a }
        #expect(run.count == 11)
        #expect(Set(blocks.keys) == Set(run.keys))
        for (name, text) in run { #expect(blocks[name] == text, "the block \(name)") }
        let program = (run["main.swift"] ?? "") + (run["start"] ?? "")
        #expect(program.split(separator: "\n").count <= 40)
    }

    @Test("The manifest of the README finds the product in a folder beside the application's")
    func manifest() async throws {
        try await inFolder { folder in
            let manager = FileManager.default
            let package = folder + "/stockroom"
            try manager.createSymbolicLink(
                atPath: folder + "/holdfast",
                withDestinationPath: Self.root.path
            )
            try manager.createDirectory(
                atPath: package + "/Sources/stockroom",
                withIntermediateDirectories: true
            )
            let blocks = try blocks()
            for (path, name) in [
                ("Package.swift", "Package.swift"), ("Sources/stockroom/main.swift", "main.swift"),
            ] {
                let text = try #require(blocks[name])
                try text.write(toFile: package + "/" + path, atomically: true, encoding: .utf8)
            }
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [
                "swift", "package", "--package-path", package, "show-dependencies",
            ]
            let output = Foundation.Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let said = String(
                decoding: output.fileHandleForReading.readDataToEndOfFile(),
                as: UTF8.self
            )
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(said)")
            #expect(said.contains("holdfast"), "\(said)")
            #expect(!said.contains("warning:") && !said.contains("error:"), "\(said)")
        }
    }

    @Test("The program makes a reel, at the server too, and another one when it is run again")
    func program() async throws {
        try await inFolder { folder in
            let server = try TestServer()
            /// The program, with the addresses of this test for those that stand in the README.
            func stockroom(server address: String, mirror: String) async throws {
                #expect(address == "http://127.0.0.1:7070" && mirror == "mirror")
                try await MirrorTests.stockroom(
                    server: "http://" + server.address,
                    mirror: folder + "/" + mirror
                )
            }
            // README: start
            try await stockroom(server: "http://127.0.0.1:7070", mirror: "mirror")
            // README: end
            let reel = try server.send("GET", "/v1/records/reels/1")
            #expect(reel.status == 200)
            #expect(reel.text == #"{"part":"R-100","count":4980,"shelf":"A1.0"}"#)
            try await stockroom(server: "http://127.0.0.1:7070", mirror: "mirror")
            let reels = try server.send(
                "GET",
                "/v1/records/reels",
                headers: [("Accept", "application/x-ndjson")]
            )
            #expect(reels.text.components(separatedBy: "R-100").count == 3, "two reels")
            try server.stop()
        }
    }

    @Test("Files go as the README says")
    func files() async throws {
        try await inFolder { directory in
            let server = try TestServer()
            let db = try await Database.connect(
                to: "http://" + server.address,
                mirror: directory + "/mirror",
                application: "stockroom",
                trees: [Manual.self],
                user: "anna"
            )
            try await db.firstSync()
            let bytes = Data("a sheet".utf8)
            try bytes.write(to: URL(filePath: directory + "/r100.pdf"))
            // README: files
            let pdf = "application/pdf"
            let sheet = try await db.attach(contentsOf: directory + "/r100.pdf", type: pdf)
            try await db.write { tx in try tx.put(Manual(sheet: sheet), at: "R-100") }
            if let known = try db.record("R-100" as Key<Manual>)?.sheet {
                let content = try await db.content(of: known)
                print(known.name, content.byteCount)
                try await content.copy(to: directory + "/shown.pdf")
            }
            // README: end
            let shown = try Data(contentsOf: URL(filePath: directory + "/shown.pdf"))
            #expect(shown == bytes)
            #expect(sheet.name == "r100.pdf")
            try await db.close()
            try server.stop()
        }
    }

    @Test("Reading, borrowing and live rows go as the README says")
    func online() async throws {
        try await inFolder { folder in
            let server = try TestServer()
            let db = try await connect(server.address, folder)
            try await db.firstSync()
            let made = try await db.write { tx in
                try tx.create(Shelf(title: "Resistors"), at: "A1")
                return try tx.create(Reel(part: "R-100", count: 50, shelf: "A1"))
            }
            try await made.accepted()
            let key = made.value
            // A record that was made here is its maker's until nothing of it waits any more.
            try await eventually("nothing is borrowed") { try db.borrows(mine: false).isEmpty }
            // README: reading
            let count = try db.withRecord(key) { $0.count }
            let reels = db.tree(Reel.self)
            let low = try reels.filter { $0.count < 100 }.sorted(by: \.part).limit(20).fetch()
            for reel in low { print(reel.key, reel.part, reel.meta.modifiedAt) }
            let place = try db.read { view in
                guard let shelf = try view.record(key)?.shelf else { return "no shelf" }
                return try view.record(shelf)?.title ?? "a shelf that is gone"
            }
            // README: end
            #expect(count == 50)
            #expect(low.map(\.key) == [key])
            #expect(place == "Resistors")
            // README: live
            for try await now in reels.filter({ $0.count < 100 }).live() {
                print("\(now.rows.count) reels are low; the mirror is \(now.freshness)")
                guard let first = now.rows.first else { break }
                try await db.borrowing(first.key, why: "filled up") { $0.count += 5000 }
            }
            // README: end
            #expect(try db[key]?.count == 5050)
            // README: borrowing
            try await db.borrowing(key, wait: .queue, why: "counted") { $0.count = 4960 }

            let held = try await db.borrow(key, wait: .queueFor(.seconds(30)), note: "counting")
            let counted = try await db.write { tx in try tx.update(key) { $0.count -= 20 } }
            try await counted.accepted()
            try await db.return(held)
            // README: end
            #expect(try db[key]?.count == 4940)
            try await eventually("nothing is borrowed") { try db.borrows(mine: false).isEmpty }
            let reel = try server.send("GET", "/v1/records/reels/\(key.id)")
            #expect(reel.text == #"{"part":"R-100","count":4940,"shelf":"A1.0"}"#)
            try await db.close()
            try server.stop()
        }
    }

    @Test("Offline work waits, and what is refused is stranded, as the README says")
    func offline() async throws {
        try await inFolder { folder in
            let disk = SimulatedDisk()
            let server = try TestServer(disk: disk)
            let address = server.address
            let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
            var db = try await connect(address, folder)
            try await db.firstSync()
            let key = try await db.write { tx in
                try tx.create(Reel(part: "R-100", count: 5000))
            }.value
            try await eventually("it is accepted, and nothing is borrowed") {
                try db.record(key)?.meta.pending == false && db.borrows().isEmpty
            }
            try server.stop()
            try await eventually("it is offline") {
                if case .offline = db.status { true } else { false }
            }
            // README: offline
            let found = try await db.write(why: "found in the cellar") { tx in
                try tx.create(Shelf(title: "Cellar"), at: "B2")
                return try tx.create(Reel(part: "C-10", count: 300, shelf: "B2"))
            }
            print(found.value, try db.record(found.value)?.meta.pending ?? false, db.status)
            do {
                try await db.write { tx in try tx.update(key) { $0.count -= 20 } }
            } catch DatabaseError.refused(let refusal) where refusal.code == .borrowNeeded {
                print(refusal)
            }
            // README: end
            #expect(try db.record(found.value)?.meta.pending == true)
            #expect(try db.record(key)?.count == 5000)
            let free = try await db.write { tx in try tx.create(Reel(part: "C-11", count: 1)) }
            try await db.close()
            // Somebody else has made a shelf B2 before the mirror is back.
            let again = try TestServer(disk: disk) { $0.port = port }
            let put = try again.send(
                "PUT",
                "/v1/records/shelves/B2",
                headers: [("If-None-Match", "*"), ("Content-Type", "application/json")],
                body: #"{"title":"Capacitors"}"#
            )
            #expect(put.status == 201)
            db = try await connect(address, folder)
            try await eventually("the refusal came") { try db.stranded().count == 1 }
            #expect(try db.stranded().first?.items.count == 2)
            #expect(try db["B2" as Key<Shelf>]?.title == "Capacitors")
            #expect(try db.record(found.value) == nil)
            try await eventually("the other change is accepted") {
                try db.record(free.value)?.meta.pending == false
            }
            // README: stranded
            for change in try db.stranded() {
                print(change.refusal)
                for item in change.items {
                    print(item.key, item.mine?.description ?? "-", item.current?.description ?? "-")
                }
                try await change.drop()
            }
            // README: end
            #expect(try db.stranded().isEmpty)
            try await db.close()
            try again.stop()
        }
    }

    @Test("Views answer as the README says")
    func views() async throws {
        try await inFolder { folder in
            let db = try await Database.open(folder, application: "rig", trees: [Stock.self])
            try await db.write { tx in
                for (part, title, place, count) in [
                    ("R-100", "Resistor 10k", "A1", 5000), ("C-10", "Capacitor 10n", "A1", 80),
                    ("C-11", "Capacitor 22n", "B2", 300), ("T-1", "Übertrager 1:10", "B2", 7),
                    ("T-2", "UBERTRAGER 10:10", "B2", 900),
                ] {
                    _ = try tx.create(Stock(part: part, title: title, place: place, count: count))
                }
            }
            // README: asking
            let stock = db.tree(Stock.self)
            let one = try stock.find(Stock.byPart, "R-100")
            let capacitors = try stock.with(Stock.byTitle, prefix: "Capacitor").fetch()
            let few = try stock.with(Stock.byCount, in: ..<100).fetch()
            let most = try stock.ordered(by: Stock.byCount, .reverse).limit(3).fetch()
            let found = try stock.matching("übertrager 10").fetch()
            let atA1 = try stock.count(Stock.perPlace, "A1")
            let perPlace = try stock.counts(Stock.perPlace).map { "\($0.value): \($0.count)" }
            let pieces = try stock.withView(Pieces()) { $0["A1"] ?? 0 }
            // README: end
            #expect(one?.title == "Resistor 10k")
            #expect(capacitors.map(\.part) == ["C-10", "C-11"])
            #expect(few.map(\.part) == ["T-1", "C-10"])
            #expect(most.map(\.part) == ["R-100", "T-2", "C-11"])
            #expect(found.map(\.part) == ["T-2", "T-1"])
            #expect(atA1 == 2 && perPlace == ["A1: 2", "B2: 3"] && pieces == 5080)
            try await db.close()
        }
    }

    @Test("The embedded database works as the README says")
    func embedded() async throws {
        try await inFolder { folder in
            let directory = folder + "/data"
            // README: embedded
            let trees: [any Record.Type] = [Shelf.self, Reel.self]
            let db = try await Database.open(directory, application: "rig", trees: trees)
            let made = try await db.write { tx in
                try tx.create(Reel(part: "R-100", count: 5000))
            }
            try await db.borrowing(made.value, why: "counted") { $0.count = 4980 }
            print(made.value, try db[made.value]?.count ?? 0)
            try await db.compact(keeping: .seconds(30 * 86_400))
            try await db.close()
            // README: end
            let again = try await Database.open(directory, application: "rig", trees: trees)
            #expect(try again[made.value]?.count == 4980)
            try await again.close()
        }
    }
}
