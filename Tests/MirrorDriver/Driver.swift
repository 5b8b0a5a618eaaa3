// The commands. Every one is a task of its own: one that waits keeps no other from being read.
import Foundation
import Holdfast

/// What stands in the command line.
private struct Options {
    var server = ""
    var mirror = ""
    var application = "stockroom"
    var user = "local"
    var token: String?

    init(_ words: [String]) throws {
        var rest = words[...]
        while let flag = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Mistake(description: "\(flag) what?") }
            switch flag {
            case "--server": server = value
            case "--mirror": mirror = value
            case "--application": application = value
            case "--user": user = value
            case "--token": token = value
            default: throw Mistake(description: "no such flag: \(flag)")
            }
        }
    }
}

/// One open mirror.
final class Driver: Sendable {
    private let database: Database

    private struct Nothing: Encodable {}
    private struct Written: Encodable {
        var change: String
        var keys: [String]
        var position: String?
    }
    private struct Standing: Encodable {
        var status: String
        var detail: String?
        var position: String
        var pending: Int?
    }
    private struct Borrowed: Encodable {
        var id: String
        var tree: String
        var key: String
        var user: String
        var place: Int
    }
    private struct Ledger: Encodable {
        var position: String
        var stock: Int?
        var moves: Int
        var sum: Int
    }
    private struct Stranded: Encodable {
        var id: String
        var code: String
        var items: [String]
    }
    private struct Dumped: Encodable {
        var position: String
        var count: Int
    }

    private init(_ options: Options) async throws {
        database = try await Database.connect(
            to: options.server,
            token: options.token,
            mirror: options.mirror,
            application: options.application,
            trees: stockroomTrees,
            user: options.user
        )
    }

    /// Opens the mirror, says so as the answer to request 0, and obeys until its input ends.
    static func run(_ words: [String]) async -> Int32 {
        do {
            let driver = try await Driver(try Options(words))
            Output.done(0, driver.standing())
            return await driver.obey()
        } catch {
            Output.failed(0, error)
            return 1
        }
    }

    /// Carries out requests until `close`, or the end of the input, which closes as well.
    private func obey() async -> Int32 {
        var last = 0
        for await line in Self.lines() {
            do {
                let request = try JSONDecoder().decode(Request.self, from: Data(line.utf8))
                if request.run == "close" {
                    last = request.id
                    break
                }
                Task { await answer(request) }
            } catch {
                Output.failed(0, error)
            }
        }
        do {
            try await database.close()
            Output.done(last, Nothing())
            return 0
        } catch {
            Output.failed(last, error)
            return 1
        }
    }

    /// Standard input, read on a thread of its own: tasks must not block theirs.
    private static func lines() -> AsyncStream<String> {
        AsyncStream { lines in
            Thread.detachNewThread {
                while let line = readLine() { lines.yield(line) }
                lines.finish()
            }
        }
    }

    private func answer(_ request: Request) async {
        do {
            Output.done(request.id, try await perform(request))
        } catch {
            Output.failed(request.id, error)
        }
    }

    private func perform(_ request: Request) async throws -> any Encodable & Sendable {
        switch request.run {
        case "status": return standing()
        case "sync":
            try await database.firstSync()
            return standing()
        case "import": return try await bring(request)
        case "write": return try await write(request)
        case "storm": return try await storm(request)
        case "grasp": return try await grasp(request)
        case "get":
            let key = request.key ?? ""
            return try TreeCommands.named(request.tree).shown(database, key).map { [$0] } ?? []
        case "dump": return try dump(try given(request.path))
        case "ledger": return try ledger(try given(request.key))
        case "borrow": return try await borrow(request)
        case "return":
            guard let id = UUID(uuidString: try given(request.name)) else {
                throw Mistake(description: "no id")
            }
            try await TreeCommands.named(request.tree).giveBack(database, id)
            return Nothing()
        case "borrows": return try borrows()
        case "compact":
            let report = try await database.compact()
            return Compacted(
                oldest: report?.oldest.seq ?? 0,
                freed: report?.freedByteCount ?? 0,
                written: report?.writtenByteCount ?? 0
            )
        case "stranded": return try stranded()
        case "drop":
            let name = try given(request.name)
            for change in try database.stranded() where Self.text(change.id) == name {
                try await change.drop()
            }
            return Nothing()
        default: throw Mistake(description: "no such command: \(request.run)")
        }
    }

    private func given(_ text: String?) throws -> String {
        guard let text else { throw Mistake(description: "something is not given") }
        return text
    }

    private static func text(_ id: UUID) -> String { id.uuidString.lowercased() }

    // MARK: Reading

    private func standing() -> Standing {
        let (status, detail): (String, String?) =
            switch database.status {
            case .embedded: ("embedded", nil)
            case .readOnly: ("read-only", nil)
            case .live: ("live", nil)
            case .catchingUp(let count): ("catching up", "\(count)")
            case .offline(let since): ("offline", "\(since)")
            case .refused(let why): ("refused", why)
            }
        do {
            let position = try database.read { "\($0.position)" }
            return Standing(status: status, detail: detail, position: position)
        } catch {
            return Standing(status: status, detail: detail, position: "\(error)")
        }
    }

