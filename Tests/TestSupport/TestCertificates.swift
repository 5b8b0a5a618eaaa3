// Real certificates, made by the `openssl` program once per process, and removed at its end.
import Foundation

/// Files of authorities, and of certificates they vouch for; paths.
public final class TestCertificates: Sendable {
    /// A certificate and its key.
    public struct Pair: Sendable {
        /// The file of the certificate.
        public let certificate: String
        /// The file of its key.
        public let key: String

        /// Names the files.
        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// The one set of this process.
    public static let shared = TestCertificates()

    private let folder: String
    /// Vouches for all but `stranger`.
    public let authority: String
    /// Vouches for `stranger` alone.
    public let otherAuthority: String
    /// For localhost, 127.0.0.1 and ::1.
    public let server: Pair
    /// The same again, with another key.
    public let renewed: Pair
    /// For elsewhere.example alone.
    public let elsewhere: Pair
    /// For localhost, and ended yesterday.
    public let expired: Pair
    /// A client's.
    public let client: Pair
    /// For localhost, vouched for by the other authority.
    public let stranger: Pair

    private init() {
        folder = NSTemporaryDirectory() + "holdfast-certificates-\(UUID().uuidString)"
        let maker = Maker(folder)
        authority = maker.authority("authority")
        otherAuthority = maker.authority("other-authority")
        let here = "DNS:localhost,IP:127.0.0.1,IP:::1"
        server = maker.pair("server", here)
        renewed = maker.pair("renewed", here)
        elsewhere = maker.pair("elsewhere", "DNS:elsewhere.example")
        expired = maker.pair("expired", here, days: -1)
        client = maker.pair("client", "DNS:desk.example")
        stranger = maker.pair("stranger", here, by: "other-authority")
        atexit { TestCertificates.shared.remove() }
    }

    private func remove() {
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch {
            print("\(folder) stays: \(error)")
        }
    }
}

/// Calls `openssl`; a failure ends the process, as no test of TLS could go on.
private struct Maker {
    let folder: String

    init(_ folder: String) {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true
            )
        } catch {
            fatalError("\(error)")
        }
    }

    func path(_ name: String) -> String { folder + "/" + name }

    private static let newKey = [
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    ]

    func authority(_ name: String) -> String {
        run(
            ["req", "-x509"] + Self.newKey + [
                "-keyout", path("\(name).key"), "-out", path("\(name).pem"), "-days", "30",
                "-subj", "/CN=\(name)", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=keyCertSign,cRLSign",
            ]
        )
        return path("\(name).pem")
    }

    func pair(
        _ name: String,
        _ names: String,
        days: Int = 30,
        by authority: String = "authority"
    ) -> TestCertificates.Pair {
        let extensions = path("\(name).extensions")
        run(
            ["req", "-new"] + Self.newKey + [
                "-keyout", path("\(name).key"), "-out", path("\(name).request"), "-subj",
                "/CN=\(name)",
            ]
        )
        do {
            try "subjectAltName=\(names)\n".write(
                toFile: extensions,
                atomically: false,
                encoding: .utf8
            )
        } catch {
            fatalError("\(error)")
        }
        run([
            "x509", "-req", "-in", path("\(name).request"), "-CA", path("\(authority).pem"),
            "-CAkey", path("\(authority).key"), "-days", "\(days)", "-extfile", extensions,
            "-out", path("\(name).pem"), "-set_serial", "\(UInt32.random(in: 1 ... .max))",
        ])
        return TestCertificates.Pair(
            certificate: path("\(name).pem"),
            key: path("\(name).key")
        )
    }

    private func run(_ words: [String]) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = words
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            fatalError("\(error)")
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { fatalError("openssl \(words)") }
    }
}
