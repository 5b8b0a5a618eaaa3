// What is wrong with a question about records. It is no refusal: nothing was to be changed.

/// A condition, an order or a choice of fields that a tree's schema cannot answer.
public struct QueryError: Error, Hashable, Sendable {
    /// A sentence that says what is wrong and what would do.
    public let detail: String

    init(_ detail: String) { self.detail = detail }
}
