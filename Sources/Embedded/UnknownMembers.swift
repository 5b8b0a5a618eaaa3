// Whether a stored value has members that its Swift type does not know.
internal import HoldfastBasics
internal import HoldfastJSONCoding

extension ValueShape {
    /// Whether a document has members that are not in the shape, at any level.
    ///
    /// Complexity: one pass; members are first looked for in the order of the shape.
    func hasUnknownMembers(_ document: ByteView) throws(JSONError) -> Bool {
        var scanner = JSONScanner(document)
        return try hasUnknown(&scanner)
    }

    /// Passes over a value; stops early at the first unknown member.
    private func hasUnknown(_ scanner: inout JSONScanner) throws(JSONError) -> Bool {
        let kind = try scanner.peekKind()
        switch self {
        case .object(let members) where kind == .object:
            try scanner.enterObject()
            var expected = 0
            while let name = try scanner.nextMember() {
                guard let index = Self.find(name, in: members, from: expected) else { return true }
                expected = index + 1
                if try members[index].shape.hasUnknown(&scanner) { return true }
            }
        case .array(let element) where kind == .array, .set(let element, _) where kind == .array:
            try scanner.enterArray()
            while try scanner.nextElement() {
                if try element.hasUnknown(&scanner) { return true }
            }
        case .dictionary(let element) where kind == .object:
            try scanner.enterObject()
            while try scanner.nextMember() != nil {
                if try element.hasUnknown(&scanner) { return true }
            }
        default:
            try scanner.skipValue()
        }
        return false
    }

    private static func find(_ name: JSONString, in members: [Member], from start: Int) -> Int? {
        for offset in 0..<members.count {
            let index = (start + offset) % members.count
            if name.means(members[index].name) { return index }
        }
        return nil
    }

    /// The shape of a member.
    func member(_ name: JSONString) -> ValueShape? {
        switch self {
        case .object(let members): members.first { name.means($0.name) }?.shape
        case .dictionary(let element): element
        case .plain, .array, .set: nil
        }
    }
}

extension JSONString {
    /// Whether this is the name of these UTF-8 bytes.
    func means(_ name: [UInt8]) -> Bool {
        guard isEscaped else { return name.withView { $0 == raw } }
        return text.map { Array($0.utf8) == name } ?? false
    }

    /// Appends the name with its quotes, as it stands.
    func appendName(to buffer: inout ByteBuffer) {
        buffer.append("\"")
        buffer.append(raw)
        buffer.append("\":")
    }
}
