// A list as CSV: the same records as its NDJSON, exact at one position, a record a row.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// Everything a list shows as it stood at one position, as a table.
final class TableLines: BodyProducer {
    private let server: LoopServer
    private let choice: ListChoice
    private let columns: TableColumns
    private let pin: Pin
    private let walk: ListWalk
    private var hasHeader = false

    init(
        _ server: LoopServer,
        _ choice: ListChoice,
        _ columns: TableColumns,
        _ pin: Pin,
        _ walk: ListWalk
    ) {
        self.server = server
        self.choice = choice
        self.columns = columns
        self.pin = pin
        self.walk = walk
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        guard server.store.touch(pin) else { return .failed }
        let start = out.count
        if !hasHeader {
            columns.appendHeader(to: &out)
            hasHeader = true
        }
        server.store.read { reader in
            walk.step(reader) { _, location in
                reader.withEffect(at: location) { effect, commit in
                    let version = reader.state.position(of: commit.seq)
                    columns.appendRow(effect, version: version, to: &out)
                }
                return out.count - start < Limits.outputByteCountHigh / 4
            }
        }
        if walk.isEnd { return .complete }
        return choice.isPlain ? .more : .pauses
    }

    func end() { server.store.unpin(pin) }
}

extension LoopServer {
    /// The columns of a list that is asked for as CSV; nil when it is not.
    func tableColumns(_ call: Call, _ choice: ListChoice) throws(RequestRefusal) -> TableColumns? {
        guard !wantsNDJSON(call), case .named = Accept.answer(call.head, "text", "csv") else {
            return nil
        }
        let declaration = try store.read { reader throws(RequestRefusal) in
            try findTree(choice.tree, reader).declaration
        }
        try checkIsTable(choice.tree, declaration, field: "Accept")
        let fields = try Parameters.single(target, "fields")?.text
        do throws(QueryError) {
            return try TableColumns(listing: fields, of: declaration)
        } catch {
            throw RequestRefusal(.badParameter, error.detail, field: "fields")
        }
    }

    /// Refuses a tree with a field that cannot be told from what is no field.
    func checkIsTable(
        _ tree: TreeName,
        _ declaration: TreeDeclaration,
        field: String
    ) throws(RequestRefusal) {
        guard let name = TableColumns.ambiguousField(of: declaration) else { return }
        throw RequestRefusal(
            .unsupportedParameter,
            "\(tree) has a field \(name), which in CSV is a column of its own: take NDJSON.",
            field: field
        )
    }
}
