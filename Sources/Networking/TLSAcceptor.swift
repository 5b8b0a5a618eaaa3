// The server's certificate while it runs: connections begin with the newest one that was good.
internal import HoldfastBasics

/// What a listener takes TLS connections with.
public final class TLSAcceptor: Sendable {
    private let files: TLSFiles
    private let clientAuthorities: String?
    private let present: Lock<TLSContext>

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - files: What clients are shown.
    ///   - clientAuthorities: File of the certificates of authorities, of which every client must
    ///     show a certificate; nil asks for none.
    /// - Throws: `badFile`, `otherKey`, `cannotBegin`.
    public init(_ files: TLSFiles, clientAuthorities: String? = nil) throws(TLSError) {
        self.files = files
        self.clientAuthorities = clientAuthorities
        present = Lock(try TLSContext.server(files, clientAuthorities: clientAuthorities))
    }

    /// Reads the files again, for connections that begin from now on; others stay as they are.
    ///
    /// - Throws: What `init` throws; the present certificate then stays in use.
    public func reload() throws(TLSError) {
        let context = try TLSContext.server(files, clientAuthorities: clientAuthorities)
        present.withLock { $0 = context }
    }

    /// Seconds until the certificate in use ends; negative when it has.
    public var secondsLeft: Int { present.withLock(\.secondsLeft) }

    func session(over descriptor: Int32) -> TLSSession? {
        TLSSession.server(present.withLock(\.self), over: descriptor)
    }
}
