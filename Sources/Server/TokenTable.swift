// Who is let in: the tokens of a moment, found by what their secrets hash to.
//
// A table never changes; one takes the place of the other when `_tokens` has commits. Loops keep
// the one they saw last and look at a counter: a request takes no lock for it.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import Synchronization

/// What a token lets its bearer do, shared by all requests that show it.
final class Access: Sendable {
    let token: TokenRecord
    /// The part of the secret's hash that is compared.
    fileprivate let hash: Hash128

    init(_ token: TokenRecord) {
        self.token = token
        hash = token.hash.truncated
    }

    var rights: Rights { token.rights }
}

/// The tokens at one commit.
final class TokenTable: Sendable {
    /// The last commit on `_tokens` when it was made.
    let seq: UInt64
    /// By the first 64 bits of the hash.
    private let byHash: [UInt64: [Access]]
    private let byID: [UniqueID: Access]
    /// Whether callers are taken at their word.
    let isOpen: Bool

    private init(_ tokens: [TokenRecord], at seq: UInt64, isOpen: Bool) {
        self.seq = seq
        self.isOpen = isOpen
        let all = tokens.map { Access($0) }
        byHash = Dictionary(grouping: all) { $0.hash.high }
        byID = Dictionary(all.map { ($0.token.id, $0) }) { first, _ in first }
    }

    /// No token.
    convenience init() { self.init([], at: 0) }

    /// Those there are: without any, callers are taken at their word.
    convenience init(_ tokens: [TokenRecord], at seq: UInt64) {
        self.init(tokens, at: seq, isOpen: tokens.isEmpty)
    }

    /// The one after it when a token cannot be read: who was let in stays, nobody new comes, and
    /// nobody is taken at his word.
    func closed(at seq: UInt64) -> TokenTable {
        TokenTable(byID.values.map(\.token), at: seq, isOpen: false)
    }

    /// What a secret opens; nil when it is nobody's.
    ///
    /// What chooses the candidate tells nothing to whoever measures it: nobody chooses what a
    /// secret hashes to. The candidate is compared in the same time wherever it differs.
    ///
    /// - Parameter hash: Of the secret, cut to 128 bits.
    /// - Returns: What it opens, be it over or not.
    func access(of hash: Hash128) -> Access? {
        byHash[hash.high]?.first { access in
            ((access.hash.high ^ hash.high) | (access.hash.low ^ hash.low)) == 0
        }
    }

    /// Why a connection ends that was opened by a token; nil while it may stay.
    ///
    /// - Parameters:
    ///   - access: What it was opened by; nil for a caller that was taken at its word.
    ///   - now: The clock, in milliseconds since 1970.
    /// - Returns: Whether the token is over, or its rights are others, and the words for it.
    func end(of access: Access?, at now: Int64) -> (isOver: Bool, detail: String)? {
        guard let access else {
            return isOpen ? nil : (true, "This server asks for tokens now. Connect with one.")
        }
        guard let stands = byID[access.token.id], !stands.token.hasEnded(at: now) else {
            return (true, "The token has ended or was revoked.")
        }
        let isSame = stands === access || stands.token == access.token
        return isSame ? nil : (false, "The token's rights have changed.")
    }
}

/// The table of the moment.
final class Tokens: Sendable {
    private let current: Lock<TokenTable>
    /// Grows with every table.
    private let generation = Atomic<Int>(0)
    private let logger: Logger

    init(_ store: Store, _ logger: Logger) {
        current = Lock(TokenTable())
        self.logger = logger
        refresh(from: store)
    }

    /// A number that changes when the table does.
    var version: Int { generation.load(ordering: .acquiring) }

    /// The table, and its number.
    func table() -> (table: TokenTable, version: Int) {
        current.withLock { ($0, generation.load(ordering: .relaxed)) }
    }

    /// Takes the tokens as they are now; what they were lets nobody in from now on.
    ///
    /// A token counts from its commit on, be it durable or not: nobody knows its secret before. A
    /// revoked one is refused even while its commit is on its way.
    func refresh(from store: Store) {
        current.withLock { table in
            let found = store.read { reader -> TokenTable? in
                let seq = reader.state.tree(.tokens)?.lastSeq ?? 0
                guard seq != table.seq else { return nil }
                do throws(ApplyError) {
                    return TokenTable(try reader.state.tokens(), at: seq)
                } catch {
                    logger.log(.error, "tokens.unreadable", ["error": "\(error)"])
                    return table.closed(at: seq)
                }
            }
            guard let found else { return }
            table = found
            generation.add(1, ordering: .releasing)
        }
    }
}
