// What is known of a snapshot: the state after a commit, as parts that anybody may fetch and keep.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// The document of `GET /v1/snapshot`.
public struct SnapshotDocument: Hashable, Sendable {
    /// Of which database.
    public var databaseID: UniqueID
    /// The commit it is the state after.
    public var position: Position
    /// Chain after that commit.
    public var chain: Hash128
    /// Time of that commit, in milliseconds since 1970.
    public var time: Int64
    /// Declared trees in the order in which they were declared.
    public var trees: [String]
    /// The parts, blocks that others need before those.
    public var parts: [PartReference]

    /// Puts the document together.
    public init(
        databaseID: UniqueID,
        position: Position,
        chain: Hash128,
        time: Int64,
        trees: [String],
        parts: [PartReference]
    ) {
        self.databaseID = databaseID
        self.position = position
        self.chain = chain
        self.time = time
        self.trees = trees
        self.parts = parts
    }

    /// Reads the document, as a mirror that is about to fetch the parts.
    ///
    /// - Parameter body: What `GET /v1/snapshot` gave; members nobody here knows are passed over.
    /// - Throws: `badJSON`, `badBody`.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in
            var (databaseID, chain): (UniqueID?, Hash128?)
            var (position, time): (Position?, Int64?)
            var (trees, parts): ([String]?, [PartReference]?)
            let start = try reader.enterObject("a snapshot")
            while let name = try reader.nextMember() {
                switch name {
                case "databaseID": databaseID = try reader.namedID()
                case "position": position = try reader.position()
                case "chain": chain = try reader.hash()
                case "time": time = try reader.time()
                case "trees":
                    var names: [String] = []
                    try reader.enterArray()
                    while try reader.nextElement() { names.append(try reader.text()) }
                    trees = names
                case "parts": parts = try reader.parts()
                default: try reader.unknownMember()
                }
            }
            return Self(
                databaseID: try reader.required(databaseID, "databaseID", at: start),
                position: try reader.required(position, "position", at: start),
                chain: try reader.required(chain, "chain", at: start),
                time: try reader.required(time, "time", at: start),
                trees: try reader.required(trees, "trees", at: start),
                parts: try reader.required(parts, "parts", at: start)
            )
        }
    }

    /// Appends the document.
    ///
    /// Shape: `{"databaseID","position","chain","time","trees":[name],"parts":[{"sha256","bytes",
    /// "kind","block","effects"}]}`.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"databaseID\":")
        buffer.appendQuoted(databaseID)
        buffer.append(",\"position\":")
        buffer.appendQuoted(position)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(chain)
        buffer.append(",\"time\":")
        buffer.appendTime(time)
        buffer.append(",\"trees\":[")
        for (index, tree) in trees.enumerated() {
            if index > 0 { buffer.append(",") }
            buffer.appendJSONString(tree)
        }
        buffer.append("],\"parts\":[")
        for (index, part) in parts.enumerated() {
            if index > 0 { buffer.append(",") }
            buffer.append(text: "{\"sha256\":\"\(part.digest)\",\"bytes\":")
            buffer.append(decimal: part.byteCount)
            buffer.append(text: ",\"kind\":\"\(part.kind.name)\"")
            buffer.appendText(",\"block\":", part.block)
            buffer.append(",\"effects\":")
            buffer.append(decimal: part.effectCount)
            buffer.append("}")
        }
        buffer.append("]}")
    }
}

extension FormReader {
    fileprivate mutating func parts() throws(FormError) -> [PartReference] {
        var parts: [PartReference] = []
        try enterArray()
        while try nextElement() { parts.append(try part()) }
        return parts
    }

    private mutating func part() throws(FormError) -> PartReference {
        let start = try enterObject()
        var (digest, kind): (Digest256?, PartKind?)
        var (byteCount, effectCount): (Int?, Int?)
        var block: String?
        while let name = try nextMember() {
            switch name {
            case "sha256": digest = try word("64 hexadecimal digits") { Digest256($0) }
            case "bytes": byteCount = try integer(1...Limits.partByteCountMax)
            case "kind":
                kind = try word("records, tombstones, changes or used") { text in
                    PartKind.allCases.first { $0.name == text.text }
                }
            case "block": block = try text()
            case "effects": effectCount = try integer(0...Limits.partByteCountMax)
            default: try unknownMember()
            }
        }
        return PartReference(
            digest: try required(digest, "sha256", at: start),
            byteCount: try required(byteCount, "bytes", at: start),
            kind: try required(kind, "kind", at: start),
            block: try required(block, "block", at: start),
            effectCount: try required(effectCount, "effects", at: start)
        )
    }
}

/// What compacting did, as `POST /v1/snapshot` answers.
public enum CompactionReply {
    /// Appends the answer.
    ///
    /// Shape: `{"snapshot","parts","bytes","writtenBytes","oldest","freedBytes","held"}`.
    ///
    /// - Parameters:
    ///   - snapshot: What the new snapshot is the state after.
    ///   - parts: How many parts it has, what they weigh, and what of that was written, in bytes.
    ///   - oldest: The lowest `since` the log answers now.
    ///   - freed: What was freed of the log, in bytes.
    ///   - isHeld: Whether nothing was dropped because of a reader.
    ///   - buffer: Gets the object.
    public static func append(
        _ snapshot: Position,
        _ parts: (count: Int, byteCount: Int, writtenByteCount: Int),
        oldest: Position,
        freed: Int,
        isHeld: Bool,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"snapshot\":")
        buffer.appendQuoted(snapshot)
        buffer.append(",\"parts\":")
        buffer.append(decimal: parts.count)
        buffer.append(",\"bytes\":")
        buffer.append(decimal: parts.byteCount)
        buffer.append(",\"writtenBytes\":")
        buffer.append(decimal: parts.writtenByteCount)
        buffer.append(",\"oldest\":")
        buffer.appendQuoted(oldest)
        buffer.append(",\"freedBytes\":")
        buffer.append(decimal: freed)
        buffer.append(isHeld ? ",\"held\":true}" : ",\"held\":false}")
    }
}
