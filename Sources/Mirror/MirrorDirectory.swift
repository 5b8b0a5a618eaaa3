// The files of a mirror: `copy.N`, the copy of the database, and `outbox`. What the mirror is
// stands in the outbox, so that the copy can be made anew without losing anything.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

/// What a mirror's directory was made as.
struct PinnedIdentity: Hashable {
    var databaseID: UniqueID
    var epoch: Epoch
    var device: String
    /// The machine and the directory it was made in: a copy of the files differs in one of them.
    var machine: String
    var inode: UInt64
    /// Number of the copy's directory.
    var copy: UInt64
    /// The trees that are copied; nil for all.
    var trees: Set<TreeName>?
    /// The trees that were to be copied, of which the token opened `trees`; nil for all.
    var wanted: Set<TreeName>?

    /// Shape: `{"database","epoch","device","machine","inode","copy","trees"?:[..],
    /// "wanted"?:[..]}`; `wanted` is left out where it is what is copied, and empty for all.
    var json: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(text: "{\"database\":\"\(databaseID)\",\"epoch\":\"\(epoch)\",\"device\":")
        buffer.appendJSONString(device)
        buffer.append(text: ",\"machine\":")
        buffer.appendJSONString(machine)
        buffer.append(text: ",\"inode\":\(inode),\"copy\":\(copy)")
        func append(_ name: String, _ trees: Set<TreeName>) {
            let names = trees.sorted().map { "\"\($0)\"" }
            buffer.append(text: ",\"\(name)\":[" + names.joined(separator: ",") + "]")
        }
        if let trees { append("trees", trees) }
        if wanted != trees { append("wanted", wanted ?? []) }
        buffer.append(text: "}")
        return buffer.array
    }

    init(
        databaseID: UniqueID,
        epoch: Epoch,
        device: String,
        machine: String,
        inode: UInt64,
        copy: UInt64,
        trees: Set<TreeName>?,
        wanted: Set<TreeName>?
    ) {
        self.databaseID = databaseID
        self.epoch = epoch
        self.device = device
        self.machine = machine
        self.inode = inode
        self.copy = copy
        self.trees = trees
        self.wanted = wanted
    }

    init(_ document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: true)
        let start = try reader.enterObject()
        var (databaseID, epoch): (UniqueID?, Epoch?)
        var (device, machine): (String?, String?)
        var (inode, copy): (UInt64?, UInt64?)
        func trees(_ reader: inout FormReader) throws(FormError) -> Set<TreeName> {
            var names: Set<TreeName> = []
            try reader.enterArray()
            while try reader.nextElement() { names.insert(try reader.treeName()) }
            return names
        }
        var (copied, wanted): (Set<TreeName>?, Set<TreeName>?)
        while let name = try reader.nextMember() {
            switch name {
            case "database": databaseID = try reader.uniqueID()
            case "epoch": epoch = try reader.word("an epoch") { Epoch($0) }
            case "device": device = try reader.text()
            case "machine": machine = try reader.text()
            case "inode": inode = try reader.integer(0...UInt64.max)
            case "copy": copy = try reader.integer(1...UInt64.max)
            case "trees": copied = try trees(&reader)
            case "wanted": wanted = try trees(&reader)
            default: try reader.unknownMember()
            }
        }
        self.databaseID = try reader.required(databaseID, "database", at: start)
        self.epoch = try reader.required(epoch, "epoch", at: start)
        self.device = try reader.required(device, "device", at: start)
        self.machine = try reader.required(machine, "machine", at: start)
        self.inode = try reader.required(inode, "inode", at: start)
        self.copy = try reader.required(copy, "copy", at: start)
        self.trees = copied
        self.wanted = wanted.map { $0.isEmpty ? nil : $0 } ?? copied
    }
}

/// A mirror's directory.
struct MirrorDirectory {
    static let identityFact = "identity"

    let path: String
    let outbox: Outbox
    /// What it was made as; nil when it has never seen its server.
    private(set) var pinned: PinnedIdentity?

    /// Opens the outbox, making the directory where there is none.
    ///
    /// - Throws: `MirrorError`, `DiskError`.
    init(_ path: String) throws {
        self.path = path
        outbox = try Outbox(disk: try PosixDisk(path + "/outbox", create: true))
        guard let fact = outbox.fact(Self.identityFact) else { return }
        do {
            pinned = try fact.withView { try PinnedIdentity($0) }
        } catch {
            throw MirrorError.unreadable(tree: "facts", key: Self.identityFact, what: "\(error)")
        }
    }

    /// What asks for a new copy.
    enum Need {
        /// The copy that is there is gone on with.
        case nothing
        /// There is none, or it cannot be gone on with: nothing is opened without the server.
        case copy
        /// It has other trees than are wanted, all wanted ones among them: it serves meanwhile.
        case fewerTrees
    }

    /// Whether the server must be asked before the wanted trees can be opened.
    ///
    /// What of them the token opens is asked on every connection, and changes the copy in use.
    ///
    /// - Parameter trees: What `selection` gives.
    /// - Returns: Whether a new copy is wanted, and whether it can wait.
    func need(of trees: Set<TreeName>?) -> Need {
        guard let pinned, !mustResync else { return .copy }
        guard pinned.trees != trees, pinned.wanted != trees else { return .nothing }
        guard let trees else { return .copy }
        return pinned.trees.map(trees.isSubset) ?? true ? .fewerTrees : .copy
    }

