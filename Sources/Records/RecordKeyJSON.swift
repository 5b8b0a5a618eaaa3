// Keys and states as JSON. Shapes: `{"id":12,"revision":0}`, `{"name":"...","revision":0}`;
// `"plain"`, `{"draft":0}`, `{"released":0}`.
public import HoldfastBasics
internal import HoldfastJSONCoding

extension RecordKey {
    /// Appends the key as an object that says of which kind it is.
    public func appendJSON(to buffer: inout ByteBuffer) {
        switch id {
        case .number(let number):
            buffer.append("{\"id\":")
            buffer.append(decimal: number)
        case .name(let name):
            buffer.append("{\"name\":")
            name.withView { buffer.appendJSONString($0) }
        }
        buffer.append(",\"revision\":")
        buffer.append(decimal: revision)
        buffer.append("}")
    }
}

extension RecordState {
    /// Appends the state.
    public func appendJSON(to buffer: inout ByteBuffer) {
        switch self {
        case .plain:
            buffer.append("\"plain\"")
            return
        case .draft(let number):
            buffer.append("{\"draft\":")
            buffer.append(decimal: number)
        case .released(let number):
            buffer.append("{\"released\":")
            buffer.append(decimal: number)
        }
        buffer.append("}")
    }
}

extension FormReader {
    /// Reads a key, which may leave its revision open.
    ///
    /// - Returns: The id, and the revision when the key names one.
    /// - Throws: `unfit`, `unknownMember` or `missingMember` when it is no key.
    public mutating func openKey() throws(FormError) -> (id: RecordID, revision: UInt32?) {
        let expected = "a key like {\"id\":12,\"revision\":0} or {\"name\":\"a\",\"revision\":0}"
        let start = try enterObject(expected)
        var id: RecordID?
        var revision: UInt32?
        while let name = try nextMember() {
            switch name {
            case "id", "name":
                guard id == nil else { throw unfit(expected, at: start) }
                id =
                    name.equals("id")
                    ? .number(try integer(1...Limits.numberMax))
                    : try word("1 to 512 bytes of text without control characters") {
                        RecordID($0, kind: .name)
                    }
            case "revision":
                if try !null() { revision = try integer(0...Limits.revisionMax) }
            default:
                try unknownMember()
            }
        }
        guard let id else { throw unfit(expected, at: start) }
        return (id, revision)
    }

    /// Reads a whole key.
    ///
    /// - Throws: As `openKey`, and `missingMember` when it names no revision.
    public mutating func key() throws(FormError) -> RecordKey {
        let start = scanner.offset
        let (id, revision) = try openKey()
        return RecordKey(id, revision: try required(revision, "revision", at: start))
    }

    /// Reads a state.
    ///
    /// - Throws: `unfit` when it is none.
    public mutating func state() throws(FormError) -> RecordState {
        let expected = "\"plain\", {\"draft\":n} or {\"released\":n}"
        let start = scanner.offset
        guard document.count > start, document[start] == UInt8(ascii: "{") else {
            return try word(expected) { $0.equals("plain") ? .plain : nil }
        }
        _ = try enterObject(expected)
        guard let name = try nextMember() else { throw unfit(expected, at: start) }
        let state: RecordState
        switch name {
        case "draft": state = .draft(try integer(0...UInt32.max))
        case "released": state = .released(try integer(0...UInt32.max))
        default: throw unfit(expected, at: start)
        }
        guard try nextMember() == nil else { throw unfit(expected, at: start) }
        return state
    }
}
