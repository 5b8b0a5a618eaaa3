// What `POST /v1/heal` takes: commits that a restored server lacks.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Commits that follow a restored server's last one, and the log they come of.
///
/// Shape: the length of the head (4 bytes, little-endian); the head,
/// `{"lineage":[{"epoch","firstSeq"}],"hashes"?:{block:hash}}`; then each commit as in a mirror's
/// message of commits: its length (4 bytes), its content.
public struct HealingTail: Hashable, Sendable {
    /// The epochs of the log, oldest first.
    public var lineage: [EpochStart]
    /// The set hashes behind the last of the commits; nil when they are not known there.
    public var hashes: [BlockName: Hash128]?
    /// The contents of the commits, dense and ascending.
    public var contents: [[UInt8]]

    /// Puts a body together.
    public init(
        lineage: [EpochStart],
        hashes: [BlockName: Hash128]? = nil,
        contents: [[UInt8]]
    ) {
        self.lineage = lineage
        self.hashes = hashes
        self.contents = contents
    }

    /// Reads a body; commits are not checked but for their lengths.
    ///
    /// - Throws: `badBody`, `badJSON`.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        var reader = ByteReader(body)
        let head: ByteView
        do throws(ByteReaderError) {
            head = try reader.take(Int(try reader.integer(UInt32.self)))
        } catch {
            throw ShapeRefusal(
                .badBody,
                "The body ends inside its head. Commits are handed back by `holdfast heal --from`."
            )
        }
        self = try Body.read(head) { reader throws(FormError) in
            var lineage: [EpochStart]?
            var hashes: [BlockName: Hash128]?
            let start = try reader.enterObject("an object with lineage")
            while let name = try reader.nextMember() {
                switch name {
                case "lineage": lineage = try reader.lineage()
                case "hashes": hashes = try reader.hashes()
                default: try reader.unknownMember()
                }
            }
            return Self(
                lineage: try reader.required(lineage, "lineage", at: start),
                hashes: hashes,
                contents: []
            )
        }
        contents = try MirrorCommits.contents(of: body.suffix(from: 4 + head.count))
    }

    /// Appends the body.
    public func append(to buffer: inout ByteBuffer) {
        let start = buffer.count
        buffer.append(integer: UInt32(0))
        buffer.append("{\"lineage\":")
        buffer.append(lineage: lineage)
        if let hashes {
            buffer.append(",\"hashes\":")
            buffer.append(hashes: hashes)
        }
        buffer.append("}")
        buffer.replace(integer: UInt32(buffer.count - start - 4), at: start)
        for content in contents { content.withView { MirrorCommits.append($0, to: &buffer) } }
    }
}