    /// The trees to copy: the wanted ones, and those of the present copy in which something of
    /// this device waits for the server still.
    ///
    /// - Parameter trees: The wanted ones; nil for all.
    /// - Returns: What the copy should hold; nil for all trees.
    func selection(of trees: Set<TreeName>?) -> Set<TreeName>? {
        guard let trees, let pinned else { return trees }
        let busy = outbox.busyTrees
        return trees.union(pinned.trees?.intersection(busy) ?? busy)
    }

    private static let userFact = "user"

    /// Whom the token stood for when the server was asked; nil when it never was.
    var user: String? {
        outbox.fact(Self.userFact).flatMap { fact in
            fact.withView { document in
                do {
                    var reader = FormReader(document, isStrict: true)
                    return try reader.text()
                } catch {
                    return nil
                }
            }
        }
    }

    /// Notes whom the token stands for.
    ///
    /// - Throws: `MirrorError`.
    func remember(user: String) throws {
        var json = ByteBuffer()
        json.appendJSONString(user)
        try outbox.setFact(Self.userFact, json.array)
    }

    private var mustResync: Bool { outbox.fact(MirrorCore.resyncFact) == Array("true".utf8) }

    /// Pins the server's database, and begins a new copy when there is none that can be gone on
    /// with.
    ///
    /// - Parameters:
    ///   - server: What it says of itself.
    ///   - trees: What the copy will hold; nil for all trees.
    ///   - wanted: What it would hold if the token opened all of it; nil for all trees.
    /// - Throws: `MirrorError`, `StoreError`, `DiskError`.
    mutating func pin(
        _ server: ServerDocument,
        copying trees: Set<TreeName>?,
        of wanted: Set<TreeName>?
    ) throws {
        let identity = Identity(
            databaseID: server.databaseID,
            application: server.application,
            epoch: server.epoch
        )
        let old = pinned
        let next = PinnedIdentity(
            databaseID: server.databaseID,
            epoch: server.epoch,
            device: old?.device ?? Self.newDevice(),
            machine: Self.machine(),
            inode: Self.inode(path),
            copy: (old?.copy ?? 0) + 1,
            trees: trees,
            wanted: wanted
        )
        // What a beginning that was cut short left behind may be of other trees.
        for path in [copyPath(next.copy), path + "/incoming"]
        where FileManager.default.fileExists(atPath: path) {
            try Self.remove(path)
        }
        let disk = try PosixDisk(copyPath(next.copy), create: true)
        try Store.create(
            following: identity,
            trees: trees,
            lineage: server.lineage,
            on: disk
        )
        try outbox.setFact(MirrorCore.syncedFact, Array("false".utf8))
        try outbox.setFact(Self.identityFact, next.json)
        try outbox.setFact(MirrorCore.resyncFact, Array("false".utf8))
        pinned = next
        if let old { try Self.remove(copyPath(old.copy)) }
    }

    /// Opens the copy; a directory that was copied gets a device of its own first.
    ///
    /// - Throws: `MirrorError`, `StoreError`, `DiskError`.
    mutating func openCopy(application: String) throws -> (Store, PinnedIdentity) {
        guard var pinned else { preconditionFailure("a mirror that is not pinned has no copy") }
        let (machine, inode) = (Self.machine(), Self.inode(path))
        if pinned.machine != machine || pinned.inode != inode {
            // Ids, borrows and ranges of the other device stay its own.
            pinned.device = Self.newDevice()
            pinned.machine = machine
            pinned.inode = inode
            try outbox.setFact(Self.identityFact, pinned.json)
            self.pinned = pinned
        }
        try removeOtherCopies(than: pinned.copy)
        let disk = try PosixDisk(copyPath(pinned.copy), create: true)
        let store = try Store(
            disk: disk,
            application: application,
            logger: Logger(level: .error)
        )
        return (store, pinned)
    }

    /// Removes what a process that ended was about to put in place, or had replaced.
    private func removeOtherCopies(than number: UInt64) throws {
        for name in try PosixDisk(path).names(in: "")
        where name.hasPrefix("copy.") && name != "copy.\(number)" {
            try Self.remove(path + "/" + name)
        }
    }

    private func copyPath(_ number: UInt64) -> String { path + "/copy.\(number)" }

    private static func newDevice() -> String {
        "d-\(UniqueID.version7(milliseconds: SystemTime().wallMilliseconds(), random: SystemRandom()))"
    }

    /// Empties the directory of a copy nobody needs any more.
    private static func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: path)
    }

    /// What tells this machine from others; empty where the system does not say.
    private static func machine() -> String {
        for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
            if let data = FileManager.default.contents(atPath: path) {
                let text = String(decoding: data, as: UTF8.self)
                return String(text.prefix { $0 != "\n" })
            }
        }
        return ""
    }

    /// What tells a directory from a copy of it on the same machine.
    private static func inode(_ path: String) -> UInt64 {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return attributes[.systemFileNumber] as? UInt64 ?? 0
        } catch {
            return 0
        }
    }
}

extension Outbox {
    /// Trees in which something of this device waits for the server: changes without an outcome,
    /// and borrows that creations took and that are to be given back.
    var busyTrees: Set<TreeName> {
        Set(pending.flatMap { $0.operations.compactMap(\.tree) } + holds.values.map(\.tree))
    }
}
