// Which records of a tree a list shows, as far as keys do not say it.
public import HoldfastBasics
public import HoldfastRecords

/// Conditions on a record's state and value, all of which must hold.
public struct RecordFilter: Hashable, Sendable {
    /// Where a record stands in its life, without its number.
    public enum StateKind: String, CaseIterable, Sendable {
        /// Of a tree without revisions.
        case plain
        /// May be changed.
        case draft
        /// Never changes again.
        case released
    }

    private let state: StateKind?
    let conditions: [FieldCondition]

    /// Gathers conditions; with none everything passes.
    public init(state: StateKind? = nil, conditions: [FieldCondition] = []) {
        self.state = state
        self.conditions = conditions
    }

    /// Whether everything passes.
    public var isEverything: Bool { state == nil && conditions.isEmpty }

    /// Whether a record passes.
    ///
    /// - Parameters:
    ///   - effect: Its version, which stands.
    ///   - scratch: Memory of the caller's, which is overwritten.
    /// - Returns: Whether all conditions hold.
    public func passes(_ effect: EffectView, _ scratch: inout ByteBuffer) -> Bool {
        if let state, StateKind(effect.state) != state { return false }
        return conditions.allSatisfy { $0.holds(of: effect.value, &scratch) }
    }
}

extension RecordFilter.StateKind {
    fileprivate init(_ state: RecordState) {
        switch state {
        case .plain: self = .plain
        case .draft: self = .draft
        case .released: self = .released
        }
    }
}