    /// A part's stock and the moves it is the sum of, at one position.
    private func ledger(_ key: String) throws -> Ledger {
        guard let key = Key<Part>(text: key) else { throw Mistake(description: "no key") }
        let moves = database.tree(Move.self).filter { $0.part == key }
        return try database.read { view in
            let quantities = try view.fetch(moves).map(\.quantity)
            return Ledger(
                position: "\(view.position)",
                stock: try view.record(key)?.stock,
                moves: quantities.count,
                sum: quantities.reduce(0, +)
            )
        }
    }

    /// Every record as it is stored, one a line.
    private func dump(_ path: String) throws -> Dumped {
        var text = Data()
        var count = 0
        let position = try database.read { "\($0.position)" }
        for name in TreeCommands.all.keys.sorted() {
            let tree = try database.anyTree(name)
            for key in try tree.keys() {
                guard let value = try tree.record(key) else { continue }
                let name = try JSONDocument(encoding: [key.tree, key.text])
                text += Data("{\"key\":\(name),\"value\":\(value)}\n".utf8)
                count += 1
            }
        }
        try text.write(to: URL(filePath: path))
        return Dumped(position: position, count: count)
    }

    private func borrows() throws -> [Borrowed] {
        try database.borrows(mine: false).map { borrow in
            Borrowed(
                id: Self.text(borrow.id),
                tree: borrow.key.tree,
                key: borrow.key.text,
                user: borrow.user,
                place: borrow.place ?? 0
            )
        }
    }

    private func stranded() throws -> [Stranded] {
        try database.stranded().map { change in
            Stranded(
                id: Self.text(change.id),
                code: change.refusal.code.rawValue,
                items: change.items.map { "\($0.key)" }
            )
        }
    }

    // MARK: Writing

    private func bring(_ request: Request) async throws -> Imported {
        let (imported, receipts) = try await Imported.run(try given(request.path), database)
        Output.told(request.id, imported)
        for receipt in receipts { try await receipt.accepted() }
        return imported
    }

    private func write(_ request: Request) async throws -> Written {
        let steps = request.operations ?? []
        let receipt = try await database.write(why: request.why) { tx in
            var keys: [String] = []
            for step in steps { keys.append(try Self.perform(step, &tx, keys)) }
            return keys
        }
        var written = Written(change: Self.text(receipt.changeID), keys: receipt.value)
        if request.accepted ?? false { written.position = "\(try await receipt.accepted())" }
        return written
    }

    private static func perform(
        _ given: Step,
        _ tx: inout Transaction,
        _ keys: [String]
    ) throws -> String {
        var step = given
        for (index, key) in keys.enumerated() {
            step.value = step.value?.replacingOccurrences(of: "\"@\(index)\"", with: "\"\(key)\"")
            if step.key == "@\(index)" { step.key = key }
        }
        let tree = try TreeCommands.named(step.tree)
        switch (step.run, step.key) {
        case ("create", let key): return try tree.create(&tx, step.value ?? "{}", key)
        case ("update", .some): return try tree.update(&tx, step)
        case ("delete", .some(let key)): try tree.delete(&tx, key)
        case ("release", .some(let key)): try tree.release(&tx, key)
        default: throw Mistake(description: "no such operation: \(step.run)")
        }
        return step.key ?? ""
    }

    /// Creates bins, one change after the other, and tells each when it is durable here, or
    /// accepted.
    private func storm(_ request: Request) async throws -> Nothing {
        let text = try given(request.text)
        for number in 0..<(request.count ?? .max) {
            let receipt = try await database.write(why: "storm") { tx in
                try (0..<(request.each ?? 1)).map { index in
                    "\(try tx.create(Bin(label: "\(text)-\(number)-\(index)", title: "made")))"
                }
            }
            var written = Written(change: Self.text(receipt.changeID), keys: receipt.value)
            if request.accepted ?? false { written.position = "\(try await receipt.accepted())" }
            Output.told(request.id, written)
        }
        return Nothing()
    }

    /// Takes an id for a bin, tells it, and never goes on: whoever asked kills the process.
    private func grasp(_ request: Request) async throws -> Nothing {
        try await database.write { tx in
            let key = try tx.create(Bin(label: try given(request.text), title: "never made"))
            Output.told(request.id, Written(change: "", keys: ["\(key)"]))
            while true { Thread.sleep(forTimeInterval: 3600) }
        }
        return Nothing()
    }

    private func borrow(_ request: Request) async throws -> Borrowed {
        let key = try given(request.key)
        let wait: Database.Wait = request.queue ?? false ? .queue : .refuse
        let id = try await TreeCommands.named(request.tree).borrow(database, key, wait)
        return Borrowed(id: Self.text(id), tree: request.tree ?? "", key: key, user: "", place: 0)
    }
}
