// `holdfast export`: the records of a database as changes, which `import` makes again elsewhere.
//
// A line is a change: first every tree's declarations, oldest version first, then the ids a tree
// needs and its records, all revisions of one id in one change. Every line has an id, so that a
// file may be imported again where it was cut.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastWire

/// A database on standard output, as NDJSON changes.
enum ExportCommand {
    static let command = Command(
        name: "export",
        summary: "Prints trees and records as NDJSON changes, or a tree as a table, for `import`.",
        positionals: [],
        flags: [
            Flag("tree", .list, "NAME", "this tree only; may be given more than once (all)"),
            Flag(toggle: "csv", "a table of one --tree, a record a row, for `import --csv`"),
            Flag(toggle: "records", "no declarations: the trees are declared already"),
        ] + Client.flags,
        notes: """
            Keys, values, revisions and states come back on import; who made a record and when does not,
            nor do borrows. Each tree is exact at one position of its own. Ids keep their numbers where
            the tree imported into is new.
            A table names records and the versions it was read at, and goes back to where it came from. For
            another database, leave out _version, and where keys are ids _key and _revision too.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let client = try Client(arguments)
        if arguments.has("csv") { return try printTable(client, arguments) }
        let trees = try chosen(try ServerTrees(client), arguments)
        var writer = ExportWriter()
        if !arguments.has("records") {
            for tree in trees { try writer.declare(tree) }
        }
        for tree in trees {
            writer.begin(tree)
            let target = RecordTarget.path(tree.name.description) + "?revisions=all"
            var lines = LineSplitter()
            try client.send("GET", target, fields: [("accept", "application/x-ndjson")]) {
                (bytes: ByteView) throws(CommandFailure) in
                try lines.feed(bytes) { (line: ByteView) throws(CommandFailure) in
                    if !line.isEmpty { try writer.record(line) }
                }
            }
            try writer.end()
        }
        try writer.finish()
    }

    /// One tree as a table, as the server writes it.
    private static func printTable(
        _ client: Client,
        _ arguments: Arguments
    ) throws(CommandFailure) {
        guard !arguments.has("records") else {
            throw arguments.usage("a table has no declarations: leave --records out")
        }
        let names = arguments.list("tree")
        guard names.count == 1, let tree = names.first?.text, !tree.isEmpty else {
            throw arguments.usage("a table is of one tree: give one --tree NAME")
        }
        let output = Output()
        var progress = Progress("bytes of the table exported")
        var byteCount = 0
        do throws(CommandFailure) {
            try client.send(
                "GET",
                RecordTarget.path(tree) + "?revisions=all",
                fields: [("accept", "text/csv")]
            ) { (bytes: ByteView) throws(CommandFailure) in
                try output.append(bytes)
                byteCount += bytes.count
                progress.add(bytes.count)
            }
        } catch {
            guard error.code == .unreachable, byteCount > 0 else { throw error }
            throw CommandFailure(
                error.code,
                error.message + "; the table is not whole, export it again"
            )
        }
        try output.flush()
    }

    private static func chosen(
        _ trees: ServerTrees,
        _ arguments: Arguments
    ) throws(CommandFailure) -> [ServerTrees.Tree] {
        let names = arguments.list("tree")
        guard !names.isEmpty else { return trees.all }
        var chosen: [ServerTrees.Tree] = []
        for setting in names {
            guard let tree = trees.all.first(where: { $0.name.description == setting.text }) else {
                throw CommandFailure(.notFound, "unknown-tree: there is no tree \(setting.text)")
            }
            chosen.append(tree)
        }
        return chosen
    }
}

/// The trees of a server, as `GET /v1/trees` tells them.
struct ServerTrees {
    struct Tree {
        let name: TreeName
        let declaration: TreeDeclaration
    }

    private(set) var all: [Tree] = []

    init(_ client: Client) throws(CommandFailure) {
        var reply = ByteBuffer()
        try client.send("GET", "/v1/trees") { (bytes: ByteView) throws(CommandFailure) in
            reply.append(bytes)
        }
        do {
            guard let list = try JSONScanner.member(named: ByteView("trees"), in: reply.view) else {
                throw JSONError.empty
            }
            var scanner = JSONScanner(list)
            try scanner.enterArray()
            while try scanner.nextElement() { try add(try scanner.skipValue()) }
        } catch {
            throw CommandFailure(.unreachable, "the list of trees cannot be read: \(error)")
        }
    }

    private mutating func add(_ tree: ByteView) throws {
        guard let member = try JSONScanner.member(named: ByteView("tree"), in: tree) else {
            throw JSONError.empty
        }
        var scanner = JSONScanner(member)
        guard let text = try scanner.readString().text, let name = TreeName(text) else {
            throw JSONError.empty
        }
        all.append(Tree(name: name, declaration: try TreeDeclaration(json: tree)))
    }
}
