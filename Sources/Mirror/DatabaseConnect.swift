// Opening a database that mirrors a server.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastCommitLog
public import HoldfastEmbedded
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

extension Database {
    /// Opens a mirror of a server's database: what it copies is here, reads never wait for the
    /// network.
    ///
    /// Opens local files and returns without the network; ``firstSync()`` waits for it. The very
    /// first time the server is asked which database it holds, and so after the copy was found to
    /// differ from the server's, or lacks a tree that is wanted now.
    ///
    /// ```swift
    /// let db = try await Database.connect(
    ///     to: "https://parts.example:7070",
    ///     mirror: "mirror",
    ///     application: "stockroom",
    ///     trees: [Part.self]
    /// )
    /// ```
    ///
    /// - Parameters:
    ///   - server: `https://HOST[:PORT]`, or `http://HOST[:PORT]` in the clear.
    ///   - token: What proves who it is, and says which trees may be read; nil where servers take
    ///     callers at their word.
    ///   - directory: Where the mirror lives; this process's alone until ``close()``.
    ///   - application: The application the database belongs to.
    ///   - trees: The record types; trees the server does not have are declared there.
    ///   - copying: Which trees are copied, as far as the token opens them: all, or chosen ones.
    ///   - user: Who writes; nil is whom the token stands for, and `local` without a token.
    ///   - cacheByteCount: What decoded records of one tree may weigh together.
    ///   - keptFiles: Which contents of files are kept here without being asked for.
    ///   - fileCacheByteCount: What contents of other files may take of the disk together; the ones
    ///     not asked for longest make room.
    ///   - security: Whom to trust at an `https` address, and what to show there.
    /// - Returns: The open database.
    /// - Throws: `offline` (the first time, and the server cannot be reached), `untrusted`,
    ///   `refused`, `wrongServer`, `damaged`, `full`, `unavailable`.
    public static func connect(
        to server: String,
        token: String? = nil,
        mirror directory: String,
        application: String,
        trees: [any Record.Type],
        copying: MirroredTrees = .all,
        user: String? = nil,
        cacheByteCount: Int = defaultCacheByteCount,
        files keptFiles: MirroredFiles = .whenAsked,
        fileCacheByteCount: Int = defaultFileCacheByteCount,
        security: ConnectionSecurity = ConnectionSecurity()
    ) async throws(DatabaseError) -> Database {
        let types = try RecordTrees(trees)
        let chosen = try copying.names(types)
        let pins = try keptFiles.pins
        guard let address = ServerAddress(server) else {
            throw .unavailable(
                directory: directory,
                reason: "'\(server)' is no http or https address"
            )
        }
        let context = try security.context(for: address, showingToken: token != nil)
        var files = try opening(directory) { try MirrorDirectory(directory) }
        var target = LinkTarget(
            address: address,
            application: application,
            databaseID: files.pinned?.databaseID,
            user: user ?? files.user ?? "local",
            device: files.pinned?.device ?? "new",
            token: token,
            security: context
        )
        let wanted = files.selection(of: chosen)
        let learned = try await renew(&files, directory, target, copying: wanted)
        if user == nil, let learned { target.user = learned }
        let (store, pinned) = try opening(directory) {
            try files.openCopy(application: application)
        }
        target.databaseID = pinned.databaseID
        target.device = pinned.device
        let gate = WriterGate()
        let authority = MirrorAuthority(
            store: store,
            outbox: files.outbox,
            identity: MirrorIdentity(
                databaseID: pinned.databaseID,
                application: application,
                epoch: pinned.epoch,
                device: pinned.device,
                user: target.user,
                app: application,
                appVersion: "",
                trees: pinned.trees,
                usedTrees: Set(types.proposals.map(\.tree))
            ),
            wanted: wanted,
            gate: gate,
            directory: directory
        )
        let database = Database(
            store: store,
            authority: authority,
            gate: gate,
            trees: types,
            cacheByteCount: cacheByteCount
        )
        try await authority.declare(types.proposals)
        let contents = try opening(directory) {
            let contents = MirrorFiles(
                FileStore(try PosixDisk(directory)),
                store: store,
                outbox: files.outbox,
                target: target,
                caller: authority.caller,
                pins: pins,
                byteCountMax: fileCacheByteCount,
                time: SystemTime(),
                random: SystemRandom()
            )
            try contents.open()
            return contents
        }
        try authority.start(target, contents)
        return database
    }

    /// What contents of files may take of a mirror's disk, unless said otherwise: 1 GiB.
    public static let defaultFileCacheByteCount = 1 << 30

    /// Begins a new copy where there is none of the wanted trees.
    ///
    /// - Returns: Whom the token stands for; nil when the server was not asked, or has none.
    private static func renew(
        _ files: inout MirrorDirectory,
        _ directory: String,
        _ target: LinkTarget,
        copying trees: Set<TreeName>?
    ) async throws(DatabaseError) -> String? {
        let need = files.need(of: trees)
        guard need != .nothing else { return nil }
        let found: ServerAnswer
        do throws(DatabaseError) {
            found = try await ServerProbe.ask(target)
        } catch .offline where need == .fewerTrees {
            // What is there has more: the next opening with a server makes it smaller.
            return nil
        }
        let open = found.token.readable(of: trees)
        if open?.isEmpty ?? false {
            // What is there is emptied when it connects.
            guard files.pinned == nil else { return found.token.user }
            throw .refused(
                HoldfastEmbedded.Refusal(
                    .forbidden,
                    "The token opens none of the trees this mirror is to copy."
                )
            )
        }
        do {
            try files.pin(found.server, copying: open, of: trees)
            if let user = found.token.user { try files.remember(user: user) }
        } catch {
            throw opening(directory, error)
        }
        return found.token.user
    }

    private static func opening<T>(
        _ directory: String,
        _ body: () throws -> T
    ) throws(DatabaseError) -> T {
        do {
            return try body()
        } catch {
            throw opening(directory, error)
        }
    }

    private static func opening(_ directory: String, _ error: any Error) -> DatabaseError {
        if let error = error as? MirrorError { return MirrorAuthority.error(error) }
        return .unavailable(directory: directory, reason: "\(error)")
    }
}
