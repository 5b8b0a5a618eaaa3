// What becomes of changes: the reply to one, and the lines of a job.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// What one operation of an accepted change did.
public enum ResultShape: Hashable, Sendable {
    /// It was on this record: `{"key":{...}}`.
    case key(RecordKey)
    /// It took a borrow; the record's envelope: `{"record":{...}}`.
    case record([UInt8])
    /// It waits in line, at this place from 1: `{"place":n}`.
    case place(Int)
    /// It gave out a key range: `{"range":{...}}`.
    case range(RangeRecord)
    /// There is nothing to say: `{}`.
    case nothing

    /// Appends the object.
    func append(to buffer: inout ByteBuffer) {
        buffer.append("{")
        switch self {
        case .key(let key):
            buffer.append("\"key\":")
            key.appendJSON(to: &buffer)
        case .record(let envelope):
            buffer.append("\"record\":")
            buffer.append(envelope)
        case .place(let place):
            buffer.append("\"place\":")
            buffer.append(decimal: place)
        case .range(let range):
            buffer.append("\"range\":")
            range.append(to: &buffer)
        case .nothing: break
        }
        buffer.append("}")
    }
}

/// Writes the reply to an accepted change.
public enum ChangeReply {
    /// Appends `{"position","results":[...]}`.
    ///
    /// - Parameters:
    ///   - position: The commit's.
    ///   - results: One for each operation, in order.
    ///   - buffer: Gets the object.
    public static func append(
        at position: Position,
        _ results: [ResultShape],
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{")
        appendMembers(position, results, to: &buffer)
        buffer.append("}")
    }

    /// Appends `{"dryRun":true,"results":[...]}`: what an accepted change would do.
    ///
    /// - Parameters:
    ///   - results: One for each operation, in order.
    ///   - buffer: Gets the object.
    public static func append(rehearsed results: [ResultShape], to buffer: inout ByteBuffer) {
        buffer.append("{\"dryRun\":true,\"results\":")
        buffer.appendList(results) { $0.append(to: &$1) }
        buffer.append("}")
    }

    /// Appends `"position","results"`.
    static func appendMembers(
        _ position: Position,
        _ results: [ResultShape],
        to buffer: inout ByteBuffer
    ) {
        buffer.append("\"position\":")
        buffer.appendQuoted(position)
        buffer.append(",\"results\":")
        buffer.appendList(results) { $0.append(to: &$1) }
    }
}

/// Writes the lines of a job's reply, each with its line feed.
public enum JobLine {
    /// What a line is about, beside its number.
    public enum Subject: Hashable, Sendable {
        /// The client's line of that number.
        case line
        /// A record: `"key":{...}`.
        case record(RecordKey)
        /// A commit that is taken back: `"commit":"<position>"`.
        case commit(Position)

        func append(to buffer: inout ByteBuffer) {
            switch self {
            case .line: return
            case .record(let key):
                buffer.append(",\"key\":")
                key.appendJSON(to: &buffer)
            case .commit(let position):
                buffer.append(",\"commit\":")
                buffer.appendQuoted(position)
            }
        }
    }

    /// Appends `{"line","status":201,"commit"?,"position","results":[...],"replayed"?}`; of a
    /// rehearsal `{"line","status":200,"commit"?,"dryRun":true,"position","results":[...]}`; of a
    /// line that changes nothing `{"line","status":200,...,"unchanged":true}`.
    ///
    /// - Parameters:
    ///   - line: Number of the line, from 1.
    ///   - subject: What it is about.
    ///   - position: The commit's.
    ///   - results: One for each operation, in order.
    ///   - isReplayed: Whether the change was accepted before.
    ///   - isRehearsal: Whether nothing was done.
    ///   - isUnchanged: Whether there was nothing to do.
    ///   - buffer: Gets the line.
    public static func append(
        _ line: Int,
        _ subject: Subject = .line,
        at position: Position,
        _ results: [ResultShape],
        isReplayed: Bool = false,
        isRehearsal: Bool = false,
        isUnchanged: Bool = false,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"line\":")
        buffer.append(decimal: line)
        buffer.append(isRehearsal || isUnchanged ? ",\"status\":200" : ",\"status\":201")
        subject.append(to: &buffer)
        buffer.append(isRehearsal ? ",\"dryRun\":true," : ",")
        ChangeReply.appendMembers(position, results, to: &buffer)
        if isUnchanged { buffer.append(",\"unchanged\":true") }
        buffer.append(isReplayed ? ",\"replayed\":true}\n" : "}\n")
    }

    /// Appends `{"line","status","key"?,"commit"?,"problem":{...}}`.
    ///
    /// - Parameters:
    ///   - line: Number of the line, from 1.
    ///   - subject: What it is about.
    ///   - problem: Why it was refused.
    ///   - current: The envelope of the record as it stands.
    ///   - buffer: Gets the line.
    public static func append(
        _ line: Int,
        _ subject: Subject,
        _ problem: Problem,
        current: ByteView?,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"line\":")
        buffer.append(decimal: line)
        buffer.append(",\"status\":")
        buffer.append(decimal: problem.status)
        subject.append(to: &buffer)
        buffer.append(",\"problem\":")
        problem.append(to: &buffer, current: current)
        buffer.append("}\n")
    }

    /// Appends `{"done":{"job","lines","accepted","refused","records"?}}`, the last line.
    ///
    /// - Parameters:
    ///   - job: Id of the job.
    ///   - accepted: Lines that were accepted, now or before.
    ///   - refused: Lines that were refused.
    ///   - recordCount: Records done with; nil where lines alone count.
    ///   - buffer: Gets the line.
    public static func appendDone(
        job: UniqueID,
        accepted: Int,
        refused: Int,
        recordCount: Int? = nil,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"done\":{\"job\":")
        buffer.appendQuoted(job)
        buffer.append(",\"lines\":")
        buffer.append(decimal: accepted + refused)
        buffer.append(",\"accepted\":")
        buffer.append(decimal: accepted)
        buffer.append(",\"refused\":")
        buffer.append(decimal: refused)
        if let recordCount {
            buffer.append(",\"records\":")
            buffer.append(decimal: recordCount)
        }
        buffer.append("}}\n")
    }

    /// The change id of a line that names none.
    ///
    /// The UUIDv8 of SHA-256 over the 16 bytes of the job's id and the line's number as 8 bytes,
    /// big-endian: the same job sent again has the same ids.
    ///
    /// - Parameters:
    ///   - job: Id of the job.
    ///   - line: Number of the line, from 1.
    /// - Returns: The id.
    public static func changeID(job: UniqueID, line: Int) -> UniqueID {
        var bytes = ByteBuffer(capacity: 24)
        bytes.append(integer: job.high.byteSwapped)
        bytes.append(integer: job.low.byteSwapped)
        bytes.append(integer: UInt64(line).byteSwapped)
        return .version8(SHA256.digest(bytes.view).truncated)
    }
}
