// The commands, each a few lines over the mirror.
import Foundation
import Holdfast
import Synchronization

/// An open stockroom.
final class Room: Sendable {
    let database: Database
    let parts: Tree<Part>
    let bins: Tree<Bin>
    /// What was written and not yet answered by the server.
    private let sent = Mutex<[@Sendable () async throws -> Void]>([])

    init(_ options: Options) async throws {
        database = try await Database.connect(
            to: options.server,
            token: try options.token(),
            mirror: options.mirror,
            application: "stockroom",
            trees: stockroomTrees,
            user: options.user ?? "local"
        )
        parts = database.tree(Part.self)
        bins = database.tree(Bin.self)
    }

    func close() async throws { try await database.close() }

    /// Waits a moment for the server, so that a single command sees and sends what is new.
    ///
    /// The very first time there is nothing to work on without it.
    func catchUp() async throws {
        let database = self.database
        await within(seconds: 10) {
            try await database.firstSync()
        }
        guard case .offline = database.status else { return }
        Stockroom.complain("the server is away; this is what was here when it left")
    }

    /// Waits a moment for what was changed to be accepted; what is not is sent later.
    func sendOut() async {
        let receipts = sent.withLock { $0 }
        await within(seconds: 5) {
            for accepted in receipts { try await accepted() }
        }
        let isKept = sent.withLock { _ in database.status != .live } && !receipts.isEmpty
        if isKept { Stockroom.complain("kept here; it is sent when the server is back") }
    }

