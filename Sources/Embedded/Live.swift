// Queries that go on: the rows now, and after every change of them.
internal import HoldfastBasics

/// What a live query shows at one position.
public struct Live<R: Record>: Sendable {
    /// The rows.
    public let rows: [Entry<R>]
    /// From the keys shown before to those of `rows`; empty when only values changed.
    public let difference: CollectionDifference<Key<R>>
    /// The position it shows.
    public let position: Position
    /// How it stood with the server then.
    public let freshness: Database.Status
}

/// The place of a reader of a live query.
final class LiveCursor<R: Record>: UpdateCursor {
    private let query: Query<R>
    /// What was shown last; nil before the first time.
    private var shown: [Box<R>]?
    /// Steps of the tree that `shown` has seen.
    private var steps: UInt64 = 0

    init(_ query: Query<R>) { self.query = query }

    func step() throws(DatabaseError) -> UpdateStep<Live<R>> {
        let database = query.database
        let bell = database.news
        let count = bell.count
        if bell.isOver { return .end }
        let news = try database.snapshot { (view) throws(DatabaseError) in
            try look(view.position)
        }
        return news.map { .element($0) } ?? .wait(bell, past: count)
    }

    /// What is new, while the state is held.
    private func look(_ position: Position) throws(DatabaseError) -> Live<R>? {
        let steps = query.cache.stepCount
        guard shown == nil || steps != self.steps else { return nil }
        let rows = try query.rows()
        self.steps = steps
        if let shown, shown.count == rows.count,
            zip(shown, rows).allSatisfy({
                $0 === $1 || ($0.key == $1.key && $0.content.meta == $1.content.meta)
            })
        {
            return nil
        }
        let difference = rows.map(\.key).difference(from: (shown ?? []).map(\.key))
        shown = rows
        return Live(
            rows: rows.map { $0.content.entry($0.key) },
            difference: difference,
            position: position,
            freshness: query.database.status
        )
    }
}
