// Whom a connection to a server trusts, and what it shows there.
internal import HoldfastEmbedded
internal import HoldfastHTTP
internal import HoldfastNetworking

/// Whom a connection to a server trusts, and what it shows there.
///
/// A server at an `https` address has to show a certificate that is for the host of the address,
/// is valid now, and leads to an authority that is trusted; before that nothing is sent to it.
public struct ConnectionSecurity: Hashable, Sendable {
    /// File of the certificates of those who may vouch for the server, PEM; nil for whom the system
    /// trusts.
    public var authorities: String?
    /// File of the certificate that is shown to a server that asks for one, and of those that lead
    /// to its authority, PEM; nil for none.
    public var certificate: String?
    /// File of the private key of ``certificate``, without a pass phrase, PEM.
    public var key: String?
    /// Whether a token is shown to another machine at an `http` address, where whoever is on the
    /// way can read it.
    public var showsTokenWithoutTLS: Bool

    /// Trusts whom the system trusts, unless told otherwise.
    ///
    /// - Parameters:
    ///   - authorities: File of the certificates of those who may vouch for the server.
    ///   - certificate: File of the certificate to show.
    ///   - key: File of its private key.
    ///   - showsTokenWithoutTLS: Whether a token may go to another machine in the clear.
    public init(
        authorities: String? = nil,
        certificate: String? = nil,
        key: String? = nil,
        showsTokenWithoutTLS: Bool = false
    ) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.showsTokenWithoutTLS = showsTokenWithoutTLS
    }
}

extension ConnectionSecurity {
    /// What connections to an address are made with; nil where they are plain.
    ///
    /// - Throws: `untrusted`, when the files cannot be used, or the token would go in the clear.
    func context(
        for address: ServerAddress,
        showingToken: Bool
    ) throws(DatabaseError) -> TLSContext? {
        guard address.isSecure else {
            let isSafe = showsTokenWithoutTLS || SocketAddress.isLoopback(address.host)
            guard isSafe || !showingToken else {
                throw .untrusted(
                    "Whoever is on the way to \(address) could read the token: give an https "
                        + "address, or showsTokenWithoutTLS."
                )
            }
            return nil
        }
        var files: TLSFiles?
        switch (certificate, key) {
        case (let certificate?, let key?): files = TLSFiles(certificate: certificate, key: key)
        case (nil, nil): break
        default: throw .untrusted("A certificate needs its key, and a key its certificate.")
        }
        do throws(TLSError) {
            return try TLSContext.client(authorities: authorities, files)
        } catch {
            throw .untrusted("\(error).")
        }
    }
}
