// Declarations of trees as JSON: the body of `PUT /v1/trees/{tree}` and the value in `_trees`.
public import HoldfastBasics
internal import HoldfastJSONCoding

extension TreeDefinition {
    /// Reads the body of a request; members nobody knows are refused.
    ///
    /// Shape: `{"keys":"id","versioned":true,"borrow":"required","transitions":[...],
    /// "schema":{...}}`; all but `keys` may be left out. What is left out stays as it stands;
    /// `"transitions":null` takes the table away.
    ///
    /// - Parameter document: Normalised JSON.
    /// - Throws: What does not fit, with its path.
    public init(json document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: true)
        self = try reader.treeDefinition()
        try reader.expectEnd()
    }

    /// The definition as normalised JSON.
    public var json: [UInt8] {
        var buffer = ByteBuffer()
        appendJSON(to: &buffer)
        return buffer.array
    }

    /// Appends the definition.
    public func appendJSON(to buffer: inout ByteBuffer) {
        buffer.appendHead(keys: keys, isVersioned: isVersioned)
        if let borrow { buffer.appendMember(",\"borrow\":", borrow.rawValue) }
        if transitions == nil, allowsAnyTransition { buffer.append(",\"transitions\":null") }
        buffer.appendTransitions(transitions)
        if let schema {
            buffer.append(",\"schema\":")
            schema.appendJSON(to: &buffer)
        }
        buffer.append("}")
    }
}

extension TreeDeclaration {
    /// Reads a value of `_trees`; members nobody knows yet are passed over.
    ///
    /// - Parameter document: Normalised JSON.
    /// - Throws: What does not fit, with its path.
    public init(json document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: false)
        self = try reader.treeDeclaration()
        try reader.expectEnd()
    }

    /// The declaration as normalised JSON.
    public var json: [UInt8] {
        var buffer = ByteBuffer()
        appendJSON(to: &buffer)
        return buffer.array
    }

    /// Appends the declaration: its members, every schema version, and which one is current.
    public func appendJSON(to buffer: inout ByteBuffer) {
        buffer.appendHead(keys: keys, isVersioned: isVersioned)
        buffer.appendMember(",\"borrow\":", borrow.rawValue)
        buffer.appendTransitions(transitions)
        buffer.append(",\"schemas\":")
        buffer.appendList(schemas) { $0.appendJSON(to: &$1) }
        if let current { buffer.appendMember(",\"current\":", current.version.description) }
        buffer.append("}")
    }
}

extension FormReader {
    /// Reads a definition.
    ///
    /// - Throws: What does not fit, with its path.
    public mutating func treeDefinition() throws(FormError) -> TreeDefinition {
        let start = try enterObject()
        var members = TreeMembers()
        var schema: Descriptor?
        while let name = try nextMember() {
            if try members.read(name, &self) { continue }
            switch name {
            case "schema": if try !null() { schema = try descriptor() }
            default: try unknownMember()
            }
        }
        return TreeDefinition(
            keys: try required(members.keys, "keys", at: start),
            isVersioned: members.isVersioned ?? false,
            borrow: members.borrow,
            transitions: members.transitions,
            allowsAnyTransition: members.isAnyTransition,
            schema: schema
        )
    }

    mutating func treeDeclaration() throws(FormError) -> TreeDeclaration {
        let start = try enterObject()
        var members = TreeMembers()
        var schemas: [Descriptor]?
        var current: SchemaVersion?
        while let name = try nextMember() {
            if try members.read(name, &self) { continue }
            switch name {
            case "schemas": schemas = try list { r throws(FormError) in try r.descriptor() }
            case "current": if try !null() { current = try schemaVersion() }
            default: try unknownMember()
            }
        }
        let declaration = TreeDeclaration(
            keys: try required(members.keys, "keys", at: start),
            isVersioned: try required(members.isVersioned, "versioned", at: start),
            borrow: try required(members.borrow, "borrow", at: start),
            transitions: members.transitions,
            schemas: try required(schemas, "schemas", at: start)
        )
        guard declaration.current?.version == current else {
            throw .unfit(path: "current", expected: "the version of the last schema")
        }
        return declaration
    }
}

/// What a definition and a declaration have in common.
private struct TreeMembers {
    var keys: KeyKind?
    var isVersioned: Bool?
    var borrow: BorrowPolicy?
    var transitions: [StateTransition]?
    /// Whether the table stands there as null.
    var isAnyTransition = false

    /// Reads a member's value when it is one of these.
    mutating func read(
        _ name: JSONString,
        _ reader: inout FormReader
    ) throws(FormError) -> Bool {
        switch name {
        case "keys":
            keys = try reader.word("\"id\" or \"name\"") { KeyKind(rawValue: $0.text) }
        case "versioned":
            isVersioned = try reader.bool()
        case "borrow":
            guard try !reader.null() else { return true }
            borrow = try reader.word("\"required\" or \"optional\"") {
                BorrowPolicy(rawValue: $0.text)
            }
        case "transitions":
            guard try !reader.null() else {
                isAnyTransition = true
                return true
            }
            transitions = try reader.list { r throws(FormError) in try r.transition() }
        default:
            return false
        }
        return true
    }
}

extension FormReader {
    fileprivate mutating func transition() throws(FormError) -> StateTransition {
        let start = try enterObject("a transition with from and to")
        var from: RecordState?
        var to: RecordState?
        while let name = try nextMember() {
            switch name {
            case "from": from = try state()
            case "to": to = try state()
            default: try unknownMember()
            }
        }
        return StateTransition(
            from: try required(from, "from", at: start),
            to: try required(to, "to", at: start)
        )
    }
}

extension ByteBuffer {
    fileprivate mutating func appendHead(keys: KeyKind, isVersioned: Bool) {
        appendMember("{\"keys\":", keys.rawValue)
        append(isVersioned ? ",\"versioned\":true" : ",\"versioned\":false")
    }

    fileprivate mutating func appendTransitions(_ transitions: [StateTransition]?) {
        guard let transitions else { return }
        append(",\"transitions\":")
        appendList(transitions) { transition, buffer in
            buffer.append("{\"from\":")
            transition.from.appendJSON(to: &buffer)
            buffer.append(",\"to\":")
            transition.to.appendJSON(to: &buffer)
            buffer.append("}")
        }
    }

    /// Appends what stands before a value, and the value as a JSON string.
    mutating func appendMember(_ before: StaticString, _ text: String) {
        append(before)
        appendJSONString(text)
    }
}
