// The view behind text search: records by the words of their text fields, and how they are ranked.
//
// Source of the ranking: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
// Beyond" (2009), with words that begin with the one asked for in place of equal ones.
internal import HoldfastBasics
internal import HoldfastRecords

/// Records by words, in order.
struct TextView<R: Record>: RecordView {
    /// The words of one record.
    struct Item: Codable, Sendable {
        /// Each once, in order.
        let words: [String]
        /// How often each stands there.
        let counts: [Int]

        /// How many words there are, repeated ones too.
        var length: Int { counts.reduce(0, +) }
    }

    /// One word of one record; equal to another of the same two.
    struct Entry: Comparable, Sendable {
        let word: IndexValue<String>
        let key: RecordKey
        /// How often it stands there.
        let count: Int

        static func == (a: Entry, b: Entry) -> Bool { a.key == b.key && a.word == b.word }

        static func < (a: Entry, b: Entry) -> Bool {
            a.word == b.word ? a.key < b.key : a.word < b.word
        }
    }

    /// What is searched.
    struct State: Sendable {
        var entries = SortedChunks<Entry>()
        /// The words of each record that has any.
        var lengths: [RecordKey: Int] = [:]
        /// Their sum.
        var length = 0
    }

    /// Stored names of the fields that are looked through.
    let fields: [[UInt8]]
    let revisions: Revisions

    /// The views of a tree's text fields.
    static func all(_ fields: [String]) -> [any RecordView<R>] {
        [Revisions.latest, .released].map { revisions in
            TextView(fields: fields.map { Array($0.utf8) }, revisions: revisions)
        }
    }

    var name: String { Self.name }
    var version: Int? { FoldingTable.version }
    var words: String { "text search" }
    var empty: State { State() }

    static var kind: String { "text" }
    /// There is one of a tree.
    static var name: String { "" }

    /// Its words; nil for none.
    func item(of record: FoldedRecord<R>) -> Item? {
        let all = record.document.withView { document in
            fields.flatMap { field in
                field.withView { TextFolding.words(ofMember: $0, in: document) }
            }
        }
        guard !all.isEmpty else { return nil }
        var (words, counts): ([String], [Int]) = ([], [])
        for word in all.map(IndexValue.init).sorted() {
            if let last = words.last, IndexValue(last) == word {
                counts[counts.count - 1] += 1
            } else {
                words.append(word.value)
                counts.append(1)
            }
        }
        return Item(words: words, counts: counts)
    }

    func add(_ item: Item, of key: RecordKey, to state: inout State) {
        for (word, count) in zip(item.words, item.counts) {
            state.entries.insert(Entry(word: IndexValue(word), key: key, count: count))
        }
        state.lengths[key] = item.length
        state.length += item.length
    }

    func remove(_ item: Item, of key: RecordKey, from state: inout State) {
        for word in item.words {
            state.entries.remove(Entry(word: IndexValue(word), key: key, count: 0))
        }
        state.lengths[key] = nil
        state.length -= item.length
    }

    func lines(_ state: State) -> [String] {
        state.entries.elements.map { "\($0.word.value) \($0.key) \($0.count)" }
            + state.lengths.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            + ["\(state.length)"]
    }
}

/// How well a record fits the words that are asked for.
enum TextRank {
    /// What one word asked for adds to a record's score.
    ///
    /// - Parameters:
    ///   - weight: How often words that begin with it stand there, whole ones counted twice.
    ///   - rarity: That of the word.
    ///   - length: Of how many words the record is, as a share of the average.
    /// - Returns: From 0; the more often, the rarer and the shorter, the more. In whole millionths,
    ///   so that no sum depends on its order, and records that fit as well are equal.
    static func score(weight: Int, rarity: Double, length: Double) -> Int {
        let weight = Double(weight)
        let score = rarity * weight * 2.2 / (weight + 1.2 * (0.25 + 0.75 * length))
        return Int((score * 1_000_000).rounded())
    }

    /// How much it says that a record has a word.
    ///
    /// - Parameters:
    ///   - found: How many records have it.
    ///   - all: How many have any.
    /// - Returns: Above 0: near the binary logarithm of how many records there are for each that
    ///   has the word; interpolated between powers of two, so that every machine gives the same.
    static func rarity(_ found: Int, of all: Int) -> Double {
        let share = 1 + (Double(all - found) + 0.5) / (Double(found) + 0.5)
        return Double(share.exponent) + share.significand - 1
    }
}

extension TreeCache {
    /// The keys whose text has, for every word, one that begins with it; best ones first.
    ///
    /// Called while the state is held.
    func keys(matching words: [String], _ revisions: Revisions) -> [RecordKey] {
        guard !words.isEmpty else { return [] }
        let text = state(TextView<R>.self, TextView<R>.name, revisions)
        var scores: [RecordKey: Int]?
        for word in words.distinct {
            let weights = text.weights(word)
            let rarity = TextRank.rarity(weights.count, of: text.lengths.count)
            let known = scores
            scores = weights.reduce(into: [:]) { sums, found in
                guard let sum = known.map({ $0[found.key] }) ?? 0 else { return }
                let length = Double((text.lengths[found.key] ?? 0) * text.lengths.count)
                sums[found.key] =
                    sum
                    + TextRank.score(
                        weight: found.value,
                        rarity: rarity,
                        length: length / Double(text.length)
                    )
            }
        }
        return (scores ?? [:])
            .sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            .map(\.key)
    }
}

extension TextView.State {
    /// How often each record has words that begin with a word; the whole word counts twice.
    fileprivate func weights(_ word: String) -> [RecordKey: Int] {
        let range = IndexRange(prefix: word)
        var weights: [RecordKey: Int] = [:]
        entries.forEach(from: { range.isBefore($0.word) }, to: { range.isBehind($0.word) }) {
            entry in
            let isWhole = entry.word.value.utf8.count == word.utf8.count
            weights[entry.key, default: 0] += isWhole ? 2 * entry.count : entry.count
            return true
        }
        return weights
    }
}
