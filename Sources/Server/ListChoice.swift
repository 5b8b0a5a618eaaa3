// What a list shows: its parameters, read.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// What a list shows.
struct ListChoice {
    let tree: TreeName
    var prefix: [UInt8]?
    /// Only this id and those after it.
    var first: RecordID?
    /// Only ids before this one.
    var end: RecordID?
    var revisions = RevisionChoice.latest
    var filter = RecordFilter()
    /// nil is the order of keys.
    var order: RecordOrder?
    /// nil shows values whole.
    var fields: FieldChoice?
    /// The parameters as they were given, for the link of the next page and for its cursor.
    var given: [(name: String, value: String)] = []

    /// The parameters by which a cursor knows its list.
    var parameters: [String] { [tree.description] + given.flatMap { [$0.name, $0.value] } }

    /// The parameters that stand in the link of the next page.
    var linked: [(name: String, value: String?)] { given.map { ($0.name, $0.value) } }

    /// Whether every record is shown, in the order of keys.
    var isPlain: Bool { filter.isEverything && order == nil }

    /// The first id that can be shown after a cursor; nil when it can be any.
    func firstID(after cursor: ListCursor?) -> RecordID? {
        let bounds = [
            first, prefix.map { .name($0) }, order == nil ? cursor?.last.id : nil,
        ]
        return bounds.compactMap { $0 }.max()
    }

    /// What a sorted list begins with, when the field it is sorted by has an index.
    func firstPlaces(
        _ after: RecordOrder.Place?,
        _ tree: TreeState,
        _ reader: StoreReader,
        _ countMax: Int
    ) -> (places: [RecordOrder.Place], isAll: Bool)? {
        guard let order else { return nil }
        return reader.state.orderedPlaces(
            EngineState.OrderedQuestion(order, after: after, filter, revisions),
            in: tree,
            countMax: countMax,
            lookCountMax: Limits.pageCountMax,
            includes: includes
        )
    }

    /// Whether an id lies within the list's bounds.
    func includes(_ id: RecordID) -> Bool {
        if let first, id < first { return false }
        if let end, id >= end { return false }
        guard let prefix, case .name(let name) = id else { return true }
        return name.starts(with: prefix)
    }
}

extension LoopServer {
    /// Every parameter of a list.
    static var listParameters: [StaticString] {
        [
            "prefix", "from", "to", "where", "state", "revisions", "sort", "fields", "limit",
            "cursor",
        ]
    }

    /// Reads what a list shows.
    ///
    /// - Throws: `badParameter`, `unknownTree`.
    func listChoice() throws(RequestRefusal) -> ListChoice {
        var choice = ListChoice(tree: try Parameters.tree(target.segment(2)))
        let tree = choice.tree
        let declaration = try store.read { reader throws(RequestRefusal) in
            try findTree(tree, reader).declaration
        }
        choice.prefix = try Parameters.single(target, "prefix")?.array
        guard choice.prefix == nil || declaration.keys == .name else {
            throw RequestRefusal(
                .badParameter,
                "Keys of \(tree) are numbers, which have no prefix.",
                field: "prefix"
            )
        }
        choice.first = try bound("from", declaration.keys)
        choice.end = try bound("to", declaration.keys)
        choice.revisions =
            try word("revisions", ["latest": .latest, "released": .released, "all": .all])
            ?? .latest
        choice.filter = RecordFilter(
            state: try word("state", RecordFilter.StateKind.words),
            conditions: try conditions(declaration.current)
        )
        if let text = try Parameters.single(target, "sort")?.text {
            choice.order = try asked("sort") { () throws(QueryError) in
                try RecordOrder(text, in: declaration.current)
            }
        }
        if let text = try Parameters.single(target, "fields")?.text {
            choice.fields = try asked("fields") { () throws(QueryError) in
                try FieldChoice(text, in: declaration.current)
            }
        }
        for index in 0..<target.parameterCount {
            let (name, value) = target.parameter(index)
            guard !name.equals("limit"), !name.equals("cursor") else { continue }
            choice.given.append((name.text, value?.text ?? ""))
        }
        return choice
    }

    private func bound(
        _ name: StaticString,
        _ kind: KeyKind
    ) throws(RequestRefusal) -> RecordID? {
        guard let text = try Parameters.single(target, name) else { return nil }
        guard let id = RecordID(text, kind: kind) else {
            throw RequestRefusal(
                .badParameter,
                "\(name) is a key of this tree: \(kind == .id ? "a number" : "a name").",
                field: "\(name)"
            )
        }
        return id
    }

    private func word<T>(
        _ name: StaticString,
        _ words: KeyValuePairs<String, T>
    ) throws(RequestRefusal) -> T? {
        guard let text = try Parameters.single(target, name)?.text else { return nil }
        guard let found = words.first(where: { $0.key == text }) else {
            let list = words.map(\.key)
            throw RequestRefusal(
                .badParameter,
                "\(name) is \(list.dropLast().joined(separator: ", ")) or \(list[list.count - 1]).",
                field: "\(name)"
            )
        }
        return found.value
    }

    private func conditions(
        _ descriptor: Descriptor?
    ) throws(RequestRefusal) -> [FieldCondition] {
        var found: [FieldCondition] = []
        for index in 0..<target.parameterCount where target.parameter(index).name.equals("where") {
            let text = target.parameter(index).value?.text ?? ""
            found.append(
                try asked("where") { () throws(QueryError) in
                    try FieldCondition(text, in: descriptor)
                }
            )
        }
        return found
    }

    /// Lets what is wrong with a question out as a refusal of its parameter.
    private func asked<T>(
        _ name: String,
        _ body: () throws(QueryError) -> T
    ) throws(RequestRefusal) -> T {
        do throws(QueryError) {
            return try body()
        } catch {
            throw RequestRefusal(.badParameter, error.detail, field: name)
        }
    }
}

extension RecordFilter.StateKind {
    /// The states by their words.
    static var words: KeyValuePairs<String, Self> {
        ["plain": .plain, "draft": .draft, "released": .released]
    }
}
