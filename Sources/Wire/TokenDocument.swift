// Tokens in requests and replies. A secret stands in one reply only: that to its making.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// The body of `POST /v1/tokens`.
///
/// Shape: `{"user","device"|"integration","rights":{tree or "*":[right]},"ends"?}`.
public struct TokenRequest: Hashable, Sendable {
    /// The user it is to stand for.
    public let user: String
    /// Who is to bear it.
    public let bearer: TokenBearer
    /// What it is to open.
    public let rights: Rights
    /// When it is to end, in milliseconds since 1970.
    public let ends: Int64?

    /// Reads the request.
    ///
    /// - Parameter body: As it came.
    /// - Throws: `badJSON`, `badBody` with the member.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.read(body) { reader throws(FormError) in
            let start = try reader.enterObject("what a token is to be")
            var members = TokenMembers()
            while let name = try reader.nextMember() {
                if try !members.read(name, from: &reader) { try reader.unknownMember() }
            }
            return Self(
                user: try reader.required(members.user, "user", at: start),
                bearer: try members.bearer(),
                rights: try reader.required(members.rights, "rights", at: start),
                ends: members.ends
            )
        }
    }

    /// Asks for a token.
    public init(user: String, bearer: TokenBearer, rights: Rights, ends: Int64?) {
        self.user = user
        self.bearer = bearer
        self.rights = rights
        self.ends = ends
    }

    /// The token that is proposed.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - hash: What is kept of its secret.
    /// - Returns: The record.
    public func token(id: UniqueID, hash: Digest256) -> TokenRecord {
        TokenRecord(id: id, hash: hash, user: user, bearer: bearer, rights: rights, ends: ends)
    }

    /// Appends the body.
    public func append(to buffer: inout ByteBuffer) {
        let hash = Digest256(bytes: [UInt8](repeating: 0, count: 32))
        buffer.append("{")
        token(id: .none, hash: hash).appendMembers(to: &buffer)
        buffer.append("}")
    }
}

/// Writes tickets.
public enum TicketDocument {
    /// Appends a ticket: `{"ticket","expiresAt"}`.
    ///
    /// - Parameters:
    ///   - ticket: Its text.
    ///   - expires: When its time is over, in milliseconds since 1970.
    ///   - buffer: Gets the object.
    public static func append(_ ticket: String, expires: Int64, to buffer: inout ByteBuffer) {
        buffer.append("{\"ticket\":")
        buffer.appendJSONString(ticket)
        buffer.append(",\"expiresAt\":")
        buffer.appendTime(expires)
        buffer.append("}")
    }
}

/// What a mirror needs to know of its token.
public struct TokenGrant: Hashable, Sendable {
    /// The user it stands for.
    public let user: String
    /// The trees whose records it opens; nil for all.
    public let readable: Set<TreeName>?

    /// Grants.
    public init(user: String, readable: Set<TreeName>?) {
        self.user = user
        self.readable = readable
    }

    /// The same trees as a mirror's welcome names them.
    public var opens: [String] { readable?.sorted().map(\.description) ?? ["*"] }
}

/// The body of `PATCH /v1/tokens/{id}`: what the token is to open from now on.
///
/// Shape: `{"rights":{tree or "*":[right]}}`.
public struct TokenPatch: Hashable, Sendable {
    /// All it is to open.
    public let rights: Rights

    /// Opens trees.
    public init(_ rights: Rights) { self.rights = rights }

    /// Reads the request.
    ///
    /// - Parameter body: As it came.
    /// - Throws: `badJSON`, `badBody` with the member.
    public init(_ body: ByteView) throws(ShapeRefusal) {
        self = try Body.read(body) { reader throws(FormError) in
            let start = try reader.enterObject("what a token is to open")
            var rights: Rights?
            while let name = try reader.nextMember() {
                switch name {
                case "rights": rights = try reader.rights()
                default: try reader.unknownMember()
                }
            }
            return Self(try reader.required(rights, "rights", at: start))
        }
    }

    /// Appends the body.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"rights\":")
        rights.appendJSON(to: &buffer)
        buffer.append("}")
    }
}

/// Writes tokens, and reads what a mirror needs of them.
public enum TokenDocument {
    /// Whom a token stands for, and what it opens.
    ///
    /// - Parameter body: As it came; members and rights that are not known are passed over, as
    ///   every right includes that to read.
    /// - Returns: The grant.
    /// - Throws: `badJSON`, `badBody` with the member.
    public static func grant(_ body: ByteView) throws(ShapeRefusal) -> TokenGrant {
        try Body.readOpen(body) { reader throws(FormError) in
            let start = try reader.enterObject("a token")
            var user: String?
            var readable: Set<TreeName>?
            var hasRights = false
            while let name = try reader.nextMember() {
                switch name {
                case "user": user = try reader.text()
                case "rights": (readable, hasRights) = (try reader.readableTrees(), true)
                default: try reader.unknownMember()
                }
            }
            guard hasRights else { throw .missingMember(path: "rights") }
            return TokenGrant(
                user: try reader.required(user, "user", at: start),
                readable: readable
            )
        }
    }

    /// Appends a token: `{"id","user","device"|"integration","rights","ends"?,"created","token"?}`.
    ///
    /// - Parameters:
    ///   - token: All but its hash is shown.
    ///   - created: When and by whom it was made.
    ///   - secret: Its secret, in the reply to its making.
    ///   - buffer: Gets the object.
    public static func append(
        _ token: TokenRecord,
        created: Stamp,
        secret: TokenSecret? = nil,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"id\":")
        buffer.appendQuoted(token.id)
        buffer.append(",")
        token.appendMembers(to: &buffer)
        buffer.append(",\"created\":{\"at\":")
        buffer.appendTime(created.at)
        buffer.append(",\"by\":")
        buffer.appendJSONString(created.user)
        buffer.append(",\"device\":")
        buffer.appendJSONString(created.device)
        buffer.append("}")
        if let secret {
            buffer.append(",\"token\":")
            buffer.appendJSONString(secret.text)
        }
        buffer.append("}")
    }
}

extension FormReader {
    /// The trees that rights open; nil for all.
    fileprivate mutating func readableTrees() throws(FormError) -> Set<TreeName>? {
        var trees: Set<TreeName> = []
        var isEverywhere = false
        _ = try enterObject("rights by the names of trees")
        while let name = try nextMember() {
            var count = 0
            try enterArray()
            while try nextElement() {
                _ = try text()
                count += 1
            }
            guard count > 0 else { continue }
            if name.equals("*") { isEverywhere = true }
            if let tree = name.text.flatMap({ TreeName($0) }) { trees.insert(tree) }
        }
        return isEverywhere ? nil : trees
    }
}