    /// Runs `body`, but no longer than this.
    private func within(seconds: Int, _ body: @escaping @Sendable () async throws -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await body() } catch { Stockroom.complain("\(error)") }
            }
            group.addTask { try? await Task.sleep(for: .seconds(seconds)) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Writes, and remembers to wait for the server's word.
    private func write<T: Sendable>(
        _ why: String,
        _ body: (inout Transaction) throws -> T
    ) async throws -> T {
        let receipt = try await database.write(why: why, body)
        sent.withLock { $0.append { _ = try await receipt.accepted() } }
        return receipt.value
    }

    func perform(_ words: [String]) async throws {
        let rest = Array(words.dropFirst())
        switch (words[0], rest.count) {
        case ("import-kicad", 1): try await importSymbols(URL(filePath: rest[0]))
        case ("list", 0...1): try list(rest.first.flatMap { Int($0) } ?? .max)
        case ("find", 1...): try find(rest.joined(separator: " "))
        case ("show", 1): try show(rest[0])
        case ("new", 2...): try await new(rest[0], rest[1], Array(rest[2...]))
        case ("edit", 2...): try await edit(rest[0], Array(rest[1...]))
        case ("release", 1): try await release(rest[0])
        case ("revise", 1): try await revise(rest[0])
        case ("bin", 2...): try await bin(rest[0], rest[1...].joined(separator: " "))
        case ("move", 4...): try await move(rest)
        case ("borrow", 1...2): try await borrow(rest[0], rest.count > 1 ? Int(rest[1]) : nil)
        case ("return", 1): try await giveBack(rest[0])
        case ("stranded", 0): try stranded()
        case ("stranded", 2): try await settle(rest[0], rest[1])
        case ("status", 0): print(database.status)
        case ("wait", 0): try await wait()
        default:
            throw Usage(description: "no such command: \(words.joined(separator: " "))")
        }
    }

    // MARK: Reading

    private func list(_ count: Int) throws {
        for part in try parts.all.sorted(by: \.number).limit(count).fetch() { print(row(part)) }
    }

    private func find(_ text: String) throws {
        for part in try parts.matching(text).limit(50).fetch() { print(row(part)) }
    }

    private func row(_ part: Entry<Part>) -> String {
        "\(part.key)  \(part.number)  \(part.stock)  \(part.title)"
            + (part.meta.pending ? "  (not sent yet)" : "")
    }

    private func show(_ number: String) throws {
        let part = try entry(number)
        print("\(part.number)  \(part.title)")
        print("  key \(part.key), \(part.meta.state), changed by \(part.meta.modifiedBy)")
        print("  stock \(part.stock)")
        if let text = part.value.description { print("  \(text)") }
        if let bin = part.bin { print("  bin \(try database[bin]?.label ?? "\(bin)")") }
        if let footprint = part.footprint { print("  footprint \(footprint.id)") }
        for pin in part.pins { print("  pin \(pin.number) \(pin.name) \(pin.type)") }
        for borrow in try database.borrows(mine: false) where borrow.key == AnyKey(part.key) {
            print("  borrowed by \(borrow.user) on \(borrow.device)")
        }
    }

    /// The latest revision of a part.
    private func entry(_ number: String) throws -> Entry<Part> {
        guard let found = try parts.find(Part.byNumber, number),
            let latest = try parts.latest(found.key.id)
        else { throw Usage(description: "there is no part \(number)") }
        return latest
    }

    // MARK: Writing

    private func new(_ number: String, _ title: String, _ settings: [String]) async throws {
        var part = Part(number: number, title: title)
        try Setting.apply(settings, to: &part, self)
        let value = part
        print("\(try await write("new part") { tx in try tx.create(value) })")
    }

    private func edit(_ number: String, _ settings: [String]) async throws {
        let key = try entry(number).key
        try await write("edited") { tx in
            try tx.update(key) { try Setting.apply(settings, to: &$0, self) }
        }
    }

    private func release(_ number: String) async throws {
        let key = try entry(number).key
        try await write("released") { tx in try tx.release(key) }
    }

    private func revise(_ number: String) async throws {
        let key = try entry(number).key
        print("\(try await write("revised") { tx in try tx.revise(key) })")
    }

    private func bin(_ label: String, _ title: String) async throws {
        let made = try await write("new bin") { tx in
            try tx.create(Bin(label: label, title: title))
        }
        print("\(made)")
    }

    /// One commit: the move, and the part's new stock.
    private func move(_ words: [String]) async throws {
        let part = try entry(words[0])
        guard let bin = try bins.find(Bin.byLabel, words[1]) else {
            throw Usage(description: "there is no bin \(words[1])")
        }
        guard let quantity = Int(words[2]) else {
            throw Usage(description: "\(words[2]) is no count")
        }
        let reason = words[3...].joined(separator: " ")
        try await write(reason) { tx in
            _ = try tx.create(
                Move(part: part.key, bin: bin.key, quantity: quantity, reason: reason, at: .now)
            )
            try tx.update(part.key) { $0.stock += quantity }
        }
    }

    // MARK: Borrowing

    private func borrow(_ number: String, _ seconds: Int?) async throws {
        let wait = seconds.map { Database.Wait.queueFor(.seconds($0)) } ?? .refuse
        let held = try await database.borrow(try entry(number).key, wait: wait)
        print("borrowed \(held.key)")
    }

    private func giveBack(_ number: String) async throws {
        let key = try entry(number).key
        let mine = try database.borrows().compactMap { Borrow<Part>($0) }
        guard let held = mine.first(where: { $0.key == key }) else {
            throw Usage(description: "\(number) is not borrowed here")
        }
        try await database.return(held)
    }

    // MARK: The server

    private func stranded() throws {
        for change in try database.stranded() {
            let (id, refusal) = ("\(change.id)".lowercased(), change.refusal)
            print("\(id)  \(refusal.code.rawValue)  \(refusal.message ?? "")")
            for item in change.items { print("  \(item.key)  \(item.mine.map { "\($0)" } ?? "-")") }
        }
    }

    private func settle(_ what: String, _ id: String) async throws {
        let found = try database.stranded().first { "\($0.id)".lowercased() == id.lowercased() }
        guard let change = found else { throw Usage(description: "no stranded change \(id)") }
        switch what {
        case "drop": try await change.drop()
        case "again": _ = try await change.reoffer().accepted()
        default: throw Usage(description: "stranded drop ID, or stranded again ID")
        }
    }

    /// Waits until everything is here and everything is sent.
    private func wait() async throws {
        try await database.firstSync()
        for try await status in database.statuses where status == .live { break }
    }

    private func importSymbols(_ folder: URL) async throws {
        let files = try FileManager.default
            .contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "kicad_sym" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        guard !files.isEmpty else { throw Usage(description: "no *.kicad_sym in \(folder.path)") }
        try await database.firstSync()
        var importer = Importer(database)
        for (index, file) in files.enumerated() {
            try await importer.add(SymbolLibrary(file))
            Stockroom.complain(
                "\(index + 1) of \(files.count) libraries, \(importer.partCount) parts"
            )
        }
        try await importer.finish()
        print("\(importer.partCount) parts, \(importer.footprintCount) footprints")
    }
}
