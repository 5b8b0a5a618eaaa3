// How the outbox lays out its records.
//
// Trees: `changes` (number of 16 digits, more parts behind a dot), `stranded` (id of the refused
// change), `keys` (tree), `holds` (borrow), `facts` (name). All have names as keys.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A tree of an outbox.
enum OutboxTree: String, CaseIterable {
    case changes, stranded, keys, holds, facts

    var name: TreeName {
        guard let name = TreeName(rawValue) else { preconditionFailure("no tree's name") }
        return name
    }
}

extension Outbox {
    static let lastFact = "last"

    func declareTrees() throws(MirrorError) {
        for tree in OutboxTree.allCases where store.read({ $0.state.tree(tree.name) }) == nil {
            try commit([.defineTree(tree.name, TreeDefinition(keys: .name))])
        }
    }

    // MARK: Operations

    /// Sets a record, whatever stood.
    func set(_ tree: OutboxTree, _ key: String, _ json: [UInt8]) -> Operation {
        let key = RecordKey(name: key)
        return .put(
            WriteOperation(
                tree: tree.name,
                key: key,
                expects: version(tree, key).map { .version($0) } ?? .absent,
                value: json
            )
        )
    }

    /// Removes a record that stands.
    func remove(_ tree: OutboxTree, _ key: String) -> Operation {
        let key = RecordKey(name: key)
        let expects = version(tree, key).map { Expectation.version($0) }
        return .delete(RecordOperation(tree: tree.name, key: key, expects: expects))
    }

    private func version(_ tree: OutboxTree, _ key: RecordKey) -> Position? {
        store.read { reader in
            guard let state = reader.state.tree(tree.name),
                let location = reader.state.location(state, key)
            else { return nil }
            return reader.withEffect(at: location) { effect, commit in
                effect.isSet ? reader.state.position(of: commit.seq) : nil
            }
        }
    }

    /// Sets or removes the record of a bundle.
    func record(of bundle: StrandedBundle) -> [Operation] {
        guard !bundle.changes.isEmpty else { return [remove(.stranded, bundle.id.description)] }
        let record = StrandedRecord(
            at: bundle.at,
            deviceSeqs: bundle.changes.map(\.deviceSeq),
            refusal: bundle.refusal
        )
        return [set(.stranded, bundle.id.description, record.json)]
    }

    /// Removes the records of a change.
    func removal(of change: Change) -> [Operation] {
        let name = Self.name(change.deviceSeq)
        var names = [name]
        while version(.changes, RecordKey(name: name + Self.suffix(names.count))) != nil {
            names.append(name + Self.suffix(names.count))
        }
        return names.map { remove(.changes, $0) }
    }

    // MARK: Changes as records

