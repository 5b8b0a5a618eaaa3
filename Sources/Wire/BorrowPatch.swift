// What a holder may change of a borrow.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// The body of `PATCH /v1/borrows/{id}`: what is not named stays.
///
/// Shape: `{"note"?,"dueAt"?,"termSeconds"?}`; null takes a member away, or gives the usual term.
public struct BorrowPatch: Hashable, Sendable {
    private var note: String?
    private var dueAt: Int64??
    private var termSeconds: Int64??

    /// Reads the patch.
    ///
    /// - Parameter body: As it came.
    /// - Throws: `badJSON`; `badBody` with the member.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.read(body) { reader throws(FormError) in try Self(&reader) }
    }

    private init(_ reader: inout FormReader) throws(FormError) {
        _ = try reader.enterObject()
        while let name = try reader.nextMember() {
            switch name {
            case "note": note = try reader.null() ? "" : try reader.text()
            case "dueAt": dueAt = .some(try reader.null() ? nil : try reader.time())
            case "termSeconds":
                termSeconds = .some(try reader.null() ? nil : try reader.integer(1...Int64.max))
            default: try reader.unknownMember()
            }
        }
    }

    /// The borrow taken again, with what is named.
    public func operation(on record: BorrowRecord) -> BorrowOperation {
        BorrowOperation(
            tree: record.tree,
            key: record.key,
            borrow: record.id,
            kind: record.kind,
            termSeconds: termSeconds ?? record.termSeconds,
            note: note ?? record.note,
            dueAt: dueAt ?? record.dueAt
        )
    }
}
