// The handshake of a mirror: who it is and what it has, and which database the server holds.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// What a mirror has of the database's history.
public struct MirrorHave: Hashable, Sendable {
    /// After which commit it stands.
    public var position: Position
    /// The chain after that commit.
    public var chain: Hash128

    /// Names a place in a history.
    public init(position: Position, chain: Hash128) {
        self.position = position
        self.chain = chain
    }
}

/// The first message of a mirror.
public struct MirrorHello: Hashable, Sendable {
    /// The version of the protocol it speaks.
    public var version: UInt64
    /// The database it mirrors.
    public var databaseID: UniqueID
    /// The application it belongs to.
    public var application: String
    /// Id of the device.
    public var device: String
    /// Name of the device for people; nil when it is its id.
    public var deviceName: String?
    /// Who uses it.
    public var user: String
    /// The program.
    public var app: String
    /// Version of the program.
    public var appVersion: String
    /// The schema version the program writes each tree with.
    public var schemas: [TreeName: SchemaVersion]
    /// The trees it mirrors; nil mirrors all.
    public var trees: Set<TreeName>?
    /// What it has; nil before the first sync.
    public var have: MirrorHave?
    /// Up to which `deviceSeq` it knows the outcomes of its changes for ever.
    public var settled: UInt64

    /// Introduces a mirror.
    public init(
        version: UInt64 = MirrorProtocol.version,
        databaseID: UniqueID,
        application: String,
        device: String,
        deviceName: String? = nil,
        user: String,
        app: String,
        appVersion: String,
        schemas: [TreeName: SchemaVersion] = [:],
        trees: Set<TreeName>? = nil,
        have: MirrorHave? = nil,
        settled: UInt64 = 0
    ) {
        self.version = version
        self.databaseID = databaseID
        self.application = application
        self.device = device
        self.deviceName = deviceName
        self.user = user
        self.app = app
        self.appVersion = appVersion
        self.schemas = schemas
        self.trees = trees
        self.have = have
        self.settled = settled
    }

    /// Reads the JSON of the message.
    init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.read(body) { reader throws(FormError) in
            var members = Members()
            let start = try reader.enterObject()
            while let name = try reader.nextMember() {
                guard try !members.readPerson(name, &reader),
                    try !members.readState(name, &reader)
                else { continue }
                // A later protocol may say more: what it speaks is refused by its version.
                guard let version = members.version, version != MirrorProtocol.version else {
                    try reader.unknownMember()
                    continue
                }
                try reader.skipValue()
            }
            return try members.hello(&reader, at: start)
        }
    }

    /// Appends the JSON of the message.
    ///
    /// Shape: `{"protocol","databaseID","application","device","deviceName"?,"user","app",
    /// "appVersion","schemas"?:{tree:version},"trees"?:[..],"have"?:{"position","chain"},
    /// "settled"}`.
    func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"protocol\":")
        buffer.append(decimal: version)
        buffer.append(",\"databaseID\":")
        buffer.appendQuoted(databaseID)
        buffer.appendText(",\"application\":", application)
        buffer.appendText(",\"device\":", device)
        if let deviceName { buffer.appendText(",\"deviceName\":", deviceName) }
        buffer.appendText(",\"user\":", user)
        buffer.appendText(",\"app\":", app)
        buffer.appendText(",\"appVersion\":", appVersion)
        if !schemas.isEmpty {
            buffer.append(",\"schemas\":{")
            for (index, tree) in schemas.keys.sorted().enumerated() {
                if index > 0 { buffer.append(",") }
                buffer.appendJSONString(tree.description)
                buffer.appendText(":", schemas[tree]?.description ?? "")
            }
            buffer.append("}")
        }
        if let trees {
            buffer.append(",\"trees\":")
            buffer.appendList(trees.sorted()) { $1.appendJSONString($0.description) }
        }
        if let have {
            buffer.append(",\"have\":{\"position\":")
            buffer.appendQuoted(have.position)
            buffer.append(",\"chain\":")
            buffer.appendQuoted(have.chain)
            buffer.append("}")
        }
        buffer.append(",\"settled\":")
        buffer.append(decimal: settled)
        buffer.append("}")
    }

    private struct Members {
        var version: UInt64?
        var databaseID: UniqueID?
        var application: String?
        var device: String?
        var deviceName: String?
        var user: String?
        var app: String?
        var appVersion: String?
        var schemas: [TreeName: SchemaVersion] = [:]
        var trees: Set<TreeName>?
        var have: MirrorHave?
        var settled: UInt64?

        mutating func readPerson(
            _ name: JSONString,
            _ reader: inout FormReader
        ) throws(FormError) -> Bool {
            switch name {
            case "application": application = try reader.identity()
            case "device": device = try reader.identity(isCaller: true)
            case "deviceName": if try !reader.null() { deviceName = try reader.identity() }
            case "user": user = try reader.identity(isCaller: true)
            case "app": app = try reader.identity(mayBeEmpty: true)
            case "appVersion": appVersion = try reader.identity(mayBeEmpty: true)
            default: return false
            }
            return true
        }

        mutating func readState(
            _ name: JSONString,
            _ reader: inout FormReader
        ) throws(FormError) -> Bool {
            switch name {
            case "protocol": version = try reader.integer(1...Limits.numberMax)
            case "databaseID": databaseID = try reader.namedID()
            case "schemas": if try !reader.null() { schemas = try reader.schemaVersions() }
            case "trees": if try !reader.null() { trees = try reader.treeNames() }
            case "have": if try !reader.null() { have = try reader.have() }
            case "settled": settled = try reader.integer(0...Limits.numberMax)
            default: return false
            }
            return true
        }

        func hello(
            _ reader: inout FormReader,
            at start: Int
        ) throws(FormError) -> MirrorHello {
            MirrorHello(
                version: try reader.required(version, "protocol", at: start),
                databaseID: try reader.required(databaseID, "databaseID", at: start),
                application: try reader.required(application, "application", at: start),
                device: try reader.required(device, "device", at: start),
                deviceName: deviceName,
                user: try reader.required(user, "user", at: start),
                app: try reader.required(app, "app", at: start),
                appVersion: try reader.required(appVersion, "appVersion", at: start),
                schemas: schemas,
                trees: trees,
                have: have,
                settled: try reader.required(settled, "settled", at: start)
            )
        }
    }
}

