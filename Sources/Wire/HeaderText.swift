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
        case .name(let name): name.withView { appendEncoded($0, to: &buffer) }
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
        Array(borrow.user.utf8).withView { appendEncoded($0, to: &buffer) }
        buffer.append("; device=")
        Array(borrow.device.utf8).withView { appendEncoded($0, to: &buffer) }
        buffer.append("; since=")
        Timestamp.append(milliseconds: borrow.takenAt, to: &buffer)
    }

    /// Appends bytes, all but unreserved characters as `%XX`: what `Holdfast-Why` holds.
    ///
    /// Source: RFC 3986, section 2.3.
    public static func appendEncoded(_ bytes: ByteView, to buffer: inout ByteBuffer) {
        let digits: StaticString = "0123456789ABCDEF"
        let table = ByteView(digits)
        for index in 0..<bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                buffer.append(byte)
            default:
                buffer.append("%")
                buffer.append(table[Int(byte >> 4)])
                buffer.append(table[Int(byte & 15)])
            }
        }
    }
}
