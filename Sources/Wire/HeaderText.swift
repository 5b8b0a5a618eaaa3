// Metadata of records as the values of header fields. `Holdfast-State` is the state's description;
// `Last-Modified` is an `HTTPDate`.
public import HoldfastBasics
public import HoldfastRecords

/// Writes the values of header fields.
public enum HeaderText {
    /// Appends a version as an entity tag: `"epoch:seq"`, with its quotes.
    public static func appendETag(_ version: Position, to buffer: inout ByteBuffer) {
        buffer.appendQuoted(version)
    }

    /// Appends an id in decimal, or a name percent-encoded: the value of `Holdfast-Key`.
    public static func appendKey(_ id: RecordID, to buffer: inout ByteBuffer) {
        switch id {
        case .number(let number): buffer.append(decimal: number)
        case .name(let name): name.withView { buffer.append(percentEncoded: $0) }
        }
    }

    /// Appends the path of a record: the value of `Location`.
    ///
    /// - Parameters:
    ///   - tree: The record's tree.
    ///   - key: The record.
    ///   - isVersioned: Whether the tree's records have revisions; then the path names it.
    ///   - buffer: Gets the path.
    public static func appendLocation(
        _ tree: TreeName,
        _ key: RecordKey,
        isVersioned: Bool,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("/v1/records/")
        buffer.append(text: tree.description)
        buffer.append("/")
        appendKey(key.id, to: &buffer)
        guard isVersioned else { return }
        buffer.append("?revision=")
        buffer.append(decimal: key.revision)
    }

    /// Appends who holds a record and since when: the value of `Holdfast-Borrow` in a reply.
    ///
    /// Shape: `<id>; user=<user>; device=<device>; since=<time>`, user and device percent-encoded.
    public static func appendBorrow(_ borrow: BorrowFacts, to buffer: inout ByteBuffer) {
        buffer.append(borrow.id)
        buffer.append("; user=")
        Array(borrow.user.utf8).withView { buffer.append(percentEncoded: $0) }
        buffer.append("; device=")
        Array(borrow.device.utf8).withView { buffer.append(percentEncoded: $0) }
        buffer.append("; since=")
        Timestamp.append(milliseconds: borrow.takenAt, to: &buffer)
    }
}
