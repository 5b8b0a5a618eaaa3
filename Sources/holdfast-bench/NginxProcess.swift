// The peer of reads over HTTP: nginx with one worker and one file.
internal import Foundation

/// A running nginx that serves one file.
final class NginxProcess {
    let process: ChildProcess
    let port: UInt16

    /// Starts it; nil where it is not installed.
    init?(
        _ folder: ScratchFolder,
        content: String,
        certificate: ServerCertificate? = nil
    ) throws {
        guard let path = ChildProcess.find("nginx") else { return nil }
        let root = folder.fresh("nginx")
        try FileManager.default.createDirectory(
            atPath: root,
            withIntermediateDirectories: true
        )
        try content.write(toFile: root + "/record", atomically: false, encoding: .utf8)
        // A port of its own without TLS says when it is ready.
        let plain = try Self.freePort()
        port = try Self.freePort()
        let file = root + "/nginx.conf"
        try Self.configuration(root, port, plain, certificate)
            .write(toFile: file, atomically: false, encoding: .utf8)
        process = try ChildProcess(path, ["-p", root, "-c", file])
        try waitUntilReady(plain)
    }

    func stop() { process.stop() }

    private func waitUntilReady(_ port: UInt16) throws {
        for _ in 0..<100 {
            if let reply = try? HTTPExchange(port: port).send("GET", "/record") {
                guard reply.status == 200 else { break }
                return
            }
            usleep(20_000)
        }
        throw BenchError("nginx does not answer")
    }

    /// One process without a master, tuned as one would for static files.
    private static func configuration(
        _ root: String,
        _ port: UInt16,
        _ plain: UInt16,
        _ certificate: ServerCertificate?
    ) -> String {
        var secure = ""
        if let certificate {
            secure =
                "ssl_certificate \(certificate.certificate); "
                + "ssl_certificate_key \(certificate.key); ssl_protocols TLSv1.2 TLSv1.3; "
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(root)/\($0);" }
        return """
            daemon off; master_process off; worker_processes 1;
            pid \(root)/nginx.pid; error_log stderr error;
            events { worker_connections 1024; }
            http {
                access_log off; sendfile on; tcp_nopush on;
                keepalive_timeout 60; keepalive_requests 1000000000;
                open_file_cache max=16; default_type application/json;
                \(temporary.joined(separator: " "))
                \(secure)
                server {
                    listen 127.0.0.1:\(port)\(certificate == nil ? "" : " ssl");
                    listen 127.0.0.1:\(plain); root \(root);
                }
            }
            """
    }

    /// A port nobody listens on now.
    private static func freePort() throws -> UInt16 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw BenchError("no socket") }
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 ? getsockname(listener, $0, &length) : -1
            }
        }
        guard result == 0 else { throw BenchError("no free port") }
        return UInt16(bigEndian: address.sin_port)
    }
}
