// One pass of a program over one document.
//
// Invariants:
// - the accepting path allocates nothing: texts are compared where they lie, and only one with
//   escapes is copied; what a refusal needs is gathered while the recursion unwinds;
// - required members are counted, not marked: a normalised document names no member twice;
// - recursion is as deep as the descriptor's types, which `SchemaDefinition` bounds.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// The state of one check.
struct SchemaRun {
    /// What was wrong, and where.
    struct Failure {
        var code: RefusalCode
        var detail: String
        /// Steps from the inside out.
        var path: [String]
    }

    private let program: SchemaProgram
    private let names: ByteView
    private var scanner: JSONScanner
    /// Set when the check has failed.
    private(set) var failure: Failure?

    /// Begins at a document's first byte.
    ///
    /// - Parameters:
    ///   - program: What to check against.
    ///   - names: The program's names, lent for the time of the run.
    ///   - document: Normalised JSON.
    init(_ program: SchemaProgram, names: ByteView, document: ByteView) {
        self.program = program
        self.names = names
        scanner = JSONScanner(document)
    }

    /// Checks the whole document.
    mutating func accepts() -> Bool {
        do throws(JSONError) {
            guard try value(program.root) else { return false }
            if scanner.isAtEnd { return true }
        } catch {
            // The sentence below is for both.
        }
        return fail(.invalidField, "Expected one value as normalised JSON.")
    }

    // MARK: Values

    /// Checks the next value against a node; throws only what a normalised document cannot hold.
    private mutating func value(_ index: Int) throws(JSONError) -> Bool {
        let node = program.nodes[index]
        let start = scanner
        switch node.kind {
        case .structure, .file:
            guard try scanner.peekKind() == .object else { break }
            return try object(program.shapes[node.index])
        case .array:
            guard try scanner.peekKind() == .array else { break }
            return try array(of: node.index)
        case .dictionary:
            guard try scanner.peekKind() == .object else { break }
            return try dictionary(of: node.index)
        case .payloadEnum:
            guard try scanner.peekKind() == .object else { break }
            return try payload(program.shapes[node.index], index)
        case .any:
            try scanner.skipValue()
            return true
        default:
            do throws(JSONError) {
                if try scalar(node) { return true }
            } catch {
                // Not of its kind or range.
            }
        }
        return failValue(index, at: start)
    }

    private mutating func scalar(_ node: SchemaProgram.Node) throws(JSONError) -> Bool {
        switch node.kind {
        case .string:
            _ = try scanner.readString()
            return true
        case .signed:
            let value = try scanner.readInteger(Int64.self)
            let unused = Int64(64 - node.bits)
            return (value << unused) >> unused == value
        case .unsigned:
            let value = try scanner.readInteger(UInt64.self)
            return value >> UInt64(node.bits) == 0
        case .bool:
            _ = try scanner.readBool()
            return true
        case .float: return try scanner.readNumber().float != nil
        case .double: return try scanner.readNumber().double != nil
        case .date: return try text(SchemaText.isDate)
        case .uuid: return try text(SchemaText.isUUID)
        case .data: return try text(SchemaText.isBase64)
        case .url: return try text(SchemaText.isURL)
        case .decimal: return try text(SchemaText.isDecimal)
        case .key: return try text(SchemaText.isReference)
        case .digest: return try text(SchemaText.isDigest)
        case .stringEnum:
            return part(try scanner.readString(), of: program.shapes[node.index]) != nil
        case .integerEnum:
            let value = try scanner.readInteger(Int64.self)
            return program.hasCase(value, of: program.ranges[node.index])
        case .file, .array, .structure, .dictionary, .payloadEnum, .any:
            preconditionFailure("not a scalar")
        }
    }

    private mutating func text(_ check: (ByteView) -> Bool) throws(JSONError) -> Bool {
        let text = try scanner.readString()
        return text.isEscaped ? text.unescaped.withView(check) : check(text.raw)
    }

    private func part(_ name: JSONString, of shape: SchemaProgram.Shape) -> Int? {
        guard name.isEscaped else { return program.member(name.raw, of: shape, names: names) }
        return name.unescaped.withView { program.member($0, of: shape, names: names) }
    }

    // MARK: Containers

    private mutating func object(_ shape: SchemaProgram.Shape) throws(JSONError) -> Bool {
        let start = scanner
        try scanner.enterObject()
        var required = 0
        var expected = shape.members.lowerBound
        while let name = try scanner.nextMember() {
            guard let found = member(name, expected: expected, of: shape) else {
                return failUnknown(name)
            }
            guard try memberValue(found) else { return false }
            if program.members[found].isRequired { required += 1 }
            expected = found + 1
        }
        return required == shape.requiredCount ? true : try failMissing(shape, objectAt: start)
    }

