// The members of one object, found by name: for the code that puts documents together.
internal import HoldfastBasics

/// The members of an object, in their order.
struct ObjectMembers {
    /// A name and its value.
    struct Member {
        let name: JSONString
        let value: ByteView

        /// Appends the member as it stands in its document.
        func append(to buffer: inout ByteBuffer) {
            appendName(to: &buffer)
            buffer.append(value)
        }

        /// Appends the name and its colon.
        func appendName(to buffer: inout ByteBuffer) {
            buffer.append(ASCII.quote)
            buffer.append(name.raw)
            buffer.append("\":")
        }
    }

    /// Up to here names are compared one by one.
    private static let searchedCountMax = 16

    let all: [Member]
    private var places: [[UInt8]: Int] = [:]

    /// No members.
    init() { all = [] }

    /// Lists the members of a document; none when it is no object.
    init(_ document: ByteView) throws(JSONError) {
        var members: [Member] = []
        var scanner = JSONScanner(document)
        if try scanner.peekKind() == .object {
            try scanner.enterObject()
            while let name = try scanner.nextMember() {
                members.append(Member(name: name, value: try scanner.skipValue()))
            }
        }
        all = members
        guard members.count > Self.searchedCountMax else { return }
        for (index, member) in members.enumerated() { places[member.name.content] = index }
    }

    /// The value of the member that a name means, or nil.
    func value(_ name: JSONString) -> ByteView? {
        guard places.isEmpty else { return places[name.content].map { all[$0].value } }
        guard name.isEscaped else { return all.first { $0.name.equals(name.raw) }?.value }
        return name.content.withView { content in
            all.first { $0.name.equals(content) }?.value
        }
    }
}

extension JSONString {
    /// The content as owned bytes; the raw ones when an escape is malformed.
    var content: [UInt8] {
        guard isEscaped else { return raw.array }
        var buffer = ByteBuffer(capacity: raw.count)
        return append(to: &buffer) ? buffer.array : raw.array
    }
}

extension ByteView {
    /// Whether this is the literal `null`.
    var isNull: Bool { equals("null") }

    /// The kind of the document's value.
    func kind() throws(JSONError) -> JSONKind {
        var cursor = JSONCursor(self)
        return try cursor.kind()
    }
}
