// Changes that were made here and refused by the server.
public import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// A change that was made here and refused later, with everything that depends on it.
///
/// Nothing of it is thrown away: it is shown, compared, offered again, exported or dropped.
public struct StrandedChange: Identifiable, Sendable {
    /// The id of the change that was refused.
    public let id: UUID
    /// Why.
    public let refusal: Refusal
    /// What it was to do, record by record.
    public let items: [Item]
    private let authority: any Authority

    /// One record of a stranded change.
    public struct Item: Hashable, Sendable {
        /// Which record.
        public let key: AnyKey
        /// What the change was made of; nil for a record it created.
        public let base: JSONDocument?
        /// What it was to become; nil for a deletion.
        public let mine: JSONDocument?
        /// What stands now; nil when there is none.
        public let current: JSONDocument?

        /// Gathers the three sides.
        public init(
            key: AnyKey,
            base: JSONDocument?,
            mine: JSONDocument?,
            current: JSONDocument?
        ) {
            self.key = key
            self.base = base
            self.mine = mine
            self.current = current
        }
    }

    /// Shows a change that its authority keeps.
    public init(id: UUID, refusal: Refusal, items: [Item], authority: any Authority) {
        self.id = id
        self.refusal = refusal
        self.items = items
        self.authority = authority
    }

    /// Proposes it anew on what stands now.
    ///
    /// - Returns: The receipt of the new change.
    /// - Throws: `refused` when it is refused at once; it stays stranded then.
    @discardableResult
    public func reoffer() async throws(DatabaseError) -> Receipt<Void> {
        let proposal = try await authority.reoffer(id.stored)
        return Receipt(value: (), proposal: proposal, authority: authority)
    }

    /// Forgets it.
    public func drop() async throws(DatabaseError) { try await authority.drop(id.stored) }

    /// All of it as one JSON document, to be kept elsewhere.
    public func export() -> JSONDocument {
        var buffer = ByteBuffer(capacity: 256)
        buffer.append(text: "{\"id\":\"\(id.uuidString.lowercased())\",\"code\":")
        buffer.appendJSONString(refusal.code.rawValue)
        buffer.append(",\"items\":[")
        for (index, item) in items.enumerated() {
            if index > 0 { buffer.append(",") }
            buffer.append("{\"tree\":")
            buffer.appendJSONString(item.key.tree)
            buffer.append(",\"key\":")
            buffer.appendJSONString(item.key.text)
            for (name, document) in [
                ("base", item.base), ("mine", item.mine), ("current", item.current),
            ] {
                buffer.append(text: ",\"\(name)\":")
                if let document { buffer.append(document.bytes) } else { buffer.append("null") }
            }
            buffer.append("}")
        }
        buffer.append("]}")
        return JSONDocument(stored: buffer.view)
    }
}
