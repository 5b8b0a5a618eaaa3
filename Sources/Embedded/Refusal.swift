// Why something was refused: a value with a stable code and the facts.
public import HoldfastRecords

/// Why a change, a request or a definition was refused.
///
/// ```swift
/// do {
///     try await db.write { tx in try tx.delete(key) }
/// } catch DatabaseError.refused(let refusal) where refusal.code == .released {
///     print(refusal.message ?? "")
/// }
/// ```
public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stable code.
    public let code: Code
    /// The field at fault: member names joined by dots, array elements as numbers.
    public let field: String?
    /// The user in the way.
    public let holder: String?
    /// What happened and what to do next, for people.
    public let message: String?

    /// Refuses; for this package's own modules.
    public init(_ code: Code, _ message: String?, field: String? = nil, holder: String? = nil) {
        self.code = code
        self.field = field
        self.holder = holder
        self.message = message
    }

    /// The refusal the engine gave; for this package's own modules.
    public init(_ refusal: HoldfastRecords.Refusal) {
        self.init(
            Code(rawValue: refusal.code.rawValue),
            ([refusal.detail] + refusal.rules).joined(separator: " "),
            field: refusal.field,
            holder: refusal.borrow?.user
        )
    }

    /// The code, the field and the message.
    public var description: String {
        code.rawValue + (field.map { " (\($0))" } ?? "") + (message.map { ": \($0)" } ?? "")
    }
}
