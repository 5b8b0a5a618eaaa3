// The one message a client of the live feed sends. The contract is openapi/feed.md.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// What a client wants of the feed.
///
/// Shape: `{"start":{"since"?,"chain"?,"trees"?,"prefix"?,"before"?,"activity"?}}`.
public struct FeedStart: Hashable, Sendable {
    /// The commit after which to begin; nil begins live.
    public let since: Position?
    /// The chain of the commit at `since`, when the client knows it.
    public let chain: Hash128?
    /// What passes.
    public let filter: CommitFilter
    /// Whether effects carry what stood before.
    public let before: Bool
    /// Whether it is told who reads what, connects and is there.
    public let activity: Bool

    /// Reads the message.
    ///
    /// - Parameter message: The text of the client's first message.
    /// - Throws: `badJSON`; `badBody` with the member; the feed then ends with 4001.
    public init(_ message: ByteView) throws(ShapeRefusal) {
        self = try Body.read(message) { reader throws(FormError) in
            let expected = "an object with the one member start"
            let start = try reader.enterObject(expected)
            guard let name = try reader.nextMember(), name.equals("start") else {
                throw reader.unfit(expected, at: start)
            }
            let message = try Self(&reader)
            guard try reader.nextMember() == nil else { throw reader.unfit(expected, at: start) }
            return message
        }
    }

    private init(_ reader: inout FormReader) throws(FormError) {
        var since: Position?
        var chain: Hash128?
        var trees: Set<TreeName>?
        var prefix: [UInt8]?
        var before = false
        var activity = false
        let start = try reader.enterObject()
        while let name = try reader.nextMember() {
            guard try !reader.null() else { continue }
            switch name {
            case "since": since = try reader.word("a position like \"epoch:seq\"") { Position($0) }
            case "chain": chain = try reader.word("32 hexadecimal digits") { Hash128($0.text) }
            case "trees":
                var names: Set<TreeName> = []
                try reader.enterArray()
                while try reader.nextElement() { names.insert(try reader.treeName()) }
                trees = names
            case "prefix":
                prefix = try reader.word("1 to \(Limits.nameByteCountMax) bytes of text") {
                    (1...Limits.nameByteCountMax).contains($0.count) ? $0.array : nil
                }
            case "before": before = try reader.bool()
            case "activity": activity = try reader.bool()
            default: try reader.unknownMember()
            }
        }
        if chain != nil { since = try reader.required(since, "since", at: start) }
        self.since = since
        self.chain = chain
        self.filter = CommitFilter(trees: trees, prefix: prefix)
        self.before = before
        self.activity = activity
    }
}
