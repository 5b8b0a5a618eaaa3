// What a server is told when it starts.
internal import HoldfastBasics
public import HoldfastNetworking
public import HoldfastStore

/// How a server listens, and its limits.
public struct ServerConfiguration: Sendable {
    /// Host to listen on, an address.
    public var host: String
    /// Port to listen on; 0 picks one.
    public var port: UInt16
    /// Takes connections with TLS; nil for plain ones.
    public var tls: TLSAcceptor?
    /// Event loops; each has a thread and a listener.
    public var loopCount: Int
    /// Folder of the viewer; nil serves none.
    public var webFolder: String?
    /// Longest time for a request's head to arrive, and for a handshake of TLS.
    public var headSeconds: Double
    /// Longest time for a request's body to arrive, besides a second for each 100 kB.
    public var bodySeconds: Double
    /// How long a connection may stay without a request.
    public var idleSeconds: Double
    /// Time between two heads of a feed.
    public var heartbeatSeconds: Double
    /// How long a feed may make no progress before it is cut.
    public var stallSeconds: Double
    /// Largest JSON body.
    public var bodyByteCountMax: Int
    /// Most open connections.
    public var connectionCountMax: Int
    /// Requests an address may make, over all its connections; nil for any number.
    public var addressRate: RequestRate?
    /// Requests that may be made with one token; nil for any number.
    public var tokenRate: RequestRate?
    /// Names by which requests may call this server besides loopback's and its own address.
    public var hostNames: [String]
    /// Origins of other pages that may use it.
    public var origins: [String]

    /// Whether callers are taken at their word while the database has no token.
    public var allowsAnonymous: Bool

    /// How much history stays, and when the log is cut by itself.
    public var compaction: CompactionPolicy
    /// Time between two looks at whether the log is to be cut.
    public var compactionSeconds: Double

    /// The defaults.
    public init(host: String = "127.0.0.1", port: UInt16 = 7070) {
        self.host = host
        self.port = port
        loopCount = 2
        webFolder = nil
        headSeconds = 10
        bodySeconds = 30
        idleSeconds = 120
        heartbeatSeconds = 15
        stallSeconds = 60
        bodyByteCountMax = Limits.bodyByteCountMax
        connectionCountMax = 20_000
        hostNames = []
        origins = []
        allowsAnonymous = true
        compaction = CompactionPolicy()
        compactionSeconds = 60
    }
}
