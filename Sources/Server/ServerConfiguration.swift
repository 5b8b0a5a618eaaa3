// What a server is told when it starts.
internal import HoldfastBasics
public import HoldfastNetworking
public import HoldfastStore

/// How a server listens, and its limits.
///
/// `Server.reconfigure` takes over what is marked as changeable; the rest stays as it began.
///
/// It holds much: what serves requests reads single values where they are, and copies none of it.
public struct ServerConfiguration: Sendable {
    /// Where to listen; port 0 picks one.
    public var addresses: [SocketAddress]
    /// Who may connect to Unix sockets: the mode of their files.
    public var socketMode: UInt32 = 0o660
    /// Takes connections with TLS; nil for plain ones.
    public var tls: TLSAcceptor?
    /// Event loops; each has a thread and a listener.
    public var loopCount = 2
    /// Folder of the viewer; nil serves none.
    public var webFolder: String?
    /// Is told of each request; nil where nobody wants to know.
    public var accessLog: AccessLog?
    /// Longest time for a request's head to arrive, and for a handshake of TLS (as it began).
    ///
    /// Changeable.
    public var headSeconds = 10.0
    /// Longest time for a request's body to arrive, besides a second for each 100 kB.
    ///
    /// Changeable.
    public var bodySeconds = 30.0
    /// How long a connection may stay without a request.
    ///
    /// Changeable.
    public var idleSeconds = 120.0
    /// Time between two heads of a feed.
    ///
    /// Changeable, for feeds that begin.
    public var heartbeatSeconds = 15.0
    /// How long a client may take nothing of what waits for it before it is cut.
    public var stallSeconds = 60.0
    /// How long what is under way may take when the server is asked to stop.
    ///
    /// Changeable.
    public var drainSeconds = 10.0
    /// Longest head of a request.
    ///
    /// Changeable, for connections that begin, as the next three.
    public var headByteCountMax = Limits.headByteCountMax
    /// Longest target of a request.
    public var targetByteCountMax = Limits.targetByteCountMax
    /// Most header fields of a request.
    public var headerCountMax = Limits.headerCountMax
    /// Largest JSON body.
    public var bodyByteCountMax = Limits.bodyByteCountMax
    /// Largest file.
    ///
    /// Changeable.
    public var fileByteCountMax = Limits.fileByteCountMax
    /// Output held for one connection before its input is paused.
    public var outputByteCountMax = Limits.outputByteCountHigh
    /// Longest message of a feed's client.
    ///
    /// Changeable, for feeds that begin, as the next.
    public var messageByteCountMax = Limits.messageByteCountMax
    /// Longest frame of such a message.
    public var frameByteCountMax = Limits.messageByteCountMax
    /// Most operations of one change over REST.
    ///
    /// Changeable.
    public var operationCountMax = Limits.effectCountMax
    /// Most readers pinned to a position at one time.
    ///
    /// Changeable.
    public var pinCountMax = Limits.pinCountMax
    /// How long a pinned reader may make no progress.
    ///
    /// Changeable.
    public var pinSeconds = Limits.pinSeconds
    /// Most open connections.
    ///
    /// Changeable; those that are open stay.
    public var connectionCountMax = 20_000
    /// Requests an address may make, over all its connections; nil for any number.
    ///
    /// Changeable.
    public var addressRate: RequestRate?
    /// Requests that may be made with one token; nil for any number.
    ///
    /// Changeable.
    public var tokenRate: RequestRate?
    /// Names by which requests may call this server besides loopback's and its own address.
    ///
    /// Changeable.
    public var hostNames: [String] = []
    /// Origins of other pages that may use it.
    ///
    /// Changeable.
    public var origins: [String] = []

    /// Whether callers are taken at their word while the database has no token.
    public var allowsAnonymous = true

    /// How much history stays, and when the log is cut by itself.
    ///
    /// Changeable.
    public var compaction = CompactionPolicy()
    /// Time between two looks at whether the log is to be cut.
    public var compactionSeconds = 60.0

    /// The defaults.
    public init(addresses: [SocketAddress] = [.loopback(port: 7070)]) {
        self.addresses = addresses
    }

    /// This with what cannot change of the one the server began with.
    func keepingFixed(of begun: ServerConfiguration) -> ServerConfiguration {
        var kept = self
        kept.addresses = begun.addresses
        kept.socketMode = begun.socketMode
        kept.tls = begun.tls
        kept.loopCount = begun.loopCount
        kept.webFolder = begun.webFolder
        kept.accessLog = begun.accessLog
        kept.stallSeconds = begun.stallSeconds
        kept.outputByteCountMax = begun.outputByteCountMax
        kept.allowsAnonymous = begun.allowsAnonymous
        kept.compactionSeconds = begun.compactionSeconds
        return kept
    }
}
