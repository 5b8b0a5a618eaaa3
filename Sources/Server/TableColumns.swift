// The columns of a tree as a table: what says which record a row is, and the fields of its value.
//
// A text stands as it is, a number or a truth value as in JSON, everything else as JSON text. An
// empty cell is a field that is absent (or null); an empty text is a cell of two quotes.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// Which columns a table has, and what stands in them.
struct TableColumns {
    /// What is no field.
    enum Mark: String, CaseIterable {
        /// The id or the name.
        case key = "_key"
        /// The revision, in a versioned tree.
        case revision = "_revision"
        /// The version: the position of the record's last change.
        case version = "_version"
        /// The whole value as JSON text, in a tree without schema.
        case value = "_value"
    }

    /// One column.
    enum Column {
        case mark(Mark)
        case field(String, FieldPath)

        var name: String {
            switch self {
            case .mark(let mark): mark.rawValue
            case .field(let name, _): name
            }
        }
    }

    let columns: [Column]

    /// A table of these columns.
    init(_ columns: [Column]) { self.columns = columns }

    /// The columns of a list.
    ///
    /// - Parameters:
    ///   - fields: The names of fields that were asked for, separated by commas; nil for all.
    ///   - declaration: The tree's.
    /// - Throws: When there is no such field, or one is named as what is no field.
    init(listing fields: String?, of declaration: TreeDeclaration) throws(QueryError) {
        var columns: [Column] = [.mark(.key)]
        if declaration.isVersioned { columns.append(.mark(.revision)) }
        columns.append(.mark(.version))
        if let fields {
            for name in fields.split(separator: ",", omittingEmptySubsequences: false) {
                let path = try FieldPath(shown: String(name), in: declaration.current)
                let isNew = !columns.contains { $0.name.utf8.elementsEqual(name.utf8) }
                if isNew { columns.append(.field(String(name), path)) }
            }
        } else if let schema = declaration.current {
            columns += schema.fields.map { .field($0.name, FieldPath($0)) }
        } else {
            columns.append(.mark(.value))
        }
        self.init(columns)
    }

    /// A field that bears the name of what is no field; a table of such a tree would be ambiguous.
    static func ambiguousField(of declaration: TreeDeclaration) -> String? {
        declaration.current?.fields.map(\.name).first { Mark(rawValue: $0) != nil }
    }

    /// Appends the row that names the columns.
    func appendHeader(to buffer: inout ByteBuffer) {
        buffer.appendCSV(row: columns.map(\.name))
    }

    /// Appends a record as a row.
    func appendRow(_ effect: EffectView, version: Position, to buffer: inout ByteBuffer) {
        let key = effect.key
        var scratch = ByteBuffer()
        for (index, column) in columns.enumerated() {
            if index > 0 { buffer.append(",") }
            switch column {
            case .mark(.key):
                switch key.id {
                case .number(let number): buffer.append(decimal: number)
                case .name(let name): name.withView { buffer.appendCSV($0) }
                }
            case .mark(.revision): buffer.append(decimal: key.revision)
            case .mark(.version): buffer.append(text: version.description)
            case .mark(.value): buffer.appendCSV(effect.value)
            case .field(_, let path):
                guard let value = path.value(in: effect.value) else { continue }
                Self.withContent(of: value, path.type, &scratch) { buffer.appendCSV($0) }
            }
        }
        buffer.append("\r\n")
    }

    /// Lends what a cell holds of a value: the content of a text, or JSON text.
    static func withContent<T>(
        of value: ByteView,
        _ type: FieldType,
        _ scratch: inout ByteBuffer,
        _ body: (ByteView) -> T
    ) -> T {
        // What an older major version left there may be of another type.
        guard type.isText, value[0] == UInt8(ascii: "\"") else { return body(value) }
        scratch.removeAll()
        do throws(JSONError) {
            var scanner = JSONScanner(value)
            try scanner.readString().append(to: &scratch)
        } catch {
            // No normalised document has such bytes.
        }
        return body(scratch.view)
    }
}

extension FieldType {
    /// Whether its values are texts in JSON.
    var isText: Bool {
        switch self {
        case .string, .date, .uuid, .data, .url, .decimal, .key, .stringEnum: true
        default: false
        }
    }
}
