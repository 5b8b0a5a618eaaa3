// What all sessions of one side share: certificate, key, whom to trust, versions and ciphers.
//
// A context does not change once it is made: a new certificate is a new context.
internal import CHoldfastOpenSSL
internal import Glibc

/// Files of a certificate and its key.
public struct TLSFiles: Sendable {
    /// The certificate, and behind it those that lead to its authority; PEM.
    public let certificate: String
    /// Its private key, without a pass phrase; PEM.
    public let key: String

    /// Names the files; nothing is read yet.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// One side's part of TLS 1.2 and 1.3.
///
/// @unchecked Sendable: OpenSSL counts who holds a context, and sessions only read it once it is
/// made; both pointers are written by `init` alone.
public final class TLSContext: @unchecked Sendable {
    /// Whether it speaks for a server.
    public let isServer: Bool
    let pointer: OpaquePointer
    let method: OpaquePointer

    private init(isServer: Bool) throws(TLSError) {
        guard let method = holdfast_bio_method() else {
            throw .cannotBegin("there is no memory")
        }
        guard let pointer = holdfast_tls_context(isServer ? 1 : 0) else {
            BIO_meth_free(method)
            throw .cannotBegin(TLSError.lastReason)
        }
        self.isServer = isServer
        self.pointer = pointer
        self.method = method
    }

    deinit {
        SSL_CTX_free(pointer)
        BIO_meth_free(method)
    }

    /// Makes a server's side.
    ///
    /// - Parameters:
    ///   - files: What it shows.
    ///   - clientAuthorities: File of the certificates of authorities, of which every client must
    ///     show a certificate; nil asks for none.
    /// - Returns: The context, which does not change any more.
    /// - Throws: `badFile`, `otherKey`, `cannotBegin`.
    public static func server(
        _ files: TLSFiles,
        clientAuthorities: String? = nil
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext(isServer: true)
        try context.use(files)
        if let clientAuthorities {
            ERR_clear_error()
            guard holdfast_tls_require_clients(context.pointer, clientAuthorities) == 1 else {
                throw badFile(clientAuthorities)
            }
        }
        return context
    }

    /// Makes a client's side, which talks to nobody whose certificate does not verify.
    ///
    /// - Parameters:
    ///   - authorities: File of the certificates of those who may vouch for servers; PEM. Nil for
    ///     whom the system trusts.
    ///   - files: What it shows to servers that ask; nil for nothing.
    /// - Returns: The context, which does not change any more.
    /// - Throws: `badFile`, `otherKey`, `cannotBegin`.
    public static func client(
        authorities: String? = nil,
        _ files: TLSFiles? = nil
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext(isServer: false)
        ERR_clear_error()
        if let authorities {
            guard SSL_CTX_load_verify_locations(context.pointer, authorities, nil) == 1 else {
                throw badFile(authorities)
            }
        } else {
            guard SSL_CTX_set_default_verify_paths(context.pointer) == 1 else {
                throw .cannotBegin(TLSError.lastReason)
            }
        }
        if let files { try context.use(files) }
        return context
    }

    /// Seconds until its own certificate ends; negative when it has.
    public var secondsLeft: Int { holdfast_tls_seconds_left(pointer) }

    private func use(_ files: TLSFiles) throws(TLSError) {
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(pointer, files.certificate) == 1 else {
            throw Self.badFile(files.certificate)
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, files.key, SSL_FILETYPE_PEM) == 1 else {
            let reason = ERR_GET_REASON(ERR_peek_last_error())
            throw reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH
                ? .otherKey(certificate: files.certificate, key: files.key)
                : Self.badFile(files.key)
        }
        guard SSL_CTX_check_private_key(pointer) == 1 else {
            throw .otherKey(certificate: files.certificate, key: files.key)
        }
    }

    /// Why OpenSSL could not use a file.
    private static func badFile(_ file: String) -> TLSError {
        if access(file, R_OK) != 0 { return .badFile(file, reason: errorText(errno)) }
        // The first one is the cause.
        switch ERR_GET_REASON(ERR_peek_error()) {
        case PEM_R_NO_START_LINE: return .badFile(file, reason: "it holds no such PEM block")
        case PEM_R_BAD_PASSWORD_READ:
            return .badFile(file, reason: "its key has a pass phrase; store the key without one")
        default: return .badFile(file, reason: TLSError.lastReason)
        }
    }
}
