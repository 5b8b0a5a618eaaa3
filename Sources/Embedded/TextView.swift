// The view behind text search: records by the words of their text fields.
internal import HoldfastBasics
internal import HoldfastRecords

/// Records by words, in order.
struct TextView<R: Record>: RecordView {
    /// One word of one record.
    struct Entry: Comparable, Sendable {
        let word: String
        let key: RecordKey

        static func == (a: Entry, b: Entry) -> Bool {
            a.key == b.key && a.word.utf8.elementsEqual(b.word.utf8)
        }

        static func < (a: Entry, b: Entry) -> Bool {
            if a.word.utf8.lexicographicallyPrecedes(b.word.utf8) { return true }
            return a.key < b.key && a.word.utf8.elementsEqual(b.word.utf8)
        }
    }

    /// Stored names of the fields that are looked through.
    let fields: [[UInt8]]
    let revisions: Revisions

    /// The views of a tree's text fields.
    static func all(_ fields: [String]) -> [any RecordView<R>] {
        [TextView(fields: fields.map { Array($0.utf8) }, revisions: .latest)]
    }

    var name: String { "text" }
    var words: String { "text search" }
    var empty: SortedChunks<Entry> { SortedChunks() }

    /// Its words, each once; nil for none.
    func item(of record: FoldedRecord<R>) -> [String]? {
        let words = record.document.withView { document in
            fields.flatMap { field -> [String] in
                field.withView { TextFolding.words(ofMember: $0, in: document) }
            }
        }
        return words.isEmpty ? nil : words.distinct
    }

    func add(_ item: [String], of key: RecordKey, to state: inout SortedChunks<Entry>) {
        for word in item { state.insert(Entry(word: word, key: key)) }
    }

    func remove(_ item: [String], of key: RecordKey, from state: inout SortedChunks<Entry>) {
        for word in item { state.remove(Entry(word: word, key: key)) }
    }

    func lines(_ state: SortedChunks<Entry>) -> [String] {
        state.elements.map { "\($0.word) \($0.key)" }
    }
}

extension TreeCache {
    /// The keys whose text has every word, those with the most matches first.
    func keys(matching words: [String]) -> [RecordKey] {
        guard !words.isEmpty else { return [] }
        let entries = state(TextView<R>.self, "text", .latest)
        var scores: [RecordKey: Int]?
        for word in Set(words) {
            let range = IndexRange(prefix: word)
            var hits: [RecordKey: Int] = [:]
            entries.forEach(
                from: { range.isBefore(IndexValue($0.word)) },
                to: { range.isBehind(IndexValue($0.word)) }
            ) { entry in
                // A word that is there as a whole counts twice.
                hits[entry.key, default: 0] += entry.word.utf8.count == word.utf8.count ? 2 : 1
                return true
            }
            guard let known = scores else {
                scores = hits
                continue
            }
            scores = hits.reduce(into: [:]) { both, hit in
                if let score = known[hit.key] { both[hit.key] = score + hit.value }
            }
        }
        return (scores ?? [:])
            .sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            .map(\.key)
    }
}
