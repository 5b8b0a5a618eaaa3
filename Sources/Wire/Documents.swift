// What the server says of itself and of its trees.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// The document of `GET /v1`.
public struct ServerDocument: Hashable, Sendable {
    /// Version of the product.
    public var version: String
    /// Which database.
    public var databaseID: UniqueID
    /// Which application it belongs to.
    public var application: String
    /// The last durable commit.
    public var head: Position
    /// Its chain.
    public var chain: Hash128
    /// The lowest `since` the log answers.
    public var oldest: Position
    /// The epochs of the log, oldest first; the last is that of the commits to come.
    public var lineage: [EpochStart]
    /// What `GET /v1/snapshot` is the state after; nil while there is none.
    public var snapshot: Position?
    /// That the database was restored and takes no writes yet; nil when it was not.
    public var healing: HealingDocument?

    /// The epoch of the commits to come.
    public var epoch: Epoch { lineage.last?.epoch ?? head.epoch }

    /// Puts the document together.
    public init(
        version: String,
        databaseID: UniqueID,
        application: String,
        head: Position,
        chain: Hash128,
        oldest: Position,
        lineage: [EpochStart]? = nil,
        snapshot: Position? = nil,
        healing: HealingDocument? = nil
    ) {
        self.version = version
        self.databaseID = databaseID
        self.application = application
        self.head = head
        self.chain = chain
        self.oldest = oldest
        self.lineage = lineage ?? [EpochStart(epoch: head.epoch, firstSeq: 1)]
        self.snapshot = snapshot
        self.healing = healing
    }

    /// Reads the document, as a client that asks which database this is.
    ///
    /// - Parameter body: What `GET /v1` gave; members nobody here knows are passed over.
    /// - Throws: `badJSON`, `badBody`.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in
            var (version, application): (String?, String?)
            var (databaseID, chain): (UniqueID?, Hash128?)
            var (head, oldest, snapshot): (Position?, Position?, Position?)
            var lineage: [EpochStart]?
            var healing: HealingDocument?
            let start = try reader.enterObject("what a server says of itself")
            while let name = try reader.nextMember() {
                switch name {
                case "version": version = try reader.text()
                case "databaseID": databaseID = try reader.namedID()
                case "application": application = try reader.text()
                case "head": head = try reader.position()
                case "chain": chain = try reader.hash()
                case "oldest": oldest = try reader.position()
                case "lineage": lineage = try reader.lineage()
                case "snapshot":
                    guard try !reader.null() else { continue }
                    snapshot = try reader.position()
                case "healing":
                    guard try !reader.null() else { continue }
                    healing = try HealingDocument(&reader)
                default: try reader.unknownMember()
                }
            }
            return Self(
                version: try reader.required(version, "version", at: start),
                databaseID: try reader.required(databaseID, "databaseID", at: start),
                application: try reader.required(application, "application", at: start),
                head: try reader.required(head, "head", at: start),
                chain: try reader.required(chain, "chain", at: start),
                oldest: try reader.required(oldest, "oldest", at: start),
                lineage: lineage,
                snapshot: snapshot,
                healing: healing
            )
        }
    }

    /// Appends the document.
    ///
    /// Shape: `{"name":"holdfast","version","databaseID","application","epoch","head","chain",
    /// "oldest","lineage":[{"epoch","firstSeq"}],"snapshot","healing"}`; `snapshot` is null while
    /// there is none, `healing` while the database is not.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"name\":\"holdfast\",\"version\":")
        buffer.appendJSONString(version)
        buffer.append(",\"databaseID\":")
        buffer.appendQuoted(databaseID)
        buffer.append(",\"application\":")
        buffer.appendJSONString(application)
        buffer.append(",\"epoch\":\"")
        head.epoch.append(to: &buffer)
        buffer.append("\",\"head\":")
        buffer.appendQuoted(head)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(chain)
        buffer.append(",\"oldest\":")
        buffer.appendQuoted(oldest)
        buffer.append(",\"lineage\":")
        buffer.append(lineage: lineage)
        buffer.append(",\"snapshot\":")
        if let snapshot { buffer.appendQuoted(snapshot) } else { buffer.append("null") }
        buffer.append(",\"healing\":")
        if let healing { healing.append(to: &buffer) } else { buffer.append("null") }
        buffer.append("}")
    }
}

/// Writes the declarations of trees.
public enum TreeDocument {
    /// Appends a tree.
    ///
    /// Shape: `{"tree","keys","versioned","borrow","transitions"?,"schemas":[...],"current"?,
    /// "version","created","modified"}`: the members of the value in `_trees`, as they are stored,
    /// between the tree's name and the metadata.
    ///
    /// - Parameters:
    ///   - tree: The tree's name.
    ///   - declaration: What `_trees` holds of it.
    ///   - effect: The last effect on that record.
    ///   - commit: The commit of the effect.
    ///   - version: Position of the commit.
    ///   - buffer: Gets the object.
    public static func append(
        _ tree: TreeName,
        _ declaration: TreeDeclaration,
        _ effect: EffectView,
        of commit: CommitView,
        version: Position,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"tree\":")
        buffer.appendJSONString(tree.description)
        buffer.append(",")
        // The declaration is an object of several members, never an empty one.
        let members = declaration.json
        members.withView { buffer.append($0[1..<$0.count - 1]) }
        buffer.append(",\"version\":")
        buffer.appendQuoted(version)
        buffer.appendStamps(of: effect, commit)
        buffer.append("}")
    }
}
