// The records of an outbox, as JSON.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastWire

/// A change that was refused, with all that require it: shown and offered again together.
struct StrandedBundle: Hashable, Sendable {
    /// The id of the change that was refused.
    let id: UniqueID
    /// Why.
    let refusal: Refusal
    /// The refused change first, then those that require it, in the order they were made.
    var changes: [Change]
    /// When it was stranded, in milliseconds since 1970.
    let at: Int64
}

/// How far the ids of a tree are given out on this device.
struct KeyCursor: Hashable {
    /// Ids below it may have been given out: nothing durable says otherwise.
    var mark: UInt64
    /// How many ids the next block should have.
    var blockCount: UInt64

    /// Shape: `{"mark":n,"block":n}`.
    var json: [UInt8] { Array("{\"mark\":\(mark),\"block\":\(blockCount)}".utf8) }

    init(mark: UInt64, blockCount: UInt64) {
        self.mark = mark
        self.blockCount = blockCount
    }

    init(_ document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: true)
        let start = try reader.enterObject()
        var (mark, block): (UInt64?, UInt64?)
        while let name = try reader.nextMember() {
            switch name {
            case "mark": mark = try reader.integer(1...Limits.numberMax + 1)
            case "block": block = try reader.integer(1...Limits.rangeCountMax)
            default: try reader.unknownMember()
            }
        }
        self.mark = try reader.required(mark, "mark", at: start)
        blockCount = try reader.required(block, "block", at: start)
    }
}

/// A record of the tree `stranded`: which changes a refusal left behind.
struct StrandedRecord {
    var at: Int64
    var deviceSeqs: [UInt64]
    var refusal: Refusal

    init(at: Int64, deviceSeqs: [UInt64], refusal: Refusal) {
        self.at = at
        self.deviceSeqs = deviceSeqs
        self.refusal = refusal
    }

    /// Shape: `{"at":ms,"changes":[deviceSeq..],"problem":{..}}`.
    var json: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(text: "{\"at\":\(at),\"changes\":")
        buffer.append(text: "[" + deviceSeqs.map(String.init).joined(separator: ",") + "]")
        buffer.append(text: ",\"problem\":")
        var refusal = refusal
        refusal.current = nil
        Problem(refusal).append(to: &buffer)
        buffer.append(text: "}")
        return buffer.array
    }

    init(_ document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: true)
        let start = try reader.enterObject()
        var at: Int64?
        var problem: Refusal?
        var deviceSeqs: [UInt64] = []
        while let name = try reader.nextMember() {
            switch name {
            case "at": at = try reader.integer(0...Int64.max)
            case "changes":
                try reader.enterArray()
                while try reader.nextElement() {
                    deviceSeqs.append(try reader.integer(1...Limits.numberMax))
                }
            case "problem":
                let offset = reader.scanner.offset
                let document = try reader.skipValue()
                do throws(ShapeRefusal) {
                    problem = try ProblemDocument(document).refusal
                } catch {
                    throw reader.unfit("a problem", at: offset)
                }
            default: try reader.unknownMember()
            }
        }
        self.at = try reader.required(at, "at", at: start)
        self.deviceSeqs = deviceSeqs
        refusal = try reader.required(problem, "problem", at: start)
    }
}

/// A record of the tree `holds`: a borrow a creation took on its own, to be given back.
struct HoldRecord: Hashable {
    let tree: TreeName
    let key: RecordKey

    /// Shape: `{"tree":"parts","key":{"id":12,"revision":0}}`.
    var json: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(text: "{\"tree\":\"\(tree)\",\"key\":")
        key.appendJSON(to: &buffer)
        buffer.append(text: "}")
        return buffer.array
    }

    init(tree: TreeName, key: RecordKey) {
        self.tree = tree
        self.key = key
    }

    init(_ document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: true)
        let start = try reader.enterObject()
        var (tree, key): (TreeName?, RecordKey?)
        while let name = try reader.nextMember() {
            switch name {
            case "tree": tree = try reader.treeName()
            case "key": key = try reader.key()
            default: try reader.unknownMember()
            }
        }
        self.tree = try reader.required(tree, "tree", at: start)
        self.key = try reader.required(key, "key", at: start)
    }
}
