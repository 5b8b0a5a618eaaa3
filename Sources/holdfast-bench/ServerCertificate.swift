// A certificate for this machine, made by the `openssl` program.
internal import Foundation

/// Files of a certificate and its key; nobody vouches for it.
struct ServerCertificate {
    let certificate: String
    let key: String

    /// Makes them; nil where `openssl` is not installed.
    init?(_ folder: ScratchFolder) throws {
        guard let path = ChildProcess.find("openssl") else { return nil }
        certificate = folder.fresh("certificate")
        key = folder.fresh("key")
        _ = try ChildProcess(
            path,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ]
        ).finish()
    }
}
