// Why TLS does not come about, in words that say what to do.
//
// OpenSSL keeps its errors in a queue per thread: they are taken from it at once after the call
// that failed, on the same thread.
internal import CHoldfastOpenSSL
internal import Glibc

/// A failure of TLS: of a file, of a certificate, or of a connection.
public enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    // MARK: Files

    /// A file of certificates or a key cannot be used.
    case badFile(String, reason: String)
    /// The key is another certificate's.
    case otherKey(certificate: String, key: String)
    /// The system's certificates of authorities, or memory, are not to be had.
    case cannotBegin(String)

    // MARK: The server's certificate

    /// Nobody whom this machine trusts vouches for the certificate.
    case unknownAuthority(String)
    /// The certificate has ended.
    case expired
    /// The certificate is not valid yet.
    case notYetValid
    /// The certificate is for other hosts.
    case otherHost(String, names: String)
    /// Another check failed.
    case untrusted(String)

    // MARK: The connection

    /// The server takes only clients who show a certificate.
    case clientCertificateMissing
    /// The other side ended the handshake with this alert.
    case refusedByPeer(String)
    /// The peer spoke HTTP where TLS begins.
    case plainHTTP
    /// The peer spoke something else where TLS begins.
    case notTLS
    /// The handshake was not made in time.
    case timedOut
    /// The connection ended without being closed: what came may not be all.
    case truncated
    /// The connection broke, with this errno.
    case failed(errno: Int32)
    /// The peer broke the protocol.
    case garbled(String)

    /// Whether the connection was cut or late, which may be otherwise the next time.
    public var isOfNetwork: Bool {
        switch self {
        case .timedOut, .truncated, .failed: true
        default: false
        }
    }

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .badFile(let file, let reason): "\(file) cannot be used for TLS: \(reason)"
        case .otherKey(let certificate, let key):
            "the key in \(key) does not belong to the certificate in \(certificate)"
        case .cannotBegin(let reason): "TLS cannot begin: \(reason)"
        case .unknownAuthority(let reason):
            "its certificate is vouched for by nobody this machine trusts (\(reason)); give the "
                + "certificate of its authority"
        case .expired: "its certificate has ended; renew it, or set the clock of this machine"
        case .notYetValid: "its certificate is not valid yet; is the clock of this machine right?"
        case .otherHost(let host, let names):
            "its certificate is not for \(host)"
                + (names.isEmpty ? "" : " but for \(names)") + "; give a name that stands in it"
        case .untrusted(let reason): "its certificate does not verify: \(reason)"
        case .clientCertificateMissing:
            "the server takes only clients who show a certificate; give one and its key"
        case .refusedByPeer(let alert): "the other side ended the handshake: \(alert)"
        case .plainHTTP: "the other side spoke plain HTTP where TLS begins"
        case .notTLS: "the other side does not speak TLS there; an address of http:// may be right"
        case .timedOut: "the handshake was not made in time"
        case .truncated: "the connection ended without being closed"
        case .failed(let errno): "the connection broke: \(errorText(errno))"
        case .garbled(let reason): "TLS broke: \(reason)"
        }
    }
}

extension TLSError {
    /// What OpenSSL says of the last call that failed on this thread.
    static var lastReason: String { reason(ERR_peek_last_error()) }

    private static func reason(_ code: UInt) -> String {
        guard let text = ERR_reason_error_string(code) else {
            return code == 0 ? "no reason given" : "error \(code)"
        }
        return String(cString: text)
    }

    /// Makes an error of what the queue holds after a failed call on a connection.
    ///
    /// - Parameter errno: That of the call; 0 when the system had no part in it.
    init(queueAfter errno: Int32) {
        let code = ERR_peek_error()
        guard code != 0 else {
            self = errno == 0 || errno == ECONNRESET ? .truncated : .failed(errno: errno)
            return
        }
        let reason = Self.reason(code)
        switch ERR_GET_REASON(code) {
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .plainHTTP
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_UNKNOWN_PROTOCOL:
            self = .notTLS
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: self = .truncated
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: self = .clientCertificateMissing
        default:
            // `tlsv1 alert unknown ca`: what the peer has sent.
            if let alert = reason.firstRange(of: " alert ") {
                self = .refusedByPeer(String(reason[alert.upperBound...]))
            } else {
                self = .garbled(reason)
            }
        }
    }
}
