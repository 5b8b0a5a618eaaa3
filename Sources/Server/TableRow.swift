// A row of a table as a change: its key, the version it was read at, and its value.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastWire

/// What is wrong with a row, or with the row that names the columns.
struct RowFault: Error {
    let code: RefusalCode
    let detail: String
    /// The column.
    let field: String?

    init(_ code: RefusalCode, _ detail: String, field: String? = nil) {
        self.code = code
        self.detail = detail
        self.field = field
    }
}

/// Which record a row is.
struct TableRow {
    /// nil lets the server choose.
    var id: RecordID?
    var revision: UInt32?
    /// The version the row was read at; nil makes a new record.
    var version: Position?

    /// The record; nil lets the server choose.
    var key: RecordKey? { id.map { RecordKey($0, revision: revision ?? 0) } }

    /// Appends `,"key":{...}`; nothing when the server chooses.
    func appendKey(to buffer: inout ByteBuffer) {
        guard let id else { return }
        buffer.append(",\"key\":{")
        switch id {
        case .number(let number):
            buffer.append("\"id\":")
            buffer.append(decimal: number)
        case .name(let name):
            buffer.append("\"name\":")
            name.withView { buffer.appendJSONString($0) }
        }
        if let revision {
            buffer.append(",\"revision\":")
            buffer.append(decimal: revision)
        }
        buffer.append("}")
    }
}

extension TableColumns {
    /// Reads the row that names the columns.
    ///
    /// - Throws: `badBody` with the column.
    init(header cells: [CSVReader.Cell], of declaration: TreeDeclaration) throws(RowFault) {
        let fields = declaration.current?.fields ?? []
        var columns: [Column] = []
        for cell in cells {
            let name = String(decoding: cell.bytes, as: UTF8.self)
            guard !columns.contains(where: { $0.name.utf8.elementsEqual(cell.bytes) }) else {
                throw RowFault(.badBody, "The column \(name) stands twice.", field: name)
            }
            if let mark = Mark(rawValue: name), mark != .value || declaration.current == nil {
                columns.append(.mark(mark))
            } else if let field = fields.first(where: { $0.name.utf8.elementsEqual(cell.bytes) }) {
                columns.append(.field(field.name, FieldPath(field)))
            } else {
                throw Self.unknown(name, declaration)
            }
        }
        self.init(columns)
        guard has(.key) || declaration.keys == .id else {
            throw RowFault(
                .badBody,
                "Keys of this tree are names: the table needs a column _key.",
                field: Mark.key.rawValue
            )
        }
        guard has(.key) || !has(.version) else {
            throw RowFault(
                .badBody,
                "A version is one of a record: a table with _version needs a column _key.",
                field: Mark.key.rawValue
            )
        }
        guard declaration.current != nil || has(.value) else {
            throw RowFault(
                .badBody,
                "The tree has no schema: the table needs a column _value, JSON text.",
                field: Mark.value.rawValue
            )
        }
    }

    private static func unknown(_ name: String, _ declaration: TreeDeclaration) -> RowFault {
        var known = [Mark.key, .revision, .version].map(\.rawValue)
        known += declaration.current?.fields.map(\.name) ?? [Mark.value.rawValue]
        return RowFault(
            .badBody,
            "There is no field '\(name)'. The first row names the columns, separated by commas: "
                + known.joined(separator: ", ") + ".",
            field: name
        )
    }

