// `holdfast token`: who may do what with a server. The first token is made where the database lies,
// while nobody serves it; later ones over the network too, by whoever may administer everything.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastWire

/// Tokens: made, listed, changed, revoked.
enum TokenCommand {
    private static let place = [
        Flag("data", .text, "DIR", "directory of the database, which nobody serves")
    ]

    private static let right = Flag(
        "right",
        .list,
        "TREE=RIGHTS",
        "read, write, seize, migrate, admin, with commas;\n* is every tree; repeatable"
    )

    static let create = Command(
        name: "token create",
        summary: "Makes a token and prints its secret, which is shown this once.",
        positionals: [],
        flags: [
            Flag("for-user", .text, "NAME", "the user it stands for"),
            Flag("for-device", .text, "NAME", "the workstation that bears it"),
            Flag("for-integration", .text, "NAME", "or the machine or program that does"),
            right,
            Flag("ends", .text, "TIME", "when it ends, as 2027-01-31T00:00:00Z (never)"),
        ] + place + Client.flags,
        notes: """
            With --data it is made in the directory of a database that nobody serves: so the first one comes to be.
            With --url the server makes it, for whoever has 'admin' on *.

            As soon as there is a token, the server asks everybody for one. Every right includes read. 'admin'
            on * is for the server as a whole: tokens, snapshots, healing.

              holdfast token create --data DIR --for-user anna --for-device PC-12 --right '*=read,write,admin'

            The secret alone goes to standard output; what the token is goes to standard error.

            """ + Client.notes,
        run: runCreate
    )

    static let list = Command(
        name: "token list",
        summary: "Lists the tokens, one a line, as JSON. Secrets are known to nobody.",
        positionals: [],
        flags: place + Client.flags,
        notes: Client.notes,
        run: runList
    )

    static let change = Command(
        name: "token change",
        summary: "Gives a token other rights; its secret stays.",
        positionals: ["ID"],
        flags: [right] + place + Client.flags,
        notes: """
            The rights are all it has from now on. Feeds that were opened by it end; a Swift mirror drops the trees
            that it may not read any more, and fetches those that it may.

              holdfast token change ID --right parts=read,write --right bins=read

            """ + Client.notes,
        run: runChange
    )

    static let revoke = Command(
        name: "token revoke",
        summary: "Revokes a token: whoever shows it is refused from now on.",
        positionals: ["ID"],
        flags: place + Client.flags,
        notes: """
            Feeds and mirrors that were opened by it end. Over the network the last token that may administer
            everything stays; --data revokes it too.

            """ + Client.notes,
        run: runRevoke
    )

    @Sendable
    private static func runCreate(_ arguments: Arguments) throws(CommandFailure) {
        let request = try request(arguments)
        let made = try keeper(arguments) { (keeper) throws(CommandFailure) in
            try keeper.create(request)
        }
        Console.complain("token \(made.id): \(request.user), \(request.bearer.name)")
        try Console.print(made.secret + "\n")
    }

    @Sendable
    private static func runList(_ arguments: Arguments) throws(CommandFailure) {
        let lines = try keeper(arguments) { (keeper) throws(CommandFailure) in try keeper.list() }
        try Console.print(lines.map { $0 + "\n" }.joined())
    }

    @Sendable
    private static func runChange(_ arguments: Arguments) throws(CommandFailure) {
        let (id, rights) = (try id(arguments), try rights(arguments))
        try keeper(arguments) { (keeper) throws(CommandFailure) in
            try keeper.change(id, to: rights)
        }
    }

    private static func id(_ arguments: Arguments) throws(CommandFailure) -> UniqueID {
        guard let id = Array(arguments.positionals[0].utf8).withView({ UniqueID($0) }) else {
            throw arguments.usage("ID is a token's UUID; `holdfast token list` shows it")
        }
        return id
    }

    @Sendable
    private static func runRevoke(_ arguments: Arguments) throws(CommandFailure) {
        let id = try id(arguments)
        try keeper(arguments) { (keeper) throws(CommandFailure) in try keeper.revoke(id) }
    }

    /// Runs `body` where the tokens are: in a directory, or behind a server.
    private static func keeper<T>(
        _ arguments: Arguments,
        _ body: (any TokenKeeper) throws(CommandFailure) -> T
    ) throws(CommandFailure) -> T {
        guard let path = arguments.text("data") else {
            return try body(ServerTokens(Client(arguments)))
        }
        if arguments.setting("url")?.origin == "--url" {
            throw arguments.usage("give --data or --url, not both")
        }
        let folder = try FolderTokens(DatabaseFolder(path))
        let result: T
        do throws(CommandFailure) {
            result = try body(folder)
        } catch {
            try folder.close()
            throw error
        }
        try folder.close()
        return result
    }

    // MARK: What a token is to be

    private static func request(_ arguments: Arguments) throws(CommandFailure) -> TokenRequest {
        let user = try arguments.required("for-user")
        let bearer: TokenBearer
        switch (arguments.text("for-device"), arguments.text("for-integration")) {
        case (let device?, nil): bearer = .device(device)
        case (nil, let integration?): bearer = .integration(integration)
        default: throw arguments.usage("say who bears it: --for-device or --for-integration")
        }
        var ends: Int64?
        if let setting = arguments.setting("ends") {
            ends = Array(setting.text.utf8).withView { Timestamp.milliseconds($0) }
            guard ends != nil else {
                throw setting.failure("give a time in UTC, as 2027-01-31T00:00:00Z")
            }
        }
        return TokenRequest(
            user: user,
            bearer: bearer,
            rights: try rights(arguments),
            ends: ends
        )
    }

    private static func rights(_ arguments: Arguments) throws(CommandFailure) -> Rights {
        var everywhere: Set<Right> = []
        var trees: [TreeName: Set<Right>] = [:]
        for setting in arguments.list("right") {
            let parts = setting.text.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            let names = parts.count == 2 ? parts[1].split(separator: ",") : []
            let rights = names.compactMap { Right(rawValue: String($0)) }
            guard !names.isEmpty, rights.count == names.count else {
                let known = Right.allCases.map(\.rawValue).joined(separator: ", ")
                throw setting.failure("give TREE=RIGHTS, of \(known)")
            }
            if parts[0] == "*" {
                everywhere.formUnion(rights)
            } else if let tree = TreeName(String(parts[0])) {
                trees[tree, default: []].formUnion(rights)
            } else {
                throw setting.failure("give the name of a tree, [a-z][a-z0-9_-]{0,62}, or *")
            }
        }
        guard !everywhere.isEmpty || !trees.isEmpty else {
            throw arguments.usage("say what it opens: --right TREE=read,write, or --right '*=read'")
        }
        return Rights(everywhere: everywhere, trees: trees)
    }
}
