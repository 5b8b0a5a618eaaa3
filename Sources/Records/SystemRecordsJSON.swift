// The values of `_borrows`, `_ranges` and `_devices` as JSON. Shapes: 2-model's table of system
// trees. Members nobody knows yet are passed over: a newer server may have written them.
public import HoldfastBasics
internal import HoldfastJSONCoding

extension BorrowRecord {
    /// Reads a record of `_borrows`.
    ///
    /// - Parameters:
    ///   - key: The record's key: its id.
    ///   - document: The record's value.
    /// - Throws: What does not fit, with its path.
    public init(key: RecordKey, json document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: false)
        self = try reader.borrowRecord(id: try key.uniqueID())
        try reader.expectEnd()
    }

    /// The record's value as normalised JSON.
    ///
    /// Shape: `{"tree","key":{"id"|"name","revision"},"kind","state","order","holder":{"user",
    /// "device"},"takenAt","grantedAt"?,"dueAt"?,"termSeconds"?,"note","recalled"?:{"by","at",
    /// "note"}}`; times are RFC 3339.
    public var json: [UInt8] {
        var buffer = ByteBuffer(capacity: 512)
        buffer.appendMember("{\"tree\":", tree.description)
        buffer.append(",\"key\":")
        key.appendJSON(to: &buffer)
        buffer.appendMember(",\"kind\":", kind.rawValue)
        buffer.appendMember(",\"state\":", state.rawValue)
        buffer.append(",\"order\":")
        buffer.append(decimal: order)
        buffer.appendMember(",\"holder\":{\"user\":", user)
        buffer.appendMember(",\"device\":", device)
        buffer.append("}")
        buffer.appendTime(",\"takenAt\":", takenAt)
        if let grantedAt { buffer.appendTime(",\"grantedAt\":", grantedAt) }
        if let dueAt { buffer.appendTime(",\"dueAt\":", dueAt) }
        if let termSeconds {
            buffer.append(",\"termSeconds\":")
            buffer.append(decimal: termSeconds)
        }
        buffer.appendMember(",\"note\":", note)
        if let recalled {
            buffer.appendMember(",\"recalled\":{\"by\":", recalled.by)
            buffer.appendTime(",\"at\":", recalled.at)
            buffer.appendMember(",\"note\":", recalled.note)
            buffer.append("}")
        }
        buffer.append("}")
        return buffer.array
    }
}

extension RangeRecord {
    /// Reads a record of `_ranges`.
    ///
    /// - Parameters:
    ///   - key: The record's key: its id.
    ///   - document: The record's value.
    /// - Throws: What does not fit, with its path.
    public init(key: RecordKey, json document: ByteView) throws(FormError) {
        let id = try key.uniqueID()
        var reader = FormReader(document, isStrict: false)
        let start = try reader.enterObject()
        var tree: TreeName?
        var device: String?
        var first: UInt64?
        var end: UInt64?
        var at: Int64?
        while let name = try reader.nextMember() {
            switch name {
            case "tree": tree = try reader.treeName()
            case "device": device = try reader.text()
            case "first": first = try reader.integer(1...Limits.numberMax)
            case "end": end = try reader.integer(1...Limits.numberMax + 1)
            case "at": at = try reader.time()
            default: try reader.unknownMember()
            }
        }
        try reader.expectEnd()
        self.init(
            id: id,
            tree: try reader.required(tree, "tree", at: start),
            device: try reader.required(device, "device", at: start),
            first: try reader.required(first, "first", at: start),
            end: try reader.required(end, "end", at: start),
            at: try reader.required(at, "at", at: start)
        )
        guard self.first <= self.end else {
            throw .unfit(path: "end", expected: "one beyond the last id, not below first")
        }
    }

    /// The record's value as normalised JSON: `{"tree","device","first","end","at"}`.
    public var json: [UInt8] {
        var buffer = ByteBuffer(capacity: 256)
        buffer.appendMember("{\"tree\":", tree.description)
        buffer.appendMember(",\"device\":", device)
        buffer.append(",\"first\":")
        buffer.append(decimal: first)
        buffer.append(",\"end\":")
        buffer.append(decimal: end)
        buffer.appendTime(",\"at\":", at)
        buffer.append("}")
        return buffer.array
    }
}