    /// Reads which record a row is.
    ///
    /// - Throws: `badBody`, `badKey`, `revisionRequired` with the column.
    func row(
        _ cells: [CSVReader.Cell],
        of declaration: TreeDeclaration
    ) throws(RowFault) -> TableRow {
        let kind = declaration.keys
        guard cells.count == columns.count else {
            throw RowFault(
                .badBody,
                "The row has \(cells.count) cells, and the first one names \(columns.count)."
            )
        }
        var row = TableRow()
        for (column, cell) in zip(columns, cells) where !cell.bytes.isEmpty {
            guard case .mark(let mark) = column else { continue }
            switch mark {
            case .key:
                row.id = cell.bytes.withView { RecordID($0, kind: kind) }
                guard row.id != nil else {
                    throw RowFault(
                        .badKey,
                        kind == .id
                            ? "A key of this tree is a number from 1 to \(Limits.numberMax)."
                            : "A key of this tree is a name of 1 to \(Limits.nameByteCountMax) "
                                + "bytes without control characters.",
                        field: mark.rawValue
                    )
                }
            case .revision:
                let number = cell.bytes.withView { decimalNumber($0) }
                guard let number, number <= UInt64(Limits.revisionMax) else {
                    throw RowFault(.badBody, "A revision is a number.", field: mark.rawValue)
                }
                row.revision = UInt32(number)
            case .version:
                row.version = cell.bytes.withView { Position($0) }
                guard row.version != nil else {
                    throw RowFault(
                        .badBody,
                        "A version is epoch:seq, as it was listed; leave it empty for a new record.",
                        field: mark.rawValue
                    )
                }
            case .value: continue
            }
        }
        guard row.id != nil || kind == .id && row.version == nil else {
            throw RowFault(.badKey, "The row names no record.", field: Mark.key.rawValue)
        }
        guard row.id == nil || row.revision != nil || !declaration.isVersioned else {
            throw RowFault(
                .revisionRequired,
                "Records of this tree have revisions: name the one you mean.",
                field: Mark.revision.rawValue
            )
        }
        return row
    }

    /// Appends what a row says, in a form that is the same when the row is.
    func appendSource(
        _ cells: [CSVReader.Cell],
        of tree: TreeName,
        to buffer: inout ByteBuffer
    ) {
        buffer.appendJSONString(tree.description)
        for (column, cell) in zip(columns, cells) {
            buffer.appendJSONString(column.name)
            buffer.append(cell.isQuoted ? "!" : "?")
            cell.bytes.withView { buffer.appendJSONString($0) }
        }
    }

    /// Appends the value of a row.
    ///
    /// - Parameters:
    ///   - cells: The row.
    ///   - base: The value it changes; nil makes a new one.
    ///   - buffer: Gets JSON.
    /// - Throws: `invalidField` with the column, for a cell that is no JSON text and should be.
    func appendValue(
        _ cells: [CSVReader.Cell],
        over base: [UInt8]?,
        to buffer: inout ByteBuffer
    ) throws(RowFault) {
        if has(.value) {
            for (column, cell) in zip(columns, cells) {
                guard case .mark(.value) = column else { continue }
                try Self.append(json: cell, Mark.value.rawValue, to: &buffer)
            }
            return
        }
        // What the base does not have stays, to be added in the order of the columns.
        var named: [[UInt8]: (cell: CSVReader.Cell, path: FieldPath)] = [:]
        for (column, cell) in zip(columns, cells) {
            guard case .field(let name, let path) = column else { continue }
            named[Array(name.utf8)] = (cell, path)
        }
        var members: [[UInt8]] = []
        for standing in base.map({ $0.withView(Self.members) }) ?? [] {
            guard let (cell, path) = named.removeValue(forKey: standing.name) else {
                members.append(Self.member(standing.token, standing.value))
                continue
            }
            // What is listed so is what stands: not a byte of it is written anew.
            if standing.value.withView({ Self.isListed($0, as: cell, path.type) }) {
                members.append(Self.member(standing.token, standing.value))
            } else if let new = try Self.json(of: cell, path) {
                members.append(Self.member(standing.token, new))
            }
        }
        for column in columns {
            guard case .field(let name, let path) = column,
                let cell = named[Array(name.utf8)]?.cell, let new = try Self.json(of: cell, path)
            else { continue }
            var token = ByteBuffer()
            token.appendJSONString(name)
            members.append(Self.member(token.array, new))
        }
        buffer.append("{")
        for (index, member) in members.enumerated() {
            if index > 0 { buffer.append(",") }
            buffer.append(member)
        }
        buffer.append("}")
    }

