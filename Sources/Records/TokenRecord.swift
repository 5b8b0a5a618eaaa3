// The values of `_tokens`: who may do what, by the digest of a secret nobody keeps.
public import HoldfastBasics

/// Who bears a token besides its user.
public enum TokenBearer: Hashable, Sendable {
    /// A workstation.
    case device(String)
    /// A machine or a program.
    case integration(String)

    /// The name commits and borrows carry as the device.
    public var name: String {
        switch self {
        case .device(let name), .integration(let name): name
        }
    }
}

/// A record of `_tokens`: what whoever shows its secret is and may do.
public struct TokenRecord: Hashable, Sendable {
    /// Its id; the record's key, not part of its value.
    public var id: UniqueID
    /// SHA-256 of the secret's text.
    public var hash: Digest256
    /// The user it stands for.
    public var user: String
    /// Who bears it.
    public var bearer: TokenBearer
    /// What it may do.
    public var rights: Rights
    /// When it ends, in milliseconds since 1970; nil for never.
    public var ends: Int64?

    /// Names a token.
    public init(
        id: UniqueID,
        hash: Digest256,
        user: String,
        bearer: TokenBearer,
        rights: Rights,
        ends: Int64? = nil
    ) {
        self.id = id
        self.hash = hash
        self.user = user
        self.bearer = bearer
        self.rights = rights
        self.ends = ends
    }

    /// Whether it has ended.
    ///
    /// - Parameter now: The clock, in milliseconds since 1970.
    /// - Returns: Whether it opens nothing any more.
    public func hasEnded(at now: Int64) -> Bool { ends.map { $0 <= now } ?? false }

    /// The caller it stands for.
    ///
    /// - Parameter app: The program that shows it.
    /// - Returns: Its user, on its bearer's name.
    public func caller(app: String) -> Caller {
        Caller(user: user, device: bearer.name, app: app)
    }
}

/// The secret of a token: shown once, when it is made.
public struct TokenSecret: Sendable {
    /// `hf_` and 64 hexadecimal digits: the 256 random bits.
    public let text: String

    /// What every secret begins with, so that one left in a file or a log is found.
    public static let prefix = "hf_"

    /// Draws a new one.
    ///
    /// - Parameter random: The system's own generator; any other gives secrets others can guess.
    public init(random: any RandomSource) {
        text = (0..<4).reduce(into: Self.prefix) { text, _ in text += hexadecimal(random.next()) }
    }

    /// What is kept of a secret.
    ///
    /// - Parameter text: As its bearer shows it.
    /// - Returns: SHA-256 of its bytes.
    public static func hash(_ text: ByteView) -> Digest256 { SHA256.digest(text) }

    /// What is kept of this one.
    public var hash: Digest256 { Array(text.utf8).withView { Self.hash($0) } }
}
