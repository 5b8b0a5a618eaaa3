// Whether a store holds what the model says.
internal import HoldfastEngine
internal import HoldfastBasics
public import HoldfastRecords
public import HoldfastStore

extension StockModel {
    /// Every record as one line, in order of tree and key.
    public var recordLines: [String] {
        slots.map { slot in
            let record = records[slot]
            return "\(slot) \(record?.version ?? 0) \(record?.change.description ?? "") "
                + "\(record?.state.description ?? "") \(record?.part.json ?? "")"
        }
    }

    /// Every line of borrowers as one line of text.
    public var borrowLines: [String] {
        lines.map { "\($0) " + $1.map(\.text).joined(separator: ", ") }.sorted()
    }

    /// Compares a store, as it stands, with the model.
    ///
    /// - Throws: `Disagreement`.
    public func compare(with store: Store) throws(Disagreement) {
        let head = store.read { $0.state.head }
        try HoldfastTestSupport.compare(
            store.recordLines(at: head),
            recordLines,
            "records with the model"
        )
        let found = store.read { reader in
            Self.trees.flatMap { name in
                guard let tree = reader.state.tree(name) else { return [String]() }
                return Set(tree.borrows.map(\.key)).map { key in
                    let takers = tree.line(of: key).map { id in
                        let taker = tree.borrows.first { $0.id == id }
                        return "\(id) \(taker?.user ?? "") \(taker?.state.rawValue ?? "")"
                    }
                    return "\(name) \(key) " + takers.joined(separator: ", ")
                }
            }
        }
        try HoldfastTestSupport.compare(found.sorted(), borrowLines, "borrows with the model")
    }
}

extension Store {
    /// Everything it holds, by what lies where its index points.
    public var lines: [String] {
        read { reader in
            dump(reader.state) { location in
                reader.withEffect(at: location) { effect, commit in
                    "\(effect.key) of \(commit.seq), set \(effect.isSet), "
                        + "by \(commit.user.text), \(effect.value.text)"
                }
            }
        }
    }

    /// Every record that stood at a position, as one line, read page by page.
    public func recordLines(at seq: UInt64, pageCount: Int = 64) -> [String] {
        var lines: [String] = []
        for name in StockModel.trees.sorted() {
            var next: RecordKey?
            repeat {
                next = read { reader in
                    reader.page(name, after: next, at: seq, entryCountMax: pageCount, into: &lines)
                }
            } while next != nil
        }
        return lines
    }
}

extension StoreReader {
    /// One page of a tree at a position; gives the key to go on after.
    public func page(
        _ name: TreeName,
        after key: RecordKey?,
        at seq: UInt64,
        entryCountMax: Int,
        into lines: inout [String]
    ) -> RecordKey? {
        guard let tree = state.tree(name) else { return nil }
        return state.scan(
            tree,
            after: key,
            prefix: nil,
            .all,
            at: seq,
            entryCountMax: entryCountMax
        ) { key, location in
            withEffect(at: location) { effect, commit in
                // The order of members is the merge's business.
                lines.append(
                    "\(name) \(key) \(commit.seq) \(commit.changeID) \(effect.state) "
                        + Part(json: effect.value.array).json
                )
            }
            return true
        }
    }
}
