// Borrows and key ranges as replies give them.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A borrow, and what its line tells.
public struct BorrowShape: Hashable, Sendable {
    /// The borrow.
    public var record: BorrowRecord
    /// How many wait behind it.
    public var queue: Int
    /// Whether it is the caller's own.
    public var isYours: Bool

    /// Puts a borrow together.
    public init(_ record: BorrowRecord, queue: Int, isYours: Bool) {
        self.record = record
        self.queue = queue
        self.isYours = isYours
    }

    /// Appends the borrow.
    ///
    /// Shape: `{"id","tree","key","kind","state","holder","takenAt","grantedAt"?,"dueAt",
    /// "termSeconds"?,"note","queue","yours","recalled"?}`.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"id\":")
        buffer.appendQuoted(record.id)
        buffer.append(",\"tree\":")
        buffer.appendJSONString(record.tree.description)
        buffer.append(",\"key\":")
        record.key.appendJSON(to: &buffer)
        buffer.append(",\"kind\":")
        buffer.appendJSONString(record.kind.rawValue)
        buffer.append(",\"state\":")
        buffer.appendJSONString(record.state.rawValue)
        buffer.append(",\"holder\":{\"user\":")
        buffer.appendJSONString(record.user)
        buffer.append(",\"device\":")
        buffer.appendJSONString(record.device)
        buffer.append("},\"takenAt\":")
        buffer.appendTime(record.takenAt)
        if let grantedAt = record.grantedAt {
            buffer.append(",\"grantedAt\":")
            buffer.appendTime(grantedAt)
        }
        buffer.append(",\"dueAt\":")
        buffer.appendTimeOrNull(record.dueAt)
        if let termSeconds = record.termSeconds {
            buffer.append(",\"termSeconds\":")
            buffer.append(decimal: termSeconds)
        }
        buffer.append(",\"note\":")
        buffer.appendJSONString(record.note)
        buffer.append(",\"queue\":")
        buffer.append(decimal: queue)
        buffer.append(isYours ? ",\"yours\":true" : ",\"yours\":false")
        if let recalled = record.recalled { Self.append(recalled, to: &buffer) }
        buffer.append("}")
    }

    /// Appends the reply about one borrow.
    ///
    /// Shape: `{"borrow":{...},"place"?,"record"?}`.
    ///
    /// - Parameters:
    ///   - place: Its place in line from 1; nil when it does not wait.
    ///   - record: The envelope of the record, for whoever was given it.
    ///   - buffer: Gets the object.
    public func appendReply(
        place: Int? = nil,
        record: ByteView? = nil,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"borrow\":")
        append(to: &buffer)
        if let place {
            buffer.append(",\"place\":")
            buffer.append(decimal: place)
        }
        if let record {
            buffer.append(",\"record\":")
            buffer.append(record)
        }
        buffer.append("}")
    }

    private static func append(_ recall: BorrowRecord.Recall, to buffer: inout ByteBuffer) {
        buffer.append(",\"recalled\":{\"by\":")
        buffer.appendJSONString(recall.by)
        buffer.append(",\"at\":")
        buffer.appendTime(recall.at)
        buffer.append(",\"note\":")
        buffer.appendJSONString(recall.note)
        buffer.append("}")
    }
}

extension RangeRecord {
    /// Appends `{"id","tree","device","first","end","at"}`.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"id\":")
        buffer.appendQuoted(id)
        buffer.append(",\"tree\":")
        buffer.appendJSONString(tree.description)
        buffer.append(",\"device\":")
        buffer.appendJSONString(device)
        buffer.append(",\"first\":")
        buffer.append(decimal: first)
        buffer.append(",\"end\":")
        buffer.append(decimal: end)
        buffer.append(",\"at\":")
        buffer.appendTime(at)
        buffer.append("}")
    }
}
