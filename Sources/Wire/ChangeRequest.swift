// The body of `POST /v1/changes`, and one line of a job.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A change as a caller sent it.
///
/// Shape: `{"id"?,"why"?,"madeAt"?,"operations":[{"<name>":{...}},...]}`.
public struct ChangeRequest: Sendable {
    /// The change's id, when the caller chose one.
    public let id: UniqueID?
    /// For what reason, when the caller gave one here.
    public let why: String?
    /// The device's clock, in milliseconds since 1970; 0 when unknown.
    public let madeAt: Int64
    /// Steps, in order.
    public let operations: [Operation]
    let openRevisions: [OperationForm.OpenRevision]
    /// What only a mirror's change has.
    let numbering: Numbering

    /// Where a change stands among those of its device.
    struct Numbering: Hashable {
        var deviceSeq: UInt64 = 0
        var requires: [UniqueID] = []
        var jobID = UniqueID.none
    }

    private static let later = ["requires", "deviceSeq"]

    /// Reads a change.
    ///
    /// - Parameters:
    ///   - body: As it came: a whole body, or one line of a job.
    ///   - newID: Gives ids to the ranges of `reserve`.
    /// - Throws: `badJSON`; `badBody` or `unsupported` with the member; `tooLarge`.
    public init(_ body: ByteView, newID: () -> UniqueID) throws(ShapeRefusal) {
        try self.init(body, isMirror: false, newID: newID)
    }

    /// Reads a change of a mirror, which may also have `deviceSeq`, `requires` and `job`.
    init(_ body: ByteView, isMirror: Bool, newID: () -> UniqueID) throws(ShapeRefusal) {
        let later = isMirror ? [] : Self.later
        self = try withoutActuallyEscaping(newID) { newID throws(ShapeRefusal) in
            try Body.read(body, later: later) { reader throws(FormError) in
                try Self(&reader, isMirror: isMirror, newID: newID)
            }
        }
        guard operations.count <= Limits.effectCountMax else {
            throw ShapeRefusal(
                .tooLarge,
                "A change has at most \(Limits.effectCountMax) operations. Send a job instead.",
                field: "operations"
            )
        }
    }

    private init(
        _ reader: inout FormReader,
        isMirror: Bool,
        newID: @escaping () -> UniqueID
    ) throws(FormError) {
        var (id, why, madeAt): (UniqueID?, String?, Int64?)
        var numbering = Numbering()
        var form = OperationForm(newID: newID)
        let start = try reader.enterObject("a change with operations")
        while let name = try reader.nextMember() {
            switch name {
            case "id": if try !reader.null() { id = try reader.namedID() }
            case "why": if try !reader.null() { why = try reader.text() }
            case "madeAt": if try !reader.null() { madeAt = try reader.time() }
            case "operations":
                let list = reader.scanner.offset
                try reader.enterArray()
                while try reader.nextElement() { try form.read(&reader) }
                guard !form.operations.isEmpty else {
                    throw reader.unfit("at least one operation", at: list)
                }
            default:
                guard isMirror, try numbering.read(name, &reader) else {
                    try reader.unknownMember()
                    continue
                }
            }
        }
        let operations = form.operations.isEmpty ? nil : form.operations
        self.id = id
        self.why = why
        self.madeAt = madeAt ?? 0
        self.operations = try reader.required(operations, "operations", at: start)
        self.openRevisions = form.openRevisions
        self.numbering = numbering
    }

    /// Refuses keys that name no revision in a tree whose records have some.
    ///
    /// - Parameter isVersioned: Whether a tree's records have revisions; false for a tree that is
    ///   not declared, which the engine refuses.
    /// - Throws: `revisionRequired` with the operation.
    public func checkRevisions(isVersioned: (TreeName) -> Bool) throws(ShapeRefusal) {
        for open in openRevisions where isVersioned(open.tree) {
            throw .revisionRequired(open.field, operation: open.operation)
        }
    }

    /// The id of the change: the caller's, named in the body, in `Idempotency-Key`, or in both.
    ///
    /// - Parameter key: The value of `Idempotency-Key`; nil when there is none.
    /// - Returns: Nil when neither names one.
    /// - Throws: `badHeader` when they differ.
    public func id(key: UniqueID?) throws(ShapeRefusal) -> UniqueID? {
        guard let id, let key, id != key else { return id ?? key }
        throw ShapeRefusal(
            .badHeader,
            "Idempotency-Key is \(key) and the body's id is \(id): give one, or the same twice.",
            field: "Idempotency-Key"
        )
    }

    /// The change that is proposed.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - digest: Digest of the request.
    ///   - jobID: The job it belongs to, or `none`.
    ///   - why: The reason given beside the body, for a change that names none.
    ///   - schema: The schema version given beside the body, for values that name none.
    /// - Returns: The change.
    public func change(
        id: UniqueID,
        digest: Hash128,
        jobID: UniqueID = .none,
        why: String = "",
        schema: SchemaVersion? = nil
    ) -> Change {
        Change(
            id: id,
            digest: digest,
            jobID: jobID == .none ? numbering.jobID : jobID,
            madeAt: madeAt,
            deviceSeq: numbering.deviceSeq,
            requires: numbering.requires,
            why: self.why ?? why,
            operations: schema == nil
                ? operations : operations.map { Self.written($0, with: schema) }
        )
    }

    private static func written(_ operation: Operation, with schema: SchemaVersion?) -> Operation {
        switch operation {
        case .put(var write):
            write.schema = write.schema ?? schema
            return .put(write)
        case .patch(var write):
            write.schema = write.schema ?? schema
            return .patch(write)
        default: return operation
        }
    }
}

extension ChangeRequest.Numbering {
    /// Reads a member's value when it is one of these.
    mutating func read(
        _ name: JSONString,
        _ reader: inout FormReader
    ) throws(FormError) -> Bool {
        switch name {
        case "deviceSeq":
            if try !reader.null() { deviceSeq = try reader.integer(1...Limits.numberMax) }
        case "requires":
            guard try !reader.null() else { return true }
            let start = reader.scanner.offset
            try reader.enterArray()
            while try reader.nextElement() {
                guard requires.count < Limits.requiredCountMax else {
                    throw reader.unfit("at most \(Limits.requiredCountMax) ids", at: start)
                }
                requires.append(try reader.namedID())
            }
        case "job":
            if try !reader.null() { jobID = try reader.namedID() }
        default:
            return false
        }
        return true
    }
}
