// The peer of reads over HTTP: nginx with one worker and one file.
internal import Foundation

/// A running nginx that serves one file.
final class NginxProcess: MeasuredServer {
    let name = "nginx"
    let processes: [ChildProcess]
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
        let plain = try MeasuredPort.free()
        port = try MeasuredPort.free()
        let file = root + "/nginx.conf"
        try Self.configuration(root, port, plain, certificate)
            .write(toFile: file, atomically: false, encoding: .utf8)
        processes = [try ChildProcess(path, ["-p", root, "-c", file])]
        try awaitAnswer(on: plain, to: "GET", "/record")
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
}
