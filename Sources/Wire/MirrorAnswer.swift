// What becomes of a mirror's change.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A change became a commit, and the commit is durable.
public struct MirrorAccepted: Hashable, Sendable {
    /// Which change.
    public var change: MirrorChange.Name
    /// The commit; commits up to it may come before or after this message.
    public var position: Position
    /// One for each operation, in order; of a replayed change the keys its commit set.
    public var results: [ResultShape]
    /// Whether it had been accepted before.
    public var isReplayed: Bool

    /// Answers a change.
    public init(
        _ change: MirrorChange.Name,
        at position: Position,
        _ results: [ResultShape],
        isReplayed: Bool = false
    ) {
        self.change = change
        self.position = position
        self.results = results
        self.isReplayed = isReplayed
    }

    init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in try Self(&reader) }
    }

    private init(_ reader: inout FormReader) throws(FormError) {
        var (id, deviceSeq): (UniqueID?, UInt64?)
        var position: Position?
        var results: [ResultShape]?
        var isReplayed = false
        let start = try reader.enterObject()
        while let name = try reader.nextMember() {
            switch name {
            case "id": id = try reader.namedID()
            case "deviceSeq": deviceSeq = try reader.integer(1...Limits.numberMax)
            case "position": position = try reader.position()
            case "results":
                var list: [ResultShape] = []
                try reader.enterArray()
                while try reader.nextElement() { list.append(try reader.result()) }
                results = list
            case "replayed": isReplayed = try reader.bool()
            default: try reader.unknownMember()
            }
        }
        let name = MirrorChange.Name(
            id: try reader.required(id, "id", at: start),
            deviceSeq: deviceSeq
        )
        self.init(
            name,
            at: try reader.required(position, "position", at: start),
            try reader.required(results, "results", at: start),
            isReplayed: isReplayed
        )
    }

    /// Appends the message.
    ///
    /// Shape: `{"id","deviceSeq"?,"position","results":[...],"replayed"?}`.
    func append(to buffer: inout ByteBuffer) {
        buffer.append(MirrorKind.accepted)
        buffer.append("{")
        change.appendMembers(to: &buffer)
        buffer.append(",")
        ChangeReply.appendMembers(position, results, to: &buffer)
        buffer.append(isReplayed ? ",\"replayed\":true}" : "}")
    }
}

/// A change is refused as a whole.
public struct MirrorRefused: Hashable, Sendable {
    /// Which change.
    public var change: MirrorChange.Name
    /// Why.
    public var problem: ProblemDocument

    /// Passes an answer on.
    public init(_ change: MirrorChange.Name, _ problem: ProblemDocument) {
        self.change = change
        self.problem = problem
    }

    init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in try Self(&reader) }
    }

    private init(_ reader: inout FormReader) throws(FormError) {
        var (id, deviceSeq): (UniqueID?, UInt64?)
        var problem: ProblemDocument?
        let start = try reader.enterObject()
        while let name = try reader.nextMember() {
            switch name {
            case "id": id = try reader.namedID()
            case "deviceSeq": deviceSeq = try reader.integer(1...Limits.numberMax)
            case "problem": problem = try ProblemDocument(&reader)
            default: try reader.unknownMember()
            }
        }
        change = MirrorChange.Name(
            id: try reader.required(id, "id", at: start),
            deviceSeq: deviceSeq
        )
        self.problem = try reader.required(problem, "problem", at: start)
    }

    /// Appends the message.
    ///
    /// Shape: `{"id","deviceSeq"?,"problem":{...}}`.
    func append(to buffer: inout ByteBuffer) {
        let refusal = problem.refusal
        let current = problem.current
        Self.append(change, Problem(refusal), current: current, to: &buffer)
    }

    /// Appends the message of a refusal.
    ///
    /// - Parameters:
    ///   - change: Which change.
    ///   - problem: Why.
    ///   - current: The envelope of the record as it stands.
    ///   - buffer: Gets the message.
    public static func append(
        _ change: MirrorChange.Name,
        _ problem: Problem,
        current: [UInt8]? = nil,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(MirrorKind.refused)
        buffer.append("{")
        change.appendMembers(to: &buffer)
        buffer.append(",\"problem\":")
        if let current {
            current.withView { problem.append(to: &buffer, current: $0) }
        } else {
            problem.append(to: &buffer)
        }
        buffer.append("}")
    }
}

extension MirrorChange.Name {
    /// Appends `"id","deviceSeq"?`.
    fileprivate func appendMembers(to buffer: inout ByteBuffer) {
        buffer.append("\"id\":")
        buffer.appendQuoted(id)
        guard let deviceSeq else { return }
        buffer.append(",\"deviceSeq\":")
        buffer.append(decimal: deviceSeq)
    }
}

extension FormReader {
    /// Reads what an operation led to.
    mutating func result() throws(FormError) -> ResultShape {
        var result = ResultShape.nothing
        _ = try enterObject("what an operation led to")
        while let name = try nextMember() {
            switch name {
            case "key": result = .key(try key())
            case "record": result = .record(try skipValue().array)
            case "place": result = .place(try integer(0...Int(Int32.max)))
            case "range": result = .range(try rangeRecord())
            default: try unknownMember()
            }
        }
        return result
    }

    private mutating func rangeRecord() throws(FormError) -> RangeRecord {
        let start = try enterObject("a key range")
        var (id, tree, device): (UniqueID?, TreeName?, String?)
        var (first, end, at): (UInt64?, UInt64?, Int64?)
        while let name = try nextMember() {
            switch name {
            case "id": id = try namedID()
            case "tree": tree = try treeName()
            case "device": device = try text()
            case "first": first = try integer(1...Limits.numberMax)
            case "end": end = try integer(1...Limits.numberMax + 1)
            case "at": at = try time()
            default: try unknownMember()
            }
        }
        let range = RangeRecord(
            id: try required(id, "id", at: start),
            tree: try required(tree, "tree", at: start),
            device: try required(device, "device", at: start),
            first: try required(first, "first", at: start),
            end: try required(end, "end", at: start),
            at: try required(at, "at", at: start)
        )
        guard range.first <= range.end else { throw unfit("first, not above end", at: start) }
        return range
    }
}
