// A job of CSV: a row is a record that is made, or changed under the version the row names.
//
// The first row names the columns. Columns that are not there are not touched: a row that changes a
// record keeps the members it does not name. Rows are numbered by the line they begin on.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A job whose lines are rows of a table.
final class TableJob: LineJob {
    private let tree: TreeName
    private let declaration: TreeDeclaration
    private var reader = CSVReader(rowByteCountMax: Limits.commitByteCountMax)
    private var columns: TableColumns?
    /// Whether the first row was no header: nothing of the rest can be understood.
    private var isLost = false

    init(
        _ call: Call,
        _ connection: Connection,
        _ tree: TreeName,
        _ declaration: TreeDeclaration,
        isRehearsal: Bool
    ) {
        self.tree = tree
        self.declaration = declaration
        super.init(call, connection, isRehearsal: isRehearsal)
    }

    override func read(_ bytes: ByteView) {
        reader.read(bytes, take)
    }

    override func readRest() {
        reader.end(take)
        guard columns == nil, !isLost else { return }
        line = 1
        refuse(Refusal(.badBody, "The table is empty: its first row names the columns."), seq: 0)
    }

    private func take(_ row: CSVReader.Row) {
        guard !isLost else { return }
        line = row.line
        if let fault = row.fault {
            refuse(Self.refusal(of: fault), seq: 0)
            isLost = columns == nil
            return
        }
        do throws(RowFault) {
            guard let columns else {
                columns = try TableColumns(header: row.cells, of: declaration)
                return
            }
            try perform(row.cells, columns)
        } catch {
            refuse(Refusal(error.code, error.detail, field: error.field), seq: 0)
            isLost = columns == nil
        }
    }

    /// Makes the change of a row.
    private func perform(
        _ cells: [CSVReader.Cell],
        _ columns: TableColumns
    ) throws(RowFault) {
        let row = try columns.row(cells, of: declaration)
        let base = row.version == nil ? nil : row.key.flatMap { standing($0) }
        var value = ByteBuffer(capacity: 512)
        try columns.appendValue(cells, over: base?.value, to: &value)
        if let base, let key = row.key, base.version == row.version, base.value == value.array {
            return leave(key, at: base.version)
        }
        var change = ByteBuffer(capacity: 512)
        change.append("{\"operations\":[{\"put\":{\"tree\":\"")
        change.append(text: tree.description)
        change.append("\",\"expects\":\"")
        change.append(text: row.version?.description ?? "absent")
        change.append("\"")
        row.appendKey(to: &change)
        change.append(",\"value\":")
        change.append(value.view)
        change.append("}}]}")
        var source = ByteBuffer(capacity: 512)
        columns.appendSource(cells, of: tree, to: &source)
        perform(change.view, from: source.view, isOne: true)
    }

    /// The record as it stands; that it is not of the version a row names is the engine's to say.
    private func standing(_ key: RecordKey) -> (value: [UInt8], version: Position)? {
        server.store.read { reader in
            guard let state = reader.state.tree(tree),
                let location = reader.state.location(state, key)
            else { return nil }
            return reader.withEffect(at: location) { effect, commit in
                guard effect.isSet else { return nil }
                return (effect.value.array, reader.state.position(of: commit.seq))
            }
        }
    }

    private static func refusal(of fault: CSVReader.Fault) -> Refusal {
        switch fault {
        case .quote:
            Refusal(
                .badBody,
                "A cell that holds a quote stands in quotes, and the quote twice: \"a \"\"b\"\"\"."
            )
        case .open: Refusal(.badBody, "The input ends in the middle of a cell in quotes.")
        case .carriageReturn: Refusal(.badBody, "Lines end in CR LF or LF, not in CR.")
        case .notUTF8: Refusal(.badBody, "The row is not UTF-8. Save the table as UTF-8.")
        case .tooLong:
            Refusal(
                .tooLarge,
                "A row may have \(Limits.commitByteCountMax) bytes. Is a quote not closed?"
            )
        }
    }
}

extension LoopServer {
    /// POST of a table to `/v1/changes`.
    func tableJob(
        _ call: Call,
        _ connection: Connection,
        isRehearsal: Bool
    ) throws(RequestRefusal) -> TableJob {
        try requireType(call, "text", "csv")
        guard let name = try Parameters.single(target, "tree") else {
            throw RequestRefusal(
                .badParameter,
                "Say which tree the rows are of: tree=NAME.",
                field: "tree"
            )
        }
        let tree = try Parameters.tree(name)
        let declaration = try store.read { reader throws(RequestRefusal) in
            try findTree(tree, reader).declaration
        }
        try checkIsTable(tree, declaration, field: "Content-Type")
        try checkIsWritable(tree, declaration.keys, by: call.caller)
        return TableJob(call, connection, tree, declaration, isRehearsal: isRehearsal)
    }
}
