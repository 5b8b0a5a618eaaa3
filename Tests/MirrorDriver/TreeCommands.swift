// The trees of the stockroom by name: what a request can do to a record, whatever its type.
import Foundation
import Holdfast

/// The typed operations of one tree, taken by text.
struct TreeCommands: Sendable {
    let create: @Sendable (inout Transaction, _ value: String, _ key: String?) throws -> String
    let update: @Sendable (inout Transaction, Step) throws -> String
    let delete: @Sendable (inout Transaction, _ key: String) throws -> Void
    let release: @Sendable (inout Transaction, _ key: String) throws -> Void
    let shown: @Sendable (Database, _ key: String) throws -> Shown?
    let borrow: @Sendable (Database, _ key: String, Database.Wait) async throws -> UUID
    let giveBack: @Sendable (Database, UUID) async throws -> Void

    /// A record as it is read here.
    struct Shown: Encodable {
        var version: String
        var pending: Bool
        var value: String
    }

    static let all: [String: TreeCommands] = [
        "footprints": TreeCommands(named: Footprint.self),
        "bins": TreeCommands(numbered: Bin.self),
        "parts": TreeCommands(numbered: Part.self),
        "moves": TreeCommands(numbered: Move.self),
    ]

    static func named(_ tree: String?) throws -> TreeCommands {
        guard let tree, let found = all[tree] else {
            throw Mistake(description: "no tree \(tree ?? "")")
        }
        return found
    }

    private init<R: Record>(numbered type: R.Type) where R.ID == Number {
        self.init(type) { tx, value, _ in try tx.create(value) }
    }

    private init<R: Record>(named type: R.Type) where R.ID == Name {
        self.init(type) { tx, value, key in
            guard let key else { throw Mistake(description: "name the key") }
            try tx.create(value, at: key)
            return key
        }
    }

    private init<R: Record>(
        _: R.Type,
        create: @escaping @Sendable (inout Transaction, R, Key<R>?) throws -> Key<R>
    ) {
        @Sendable func parse(_ text: String?) throws -> Key<R> {
            guard let text, let key = Key<R>(text: text) else {
                throw Mistake(description: "\(text ?? "nothing") is no key")
            }
            return key
        }
        self.create = { tx, value, key in
            let value = try JSONDocument(value).decode(R.self)
            return try create(&tx, value, try key.map { try parse($0) }).description
        }
        update = { tx, step in
            let key = try parse(step.key)
            try tx.update(key) { $0 = try Self.merged($0, step) }
            return key.description
        }
        delete = { tx, key in try tx.delete(try parse(key)) }
        release = { tx, key in try tx.release(try parse(key)) }
        shown = { database, key in
            guard let entry = try database.record(try parse(key)) else { return nil }
            return Shown(
                version: "\(entry.meta.version)",
                pending: entry.meta.pending,
                value: "\(try JSONDocument(encoding: entry.value))"
            )
        }
        borrow = { database, key, wait in
            try await database.borrow(try parse(key), wait: wait).id
        }
        giveBack = { database, id in
            let mine = try database.borrows().compactMap { Borrow<R>($0) }
            guard let held = mine.first(where: { $0.id == id }) else {
                throw Mistake(description: "\(id) is not held here")
            }
            try await database.return(held)
        }
    }

    /// A value with some of its members set, and some added to.
    private static func merged<R: Record>(_ value: R, _ step: Step) throws -> R {
        func members(_ text: String) throws -> [String: Any] {
            let found = try JSONSerialization.jsonObject(with: Data(text.utf8))
            guard let members = found as? [String: Any] else {
                throw Mistake(description: "\(text) is no object")
            }
            return members
        }
        var all = try members("\(try JSONDocument(encoding: value))")
        if let text = step.value { all.merge(try members(text)) { $1 } }
        for (name, count) in step.add ?? [:] { all[name] = (all[name] as? Int ?? 0) + count }
        let text = String(decoding: try JSONSerialization.data(withJSONObject: all), as: UTF8.self)
        return try JSONDocument(text).decode(R.self)
    }
}
