// A change on its way from a mirror to the authority.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A change as a mirror sends it.
///
/// Shape: the body of `POST /v1/changes`, its `id` required, and `{"deviceSeq"?,"requires"?:[ids],
/// "job"?}`. A change without `deviceSeq` is a request for the authority alone (borrow, return,
/// cancel, recall, seize, setHolder, reserve, defineTree) and stands in no outbox.
public struct MirrorChange: Hashable, Sendable {
    /// What is proposed; its digest is not set.
    public let change: Change
    private let openRevisions: [OperationForm.OpenRevision]

    /// How an answer names a change.
    public struct Name: Hashable, Sendable {
        /// Its id.
        public var id: UniqueID
        /// Its number on its device; nil for a request to the authority alone.
        public var deviceSeq: UInt64?

        /// Names a change.
        public init(id: UniqueID, deviceSeq: UInt64? = nil) {
            self.id = id
            self.deviceSeq = deviceSeq
        }
    }

    /// Sends a change, whose keys name their revisions.
    public init(_ change: Change) {
        self.change = change
        openRevisions = []
    }

    /// Reads the JSON of the message.
    init(_ body: ByteView) throws(ShapeRefusal) {
        // A range without an id gets one made of the change's: the same change, the same range.
        let base = Self.identify(body)?.id ?? .none
        var count: UInt64 = 0
        let request = try ChangeRequest(body, isMirror: true) {
            count += 1
            return JobLine.changeID(job: base, line: Int(count))
        }
        guard let id = request.id else {
            throw ShapeRefusal(.badBody, "The member 'id' is missing: give it.", field: "id")
        }
        change = request.change(id: id, digest: .zero)
        openRevisions = request.openRevisions
    }

    /// Reads a change as `Change.append` wrote it, for whoever keeps changes in this form.
    ///
    /// - Throws: What is wrong with it.
    public static func stored(_ body: ByteView) throws(ShapeRefusal) -> Change {
        try MirrorChange(body).change
    }

    /// How an answer names it.
    public var name: Name {
        Name(id: change.id, deviceSeq: change.deviceSeq == 0 ? nil : change.deviceSeq)
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

    /// The name of a change whose body may be wrong elsewhere; nil when it names itself not.
    static func identify(_ body: ByteView) -> Name? {
        do throws(ShapeRefusal) {
            return try Body.readOpen(body) { reader throws(FormError) in
                var (id, deviceSeq): (UniqueID?, UInt64?)
                _ = try reader.enterObject()
                while let name = try reader.nextMember() {
                    switch name {
                    case "id": id = try reader.namedID()
                    case "deviceSeq":
                        if try !reader.null() {
                            deviceSeq = try reader.integer(1...Limits.numberMax)
                        }
                    default: try reader.unknownMember()
                    }
                }
                return id.map { Name(id: $0, deviceSeq: deviceSeq) }
            }
        } catch {
            return nil
        }
    }
}