    /// `"name":value`.
    private static func member(_ token: [UInt8], _ value: [UInt8]) -> [UInt8] {
        token + [UInt8(ascii: ":")] + value
    }

    /// Whether a cell is what a list shows of a value.
    private static func isListed(
        _ value: ByteView,
        as cell: CSVReader.Cell,
        _ type: FieldType
    ) -> Bool {
        if value.equals("null") { return cell.bytes.isEmpty && !cell.isQuoted }
        guard !cell.bytes.isEmpty || cell.isQuoted else { return false }
        var scratch = ByteBuffer()
        return withContent(of: value, type, &scratch) { listed in
            cell.bytes.withView { $0 == listed }
        }
    }

    private func has(_ mark: Mark) -> Bool {
        columns.contains { column in
            if case .mark(mark) = column { return true }
            return false
        }
    }

    /// A member of a value: its name, how that is written, and what it is.
    private struct Member {
        let name: [UInt8]
        let token: [UInt8]
        let value: [UInt8]
    }

    /// The members of an object; none of anything else.
    private static func members(of document: ByteView) -> [Member] {
        var found: [Member] = []
        do throws(JSONError) {
            var scanner = JSONScanner(document)
            guard try scanner.peekKind() == .object else { return [] }
            try scanner.enterObject()
            while let name = try scanner.nextMember() {
                var content = ByteBuffer(capacity: name.raw.count)
                name.append(to: &content)
                let quote = [UInt8(ascii: "\"")]
                let value = try scanner.skipValue().array
                found.append(
                    Member(
                        name: content.array,
                        token: quote + name.raw.array + quote,
                        value: value
                    )
                )
            }
        } catch {
            // No normalised document has such bytes.
        }
        return found
    }

    /// What a cell says as JSON; nil when it says nothing.
    private static func json(
        of cell: CSVReader.Cell,
        _ path: FieldPath
    ) throws(RowFault) -> [UInt8]? {
        if cell.bytes.isEmpty, !cell.isQuoted {
            guard path.isRequired else { return nil }
            switch path.type {
            // A spreadsheet writes an empty text as nothing: where a value must be, it is one.
            case .string, .data: return Array("\"\"".utf8)
            case .any: return Array("null".utf8)
            default: return nil
            }
        }
        var buffer = ByteBuffer(capacity: cell.bytes.count + 2)
        switch path.type {
        case .bool:
            for (text, word): (StaticString, StaticString) in [
                ("true", "true"), ("TRUE", "true"), ("false", "false"), ("FALSE", "false"),
            ] where cell.bytes.withView({ $0.equals(text) }) {
                buffer.append(word)
                return buffer.array
            }
        case .int, .uint, .float, .double, .integerEnum:
            let document = try? cell.bytes.withView { try JSONNormalizer.normalized($0) }
            let first = cell.bytes.first ?? 0
            if first == UInt8(ascii: "-") || (48...57).contains(first), document == cell.bytes {
                return cell.bytes
            }
        case .file, .array, .structure, .dictionary, .payloadEnum, .any:
            try append(json: cell, path.description, to: &buffer)
            return buffer.array
        case .string, .date, .uuid, .data, .url, .decimal, .key, .stringEnum: break
        }
        // What is no number where one should be is refused as the text it is.
        cell.bytes.withView { buffer.appendJSONString($0) }
        return buffer.array
    }

    private static func append(
        json cell: CSVReader.Cell,
        _ name: String,
        to buffer: inout ByteBuffer
    ) throws(RowFault) {
        let document: [UInt8]
        do {
            document = try cell.bytes.withView { try JSONNormalizer.normalized($0) }
        } catch {
            throw RowFault(
                .invalidField,
                "This column holds JSON text, such as [\"a\"] or {\"b\":1}; a text stands in quotes "
                    + "of its own.",
                field: name
            )
        }
        buffer.append(document)
    }
}