    /// Finds a member, first by guessing that members come in the order of their fields.
    private func member(
        _ name: JSONString,
        expected: Int,
        of shape: SchemaProgram.Shape
    ) -> Int? {
        if expected < shape.members.upperBound, !name.isEscaped,
            names[program.members[expected].name] == name.raw
        {
            return expected
        }
        return part(name, of: shape)
    }

    private mutating func memberValue(_ index: Int) throws(JSONError) -> Bool {
        let member = program.members[index]
        if member.isOptional, try scanner.readNull() { return true }
        if try value(member.node) { return true }
        failure?.path.append(program.name(of: index))
        return false
    }

    private mutating func array(of element: Int) throws(JSONError) -> Bool {
        try scanner.enterArray()
        var position = 0
        while try scanner.nextElement() {
            guard try value(element) else {
                failure?.path.append(String(position))
                return false
            }
            position += 1
        }
        return true
    }

    private mutating func dictionary(of element: Int) throws(JSONError) -> Bool {
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            guard try value(element) else {
                failure?.path.append(String(decoding: name.unescaped, as: UTF8.self))
                return false
            }
        }
        return true
    }

    /// `{"case":{...}}`: exactly one member.
    private mutating func payload(
        _ shape: SchemaProgram.Shape,
        _ index: Int
    ) throws(JSONError) -> Bool {
        let start = scanner
        try scanner.enterObject()
        guard let name = try scanner.nextMember(), let found = part(name, of: shape) else {
            return failValue(index, at: start)
        }
        guard try memberValue(found) else { return false }
        return try scanner.nextMember() == nil ? true : failValue(index, at: start)
    }

    // MARK: Failing

    @inline(never)
    private mutating func fail(
        _ code: RefusalCode,
        _ detail: String,
        at step: String? = nil
    ) -> Bool {
        failure = Failure(code: code, detail: detail, path: step.map { [$0] } ?? [])
        return false
    }

    private mutating func failValue(_ node: Int, at place: JSONScanner) -> Bool {
        let expected = program.expectation(of: node)
        return fail(.invalidField, "Expected \(expected), found \(Self.kind(at: place)).")
    }

    private mutating func failUnknown(_ name: JSONString) -> Bool {
        let name = String(decoding: name.unescaped, as: UTF8.self)
        return fail(
            .unknownField,
            "No version of this schema has a member '\(name)' here: leave it out, or declare it.",
            at: name
        )
    }

    /// Finds the first required member an object lacks; only taken when one is missing.
    private mutating func failMissing(
        _ shape: SchemaProgram.Shape,
        objectAt start: JSONScanner
    ) throws(JSONError) -> Bool {
        var seen: Set<Int> = []
        var scanner = start
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            try scanner.skipValue()
            if let found = part(name, of: shape) { seen.insert(found) }
        }
        for index in shape.members where program.members[index].isRequired {
            guard !seen.contains(index) else { continue }
            let expected = program.expectation(of: program.members[index].node)
            return fail(
                .invalidField,
                "Expected \(expected), found nothing: the field is neither optional nor has it a "
                    + "default.",
                at: program.name(of: index)
            )
        }
        return fail(.invalidField, "Expected no member twice.")
    }

    /// What stands at a place, for a refusal's sentence.
    private static func kind(at place: JSONScanner) -> String {
        var scanner = place
        do throws(JSONError) {
            switch try scanner.peekKind() {
            case .object: return "an object"
            case .array: return "an array"
            case .true: return "true"
            case .false: return "false"
            case .null: return "null"
            case .string: return "the text " + beginning(of: try scanner.skipValue())
            case .number: return "the number " + beginning(of: try scanner.skipValue())
            }
        } catch {
            return "no value"
        }
    }

    /// A token's first bytes: enough to recognise it.
    private static func beginning(of token: ByteView) -> String {
        guard token.count > 40 else { return token.text }
        var end = 40
        while end > 0, token[end] & 0xC0 == 0x80 { end -= 1 }
        return token[0..<end].text + "..."
    }
}

extension JSONString {
    /// The content, escapes resolved; in a normalised document every escape is well-formed.
    var unescaped: [UInt8] {
        guard isEscaped else { return raw.array }
        var content = ByteBuffer(capacity: raw.count)
        append(to: &content)
        return content.array
    }
}
