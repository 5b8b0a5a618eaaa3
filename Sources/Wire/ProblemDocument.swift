// A problem as a client reads it: the other end of `Problem`.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A refusal that came from a server.
///
/// Members this version does not know are passed over.
public struct ProblemDocument: Hashable, Sendable {
    /// The code as it came.
    public var codeText: String
    /// The HTTP status.
    public var status: Int
    /// The code, the sentence for people, operation, field, borrow, ending and rules.
    ///
    /// Its `current` is nil, as a place in the server's log means nothing here. A code of a later
    /// version becomes `unsupported`.
    public var refusal: Refusal
    /// The envelope of the record as it stands there.
    public var current: [UInt8]?
    /// The lowest position the server's log answers.
    public var oldest: Position?

    /// A refusal as a server would send it.
    ///
    /// - Parameters:
    ///   - refusal: Why; its `current` is dropped.
    ///   - current: The envelope of the record as it stands.
    public init(_ refusal: Refusal, current: [UInt8]? = nil) {
        codeText = refusal.code.rawValue
        status = refusal.code.problem.status
        self.refusal = refusal
        self.refusal.current = nil
        self.current = current
    }

    /// Reads the body of a reply.
    ///
    /// - Parameter body: `application/problem+json`.
    /// - Throws: `badJSON`, `badBody`.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.readOpen(body) { reader throws(FormError) in try Self(&reader) }
    }

    init(_ reader: inout FormReader) throws(FormError) {
        var members = Members()
        let start = try reader.enterObject("a problem with a code")
        while let name = try reader.nextMember() {
            guard try !reader.null() else { continue }
            if try members.readWords(name, &reader) { continue }
            try members.readFacts(name, &reader)
        }
        let code = try reader.required(members.code, "code", at: start)
        var refusal = Refusal(
            RefusalCode(rawValue: code) ?? .unsupported,
            members.detail ?? members.title ?? code,
            field: members.field,
            borrow: members.borrow,
            ended: members.ended,
            rules: members.rules
        )
        refusal.operation = members.operation
        codeText = code
        status = try reader.required(members.status, "status", at: start)
        self.refusal = refusal
        current = members.current
        oldest = members.oldest
    }

    private struct Members {
        var code: String?
        var title: String?
        var status: Int?
        var detail: String?
        var operation: Int?
        var field: String?
        var borrow: BorrowFacts?
        var current: [UInt8]?
        var ended: Ending?
        var rules: [String] = []
        var oldest: Position?

        mutating func readWords(
            _ name: JSONString,
            _ reader: inout FormReader
        ) throws(FormError) -> Bool {
            switch name {
            case "code": code = try reader.text()
            case "title": title = try reader.text()
            case "status": status = try reader.integer(100...599)
            case "detail": detail = try reader.text()
            case "operation": operation = try reader.integer(0...Limits.effectCountMax)
            case "field": field = try reader.text()
            default: return false
            }
            return true
        }

        mutating func readFacts(
            _ name: JSONString,
            _ reader: inout FormReader
        ) throws(FormError) {
            switch name {
            case "borrow": borrow = try reader.borrowFacts()
            case "current": current = try reader.skipValue().array
            case "ended": ended = try reader.ending()
            case "rules":
                try reader.enterArray()
                while try reader.nextElement() { rules.append(try reader.text()) }
            case "oldest": oldest = try reader.position()
            default: try reader.unknownMember()
            }
        }
    }
}

extension FormReader {
    fileprivate mutating func borrowFacts() throws(FormError) -> BorrowFacts {
        let start = try enterObject("a borrow")
        var (id, holder): (UniqueID?, (user: String, device: String)?)
        var (takenAt, dueAt): (Int64?, Int64?)
        var (note, queue, isYours) = ("", 0, false)
        while let name = try nextMember() {
            guard try !null() else { continue }
            switch name {
            case "id": id = try namedID()
            case "holder": holder = try self.holder()
            case "takenAt": takenAt = try time()
            case "dueAt": dueAt = try time()
            case "note": note = try text()
            case "queue": queue = try integer(0...Int(Int32.max))
            case "yours": isYours = try bool()
            default: try unknownMember()
            }
        }
        let taker = try required(holder, "holder", at: start)
        return BorrowFacts(
            id: try required(id, "id", at: start),
            user: taker.user,
            device: taker.device,
            takenAt: try required(takenAt, "takenAt", at: start),
            dueAt: dueAt,
            note: note,
            queue: queue,
            isYours: isYours
        )
    }

    /// Reads a user and a device.
    mutating func holder() throws(FormError) -> (user: String, device: String) {
        let start = try enterObject("a holder with user and device")
        var (user, device): (String?, String?)
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

    fileprivate mutating func ending() throws(FormError) -> Ending {
        let start = try enterObject("who ended it")
        var (by, device, at, label): (String?, String?, Int64?, Label?)
        var reason = ""
        while let name = try nextMember() {
            switch name {
            case "by": by = try text()
            case "device": device = try text()
            case "at": at = try time()
            case "why":
                let word = try text()
                label = Label.allCases.first { $0.name == word }
            case "reason": reason = try text()
            default: try unknownMember()
            }
        }
        let stamp = Stamp(
            at: try required(at, "at", at: start),
            user: try required(by, "by", at: start),
            device: try required(device, "device", at: start)
        )
        return Ending(stamp: stamp, label: label, reason: reason)
    }
}
