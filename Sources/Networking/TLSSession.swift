// TLS over one socket: what came of each call, and why it failed.
//
// Invariants:
// - used by one thread at a time;
// - the descriptor is the owner's, who closes it after the session has gone;
// - after a failure nothing more is said to the peer: OpenSSL has sent the alert.
internal import CHoldfastOpenSSL
public import HoldfastBasics

/// One connection's TLS.
public final class TLSSession {
    /// What came of a call.
    public enum Progress: Equatable, Sendable {
        /// So many bytes were moved; of a handshake or an end, that it is done.
        case moved(Int)
        /// The socket has to have input first; on one that blocks, nothing came in time.
        case wantsInput
        /// The socket has to have room first.
        case wantsRoom
        /// The peer has said that no more comes.
        case ended
        /// It cannot go on.
        case failed(TLSError)
    }

    private let context: TLSContext
    private let ssl: OpaquePointer
    private let host: String
    private var hasFailed = false
    /// What a read met behind bytes it gave: told by the next one.
    private var held: Progress?
    /// Whether the last read found nothing more; the handshake may have left some for the first.
    private var isDrained = false

    private static let namesByteCountMax = 256

    private init?(_ context: TLSContext, _ descriptor: Int32, _ host: String) {
        guard let ssl = holdfast_tls_session(context.pointer, context.method, descriptor) else {
            return nil
        }
        self.context = context
        self.ssl = ssl
        self.host = host
    }

    deinit { SSL_free(ssl) }

    /// A server's end of a connection; nil for want of memory.
    public static func server(_ context: TLSContext, over descriptor: Int32) -> TLSSession? {
        precondition(context.isServer, "a client's context cannot serve")
        guard let session = TLSSession(context, descriptor, "") else { return nil }
        SSL_set_accept_state(session.ssl)
        return session
    }

    /// A client's end of a connection; nil for want of memory.
    ///
    /// - Parameters:
    ///   - context: Whom to trust.
    ///   - descriptor: A connected socket.
    ///   - host: Who the server has to be: a name, or a numeric address without brackets.
    /// - Returns: The session, whose handshake fails unless the server's certificate is for `host`.
    public static func client(
        _ context: TLSContext,
        over descriptor: Int32,
        to host: String
    ) -> TLSSession? {
        precondition(!context.isServer, "a server's context cannot connect")
        guard let session = TLSSession(context, descriptor, host) else { return nil }
        let isNumeric = SocketAddress.isNumeric(host)
        guard holdfast_tls_expect(session.ssl, host, isNumeric ? 1 : 0) == 1 else { return nil }
        return session
    }

    /// `TLSv1.3`, once the handshake is done.
    public var version: String { String(cString: SSL_get_version(ssl)) }

    /// Whether a read would find something though the socket has no input.
    var hasMore: Bool { held != nil || !isDrained && SSL_has_pending(ssl) == 1 }

    /// Goes on with the handshake; `moved` when it is done.
    public func shake() -> Progress {
        var error: Int32 = 0
        return progress(holdfast_tls_shake(ssl, &error), error)
    }

    /// Reads as much as there is and fits.
    public func receive(into buffer: UnsafeMutableRawBufferPointer) -> Progress {
        if let held {
            self.held = nil
            return held
        }
        var count = 0
        isDrained = false
        while count < buffer.count, let start = buffer.baseAddress {
            var error: Int32 = 0
            let result = holdfast_tls_read(ssl, start + count, buffer.count - count, &error)
            guard result > 0 else {
                let end = progress(result, error)
                isDrained = true
                guard count > 0 else { return end }
                if end != .wantsInput { held = end }
                break
            }
            count += result
            guard SSL_has_pending(ssl) == 1 else { break }
        }
        return .moved(count)
    }

    /// Writes as much as there is room for; what was not taken must come again, before the rest.
    public func send(_ bytes: ByteView) -> Progress {
        var error: Int32 = 0
        let result = bytes.withUnsafeBytes {
            holdfast_tls_write(ssl, $0.baseAddress, $0.count, &error)
        }
        return progress(result, error)
    }

    /// Says that no more will be sent; anything but `wantsRoom` when that is done with.
    public func endOutput() -> Progress {
        guard !hasFailed else { return .moved(1) }
        var error: Int32 = 0
        return progress(holdfast_tls_end(ssl, &error), error)
    }

    private func progress(_ result: Int, _ error: Int32) -> Progress {
        switch result {
        case 1...: return .moved(result)
        case Int(holdfast_tls_wants_read): return .wantsInput
        case Int(holdfast_tls_wants_write): return .wantsRoom
        case Int(holdfast_tls_ended): return .ended
        default:
            hasFailed = true
            return .failed(failure(error))
        }
    }

    /// Which check of the server's certificate failed, or what the queue of errors says.
    private func failure(_ error: Int32) -> TLSError {
        guard !context.isServer,
            ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED
        else { return TLSError(queueAfter: error) }
        let code = SSL_get_verify_result(ssl)
        let reason = String(cString: X509_verify_cert_error_string(code))
        switch Int32(code) {
        case X509_V_ERR_CERT_HAS_EXPIRED: return .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: return .notYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return .otherHost(host, names: peerNames)
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return .unknownAuthority(reason)
        default: return .untrusted(reason)
        }
    }

    private var peerNames: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.namesByteCountMax) { text in
            guard let start = text.baseAddress else { return "" }
            holdfast_tls_peer_names(ssl, start, text.count)
            // A stranger chose the bytes; they go to logs and terminals.
            return String(
                String(cString: start).unicodeScalars.map {
                    $0.isASCII && $0.value > 31 && $0.value != 127 ? Character($0) : "?"
                }
            )
        }
    }
}