    static func name(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    private static func suffix(_ part: Int) -> String {
        let digits = String(part)
        return "." + String(repeating: "0", count: 4 - digits.utf8.count) + digits
    }

    /// Bytes of a change in one part: as a JSON string it stays below the limit of a value.
    private static let partByteCount = 160 << 10

    /// A change as records: its JSON, or parts of it as strings when that is too long for a value.
    static func records(of change: Change) throws(MirrorError) -> [(String, [UInt8])] {
        var buffer = ByteBuffer(capacity: 1024)
        change.append(to: &buffer)
        let name = name(change.deviceSeq)
        guard buffer.count > Limits.valueByteCountMax else { return [(name, buffer.array)] }
        let bytes = buffer.array
        var records: [(String, [UInt8])] = []
        var start = 0
        while start < bytes.count {
            var end = min(bytes.count, start + partByteCount)
            // Never inside a character.
            while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            var part = ByteBuffer()
            part.appendJSONString(String(decoding: bytes[start..<end], as: UTF8.self))
            records.append((name + suffix(records.count + 1), part.array))
            start = end
        }
        return [(name, Array("{\"parts\":\(records.count)}".utf8))] + records
    }

    // MARK: Loading

    func load() throws(MirrorError) -> State {
        var state = State()
        if let last = all(.facts).first(where: { $0.name == Self.lastFact }) {
            state.last = UInt64(String(decoding: last.json, as: UTF8.self)) ?? 0
        }
        for (name, json) in all(.facts) {
            guard let digest = Self.fileDigest(ofFact: name) else {
                state.facts[name] = json
                continue
            }
            state.files[digest] = try read(.facts, name, json) { (view) throws(FormError) in
                try StagedFile(view)
            }
        }
        var kept = try loadChanges()
        for (name, json) in all(.stranded) {
            let record = try read(.stranded, name, json) { (view) throws(FormError) in
                try StrandedRecord(view)
            }
            guard let id = UniqueID(name) else { throw unreadable(.stranded, name, "its key") }
            state.bundles.append(
                StrandedBundle(
                    id: id,
                    refusal: record.refusal,
                    changes: record.deviceSeqs.compactMap { kept.removeValue(forKey: $0) },
                    at: record.at
                )
            )
        }
        state.bundles.sort { ($0.at, $0.id) < ($1.at, $1.id) }
        for change in kept.values.sorted(by: { $0.deviceSeq < $1.deviceSeq }) {
            state.queue.append(change)
        }
        for (name, json) in all(.keys) {
            guard let tree = TreeName(name) else { throw unreadable(.keys, name, "its key") }
            let cursor = try read(.keys, name, json) { (view) throws(FormError) in
                try KeyCursor(view)
            }
            state.cursors[tree] = cursor
            // What a lease covered may have been given out.
            state.nextIDs[tree] = cursor.mark
        }
        for (name, json) in all(.holds) {
            guard let id = UniqueID(name) else { throw unreadable(.holds, name, "its key") }
            let record = try read(.holds, name, json) { (view) throws(FormError) in
                try HoldRecord(view)
            }
            state.holds.insert(record, for: id)
        }
        return state
    }

    private func loadChanges() throws(MirrorError) -> [UInt64: Change] {
        var kept: [UInt64: Change] = [:]
        let records = all(.changes)
        var index = 0
        while index < records.count {
            let (name, json) = records[index]
            index += 1
            var body = json
            if index < records.count, records[index].name.hasPrefix(name + ".") {
                body = []
                while index < records.count, records[index].name.hasPrefix(name + ".") {
                    let part = records[index]
                    body += try read(.changes, part.name, part.json) { (view) throws(FormError) in
                        var reader = FormReader(view, isStrict: true)
                        return Array(try reader.text().utf8)
                    }
                    index += 1
                }
            }
            let change: Change
            switch body.withView(Self.change) {
            case .success(let read): change = read
            case .failure(let error): throw unreadable(.changes, name, error.refusal.detail)
            }
            guard name == Self.name(change.deviceSeq) else {
                throw unreadable(.changes, name, "its number")
            }
            kept[change.deviceSeq] = change
        }
        return kept
    }

    private static func change(_ body: ByteView) -> Result<Change, ShapeRefusal> {
        do throws(ShapeRefusal) {
            return .success(try MirrorChange.stored(body))
        } catch {
            return .failure(error)
        }
    }

    private func all(_ tree: OutboxTree) -> [(name: String, json: [UInt8])] {
        Self.all(tree, in: store)
    }

    /// The records of a tree, in order.
    static func all(_ tree: OutboxTree, in store: Store) -> [(name: String, json: [UInt8])] {
        var found: [(String, [UInt8])] = []
        store.read { reader in
            guard let state = reader.state.tree(tree.name) else { return }
            _ = reader.state.scan(
                state,
                after: nil,
                prefix: nil,
                .all,
                at: .max,
                entryCountMax: .max
            ) { key, location in
                reader.withEffect(at: location) { effect, _ in
                    found.append((effect.name.text, effect.value.array))
                }
                return true
            }
        }
        return found
    }

    private func read<T>(
        _ tree: OutboxTree,
        _ key: String,
        _ json: [UInt8],
        _ form: (ByteView) throws(FormError) -> T
    ) throws(MirrorError) -> T {
        let result: Result<T, FormError> = json.withView { view in
            do throws(FormError) {
                return .success(try form(view))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let value): return value
        case .failure(let error): throw unreadable(tree, key, error.detail)
        }
    }

    private func unreadable(_ tree: OutboxTree, _ key: String, _ what: String) -> MirrorError {
        .unreadable(tree: tree.rawValue, key: key, what: what)
    }
}
