// The values of `_tokens` as JSON, and rights as every form has them:
// `{"*":["read"],"parts":["read","write"]}`.
public import HoldfastBasics
public import HoldfastJSONCoding

extension TokenRecord {
    /// Reads a record of `_tokens`.
    ///
    /// - Parameters:
    ///   - key: The record's key: its id.
    ///   - document: The record's value.
    /// - Throws: What does not fit, with its path.
    public init(key: RecordKey, json document: ByteView) throws(FormError) {
        guard case .name(let name) = key.id, let id = name.withView({ UniqueID($0) }) else {
            throw .unfit(path: "", expected: "a UUID as the record's key")
        }
        var reader = FormReader(document, isStrict: false)
        let start = try reader.enterObject()
        var hash: Digest256?
        var members = TokenMembers()
        while let name = try reader.nextMember() {
            if name.equals("hash") {
                hash = try reader.word("64 hexadecimal digits") { Digest256($0) }
            } else if try !members.read(name, from: &reader) {
                try reader.unknownMember()
            }
        }
        try reader.expectEnd()
        self.init(
            id: id,
            hash: try reader.required(hash, "hash", at: start),
            user: try reader.required(members.user, "user", at: start),
            bearer: try members.bearer(),
            rights: try reader.required(members.rights, "rights", at: start),
            ends: members.ends
        )
    }

    /// The record's value as normalised JSON.
    ///
    /// Shape: `{"hash","user","device"|"integration","rights":{tree or "*":[right]},"ends"?}`.
    public var json: [UInt8] {
        var buffer = ByteBuffer(capacity: 256)
        buffer.append("{\"hash\":")
        buffer.appendJSONString(hash.description)
        buffer.append(",")
        appendMembers(to: &buffer)
        buffer.append("}")
        return buffer.array
    }

    /// Appends all that may be shown of it: `"user","device"|"integration","rights","ends"?`.
    public func appendMembers(to buffer: inout ByteBuffer) {
        buffer.append("\"user\":")
        buffer.appendJSONString(user)
        switch bearer {
        case .device: buffer.append(",\"device\":")
        case .integration: buffer.append(",\"integration\":")
        }
        buffer.appendJSONString(bearer.name)
        buffer.append(",\"rights\":")
        rights.appendJSON(to: &buffer)
        if let ends {
            buffer.append(",\"ends\":\"")
            Timestamp.append(milliseconds: ends, to: &buffer)
            buffer.append("\"")
        }
    }
}

extension Rights {
    /// Appends `{"*":["read"],"parts":["read","write"]}`, trees by name.
    public func appendJSON(to buffer: inout ByteBuffer) {
        var lists = trees.map { ($0.tree.description, $0.rights) }
        if !everywhere.isEmpty { lists.insert(("*", everywhere), at: 0) }
        buffer.append("{")
        for (index, (name, rights)) in lists.enumerated() {
            if index > 0 { buffer.append(",") }
            buffer.appendJSONString(name)
            buffer.append(":[")
            for (index, right) in rights.enumerated() {
                if index > 0 { buffer.append(",") }
                buffer.appendJSONString(right.rawValue)
            }
            buffer.append("]")
        }
        buffer.append("}")
    }
}

/// What a token is told to be, while it is read.
public struct TokenMembers {
    /// The user it stands for.
    public private(set) var user: String?
    /// What it may do.
    public private(set) var rights: Rights?
    /// When it ends, in milliseconds since 1970.
    public private(set) var ends: Int64?
    private var device: String?
    private var integration: String?

    /// Nothing yet.
    public init() {}

    /// Reads a member.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - reader: Stands before its value.
    /// - Returns: False when it is none of a token's; nothing is read then.
    /// - Throws: What does not fit.
    public mutating func read(
        _ name: JSONString,
        from reader: inout FormReader
    ) throws(FormError) -> Bool {
        switch name {
        case "user": user = try reader.text()
        case "device": if try !reader.null() { device = try reader.text() }
        case "integration": if try !reader.null() { integration = try reader.text() }
        case "rights": rights = try reader.rights()
        case "ends": if try !reader.null() { ends = try reader.time() }
        default: return false
        }
        return true
    }

    /// Who bears it: a device or an integration, one of them.
    ///
    /// - Throws: `missingMember` when none is named, `unfit` when both are.
    public func bearer() throws(FormError) -> TokenBearer {
        switch (device, integration) {
        case (let device?, nil): return .device(device)
        case (nil, let integration?): return .integration(integration)
        case (nil, nil): throw .missingMember(path: "device")
        default: throw .unfit(path: "integration", expected: "left out where there is a device")
        }
    }
}

extension FormReader {
    /// Reads rights by tree; `*` is every tree.
    ///
    /// - Throws: `unfit`, also for a name that is no application's tree, or a right that is none.
    public mutating func rights() throws(FormError) -> Rights {
        var everywhere: Set<Right> = []
        var trees: [TreeName: Set<Right>] = [:]
        let start = try enterObject("rights by the names of trees")
        while let name = try nextMember() {
            let tree = name.text.flatMap { TreeName($0) }
            guard name.equals("*") || tree != nil else {
                throw unfit("rights by the names of trees, or *", at: start)
            }
            var rights: Set<Right> = []
            try enterArray()
            while try nextElement() {
                rights.insert(
                    try word("read, write, seize, migrate or admin") { Right(rawValue: $0.text) }
                )
            }
            if let tree { trees[tree] = rights } else { everywhere = rights }
        }
        return Rights(everywhere: everywhere, trees: trees)
    }
}