extension DeviceRecord {
    /// Reads a record of `_devices`.
    ///
    /// - Parameters:
    ///   - key: The record's key: the device's id.
    ///   - document: The record's value.
    /// - Throws: What does not fit, with its path.
    public init(key: RecordKey, json document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: false)
        let start = try reader.enterObject()
        var deviceName: String?
        var user: String?
        var app: String?
        var appVersion: String?
        var schemaVersions: [TreeName: SchemaVersion] = [:]
        var confirmedDeviceSeq: UInt64?
        var firstSeen: Int64?
        while let name = try reader.nextMember() {
            switch name {
            case "name": deviceName = try reader.text()
            case "user": user = try reader.text()
            case "app": app = try reader.text()
            case "appVersion": appVersion = try reader.text()
            case "schemaVersions": schemaVersions = try reader.schemaVersions()
            case "confirmedDeviceSeq":
                confirmedDeviceSeq = try reader.integer(0...Limits.numberMax)
            case "firstSeen": firstSeen = try reader.time()
            default: try reader.unknownMember()
            }
        }
        try reader.expectEnd()
        self.init(
            id: key.id.text,
            name: try reader.required(deviceName, "name", at: start),
            user: try reader.required(user, "user", at: start),
            app: try reader.required(app, "app", at: start),
            appVersion: try reader.required(appVersion, "appVersion", at: start),
            schemaVersions: schemaVersions,
            confirmedDeviceSeq: try reader.required(
                confirmedDeviceSeq,
                "confirmedDeviceSeq",
                at: start
            ),
            firstSeen: try reader.required(firstSeen, "firstSeen", at: start)
        )
    }

    /// The record's value as normalised JSON.
    ///
    /// Shape: `{"name","user","app","appVersion","schemaVersions"?:{tree:version},
    /// "confirmedDeviceSeq","firstSeen"}`, trees in the order of their names.
    public var json: [UInt8] {
        var buffer = ByteBuffer(capacity: 256)
        buffer.appendMember("{\"name\":", name)
        buffer.appendMember(",\"user\":", user)
        buffer.appendMember(",\"app\":", app)
        buffer.appendMember(",\"appVersion\":", appVersion)
        if !schemaVersions.isEmpty {
            buffer.append(",\"schemaVersions\":{")
            for (index, tree) in schemaVersions.keys.sorted().enumerated() {
                if index > 0 { buffer.append(",") }
                buffer.appendJSONString(tree.description)
                buffer.appendMember(":", schemaVersions[tree]?.description ?? "")
            }
            buffer.append("}")
        }
        buffer.append(",\"confirmedDeviceSeq\":")
        buffer.append(decimal: confirmedDeviceSeq)
        buffer.appendTime(",\"firstSeen\":", firstSeen)
        buffer.append("}")
        return buffer.array
    }
}

extension RecordKey {
    /// The id of a record whose key is a UUID.
    fileprivate func uniqueID() throws(FormError) -> UniqueID {
        guard case .name(let name) = id, let unique = name.withView({ UniqueID($0) }) else {
            throw .unfit(path: "", expected: "a UUID as the record's key")
        }
        return unique
    }
}

extension FormReader {
    fileprivate mutating func borrowRecord(id: UniqueID) throws(FormError) -> BorrowRecord {
        let start = try enterObject()
        var tree: TreeName?
        var key: RecordKey?
        var kind: BorrowKind?
        var state: BorrowState?
        var order: UInt64?
        var holder: (user: String, device: String)?
        var takenAt: Int64?
        var grantedAt: Int64?
        var dueAt: Int64?
        var termSeconds: Int64?
        var note: String?
        var recalled: BorrowRecord.Recall?
        while let name = try nextMember() {
            switch name {
            case "tree": tree = try treeName()
            case "key": key = try self.key()
            case "kind": kind = try word("\"held\" or \"leased\"") { BorrowKind(rawValue: $0.text) }
            case "state":
                state = try word("\"queued\", \"granted\" or \"held\"") {
                    BorrowState(rawValue: $0.text)
                }
            case "order": order = try integer(0...Limits.numberMax)
            case "holder": holder = try self.holder()
            case "takenAt": takenAt = try time()
            case "grantedAt": if try !null() { grantedAt = try time() }
            case "dueAt": if try !null() { dueAt = try time() }
            case "termSeconds": if try !null() { termSeconds = try integer(0...Int64.max) }
            case "note": note = try text()
            case "recalled": if try !null() { recalled = try recall() }
            default: try unknownMember()
            }
        }
        let taker = try required(holder, "holder", at: start)
        return BorrowRecord(
            id: id,
            tree: try required(tree, "tree", at: start),
            key: try required(key, "key", at: start),
            kind: try required(kind, "kind", at: start),
            state: try required(state, "state", at: start),
            order: try required(order, "order", at: start),
            user: taker.user,
            device: taker.device,
            takenAt: try required(takenAt, "takenAt", at: start),
            grantedAt: grantedAt,
            dueAt: dueAt,
            termSeconds: termSeconds,
            note: try required(note, "note", at: start),
            recalled: recalled
        )
    }

    private mutating func holder() throws(FormError) -> (user: String, device: String) {
        let start = try enterObject("a holder with user and device")
        var user: String?
        var device: String?
        while let name = try nextMember() {
            switch name {
            case "user": user = try text()
            case "device": device = try text()
            default: try unknownMember()
            }
        }
        return (
            try required(user, "user", at: start), try required(device, "device", at: start)
        )
    }

    private mutating func recall() throws(FormError) -> BorrowRecord.Recall {
        let start = try enterObject("a recall with by, at and note")
        var by: String?
        var at: Int64?
        var note: String?
        while let name = try nextMember() {
            switch name {
            case "by": by = try text()
            case "at": at = try time()
            case "note": note = try text()
            default: try unknownMember()
            }
        }
        return BorrowRecord.Recall(
            by: try required(by, "by", at: start),
            at: try required(at, "at", at: start),
            note: try required(note, "note", at: start)
        )
    }

    fileprivate mutating func schemaVersions() throws(FormError) -> [TreeName: SchemaVersion] {
        var versions: [TreeName: SchemaVersion] = [:]
        let start = try enterObject()
        while let name = try nextMember() {
            guard let tree = name.text.flatMap({ TreeName(any: $0) }) else {
                throw unfit("versions by the names of trees", at: start)
            }
            versions[tree] = try schemaVersion()
        }
        return versions
    }
}

extension ByteBuffer {
    fileprivate mutating func appendTime(_ before: StaticString, _ milliseconds: Int64) {
        append(before)
        append("\"")
        Timestamp.append(milliseconds: milliseconds, to: &self)
        append("\"")
    }
}