/// The server's answer to `hello`.
public struct MirrorWelcome: Hashable, Sendable {
    /// The version of the protocol that is spoken.
    public var version: UInt64
    /// Which database.
    public var databaseID: UniqueID
    /// Which application it belongs to.
    public var application: String
    /// The last durable commit.
    public var head: Position
    /// The chain after it.
    public var chain: Hash128
    /// The lowest position that can be gone on from.
    public var oldest: Position
    /// Longest time without a message.
    public var heartbeatSeconds: Double
    /// Up to which `deviceSeq` the server has it logged that outcomes are known.
    public var settled: UInt64
    /// Names of the trees the mirror's token opens, in order, `*` alone for all; nil where there is
    /// no token.
    public var opens: [String]?

    /// Describes a server to a mirror.
    public init(
        version: UInt64 = MirrorProtocol.version,
        databaseID: UniqueID,
        application: String,
        head: Position,
        chain: Hash128,
        oldest: Position,
        heartbeatSeconds: Double,
        settled: UInt64,
        opens: [String]? = nil
    ) {
        self.opens = opens
        self.version = version
        self.databaseID = databaseID
        self.application = application
        self.head = head
        self.chain = chain
        self.oldest = oldest
        self.heartbeatSeconds = heartbeatSeconds
        self.settled = settled
    }

    init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in try Self(&reader) }
    }

    private init(_ reader: inout FormReader) throws(FormError) {
        var (version, databaseID, application): (UInt64?, UniqueID?, String?)
        var (head, oldest, chain): (Position?, Position?, Hash128?)
        var (heartbeatSeconds, settled): (Double?, UInt64?)
        var opens: [String]?
        let start = try reader.enterObject()
        while let name = try reader.nextMember() {
            switch name {
            case "protocol": version = try reader.integer(1...Limits.numberMax)
            case "databaseID": databaseID = try reader.namedID()
            case "application": application = try reader.text()
            case "head": head = try reader.position()
            case "chain": chain = try reader.hash()
            case "oldest": oldest = try reader.position()
            case "heartbeatSeconds": heartbeatSeconds = try reader.seconds()
            case "settled": settled = try reader.integer(0...Limits.numberMax)
            case "opens":
                var names: [String] = []
                try reader.enterArray()
                while try reader.nextElement() { names.append(try reader.text()) }
                opens = names
            default: try reader.unknownMember()
            }
        }
        self.init(
            version: try reader.required(version, "protocol", at: start),
            databaseID: try reader.required(databaseID, "databaseID", at: start),
            application: try reader.required(application, "application", at: start),
            head: try reader.required(head, "head", at: start),
            chain: try reader.required(chain, "chain", at: start),
            oldest: try reader.required(oldest, "oldest", at: start),
            heartbeatSeconds: try reader.required(heartbeatSeconds, "heartbeatSeconds", at: start),
            settled: try reader.required(settled, "settled", at: start),
            opens: opens
        )
    }

    /// Appends the message.
    ///
    /// Shape: `{"protocol","databaseID","application","epoch","head","chain","oldest",
    /// "heartbeatSeconds","settled","opens"?:[..]}`; `head` and `oldest` are positions.
    func append(to buffer: inout ByteBuffer) {
        buffer.append(MirrorKind.welcome)
        buffer.append("{\"protocol\":")
        buffer.append(decimal: version)
        buffer.append(",\"databaseID\":")
        buffer.appendQuoted(databaseID)
        buffer.appendText(",\"application\":", application)
        buffer.append(",\"epoch\":\"")
        head.epoch.append(to: &buffer)
        buffer.append("\",\"head\":")
        buffer.appendQuoted(head)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(chain)
        buffer.append(",\"oldest\":")
        buffer.appendQuoted(oldest)
        buffer.append(",\"heartbeatSeconds\":")
        buffer.append(text: FeedMessages.number(heartbeatSeconds))
        buffer.append(",\"settled\":")
        buffer.append(decimal: settled)
        if let opens {
            buffer.append(",\"opens\":[")
            for (index, name) in opens.enumerated() {
                if index > 0 { buffer.append(",") }
                buffer.appendJSONString(name)
            }
            buffer.append("]")
        }
        buffer.append("}")
    }
}
