// What goes on, as a cursor that is pulled.
internal import HoldfastBasics

/// A sequence of news that nobody pays for until somebody asks.
///
/// Every iterator is a cursor of its own. It reads what is new when it is asked; while it is busy
/// elsewhere nothing is queued for it. It ends when the database is closed or the task cancelled.
public struct Updates<Element: Sendable>: AsyncSequence, Sendable {
    /// All it throws.
    public typealias Failure = DatabaseError

    private let start: @Sendable () -> any UpdateCursor<Element>

    init(_ start: @escaping @Sendable () -> any UpdateCursor<Element>) { self.start = start }

    /// A cursor.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let cursor: any UpdateCursor<Element>

        init(_ cursor: any UpdateCursor<Element>) { self.cursor = cursor }

        /// The next news; waits until there are some.
        ///
        /// - Parameter isolation: Where the caller is.
        /// - Returns: Nil when the database was closed or the task cancelled.
        /// - Throws: What reading throws.
        public mutating func next(
            isolation: isolated (any Actor)? = #isolation
        ) async throws(DatabaseError) -> Element? {
            while !Task.isCancelled {
                switch try cursor.step() {
                case .element(let element): return element
                case .end: return nil
                case .wait(let bell, let count): await bell.wait(past: count)
                }
            }
            return nil
        }
    }

    /// A new cursor.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(start()) }
}

/// What a cursor found.
enum UpdateStep<Element> {
    /// News.
    case element(Element)
    /// Nothing yet: wait until the bell was rung more often than that.
    case wait(WakeUp, past: UInt64)
    /// There will be none.
    case end
}

/// The place of a reader of news; used by one task at a time.
protocol UpdateCursor<Element>: AnyObject {
    associatedtype Element: Sendable
    /// Looks for news, without waiting for any.
    func step() throws(DatabaseError) -> UpdateStep<Element>
}

/// Statuses, each different from the one before.
final class StatusCursor: UpdateCursor {
    private let authority: any Authority
    private var last: Database.Status?

    init(authority: any Authority) { self.authority = authority }

    func step() throws(DatabaseError) -> UpdateStep<Database.Status> {
        let bell = authority.statusChanges
        let count = bell.count
        let status = authority.status
        if status != last {
            last = status
            return .element(status)
        }
        return bell.isOver ? .end : .wait(bell, past: count)
    }
}
