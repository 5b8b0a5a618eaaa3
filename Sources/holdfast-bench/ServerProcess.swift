// The server measured: the real program on a fresh database.
internal import Foundation

/// A running `holdfast serve`.
final class ServerProcess: MeasuredServer {
    let name = "holdfast"
    let processes: [ChildProcess]
    let port: UInt16

    /// Starts it and waits until it is ready.
    ///
    /// - Parameters:
    ///   - data: Directory of the database.
    ///   - loops: Event loops; nil means one per processor.
    ///   - certificate: Has it speak TLS.
    /// - Throws: What keeps it from starting.
    init(data: String, loops: Int? = nil, certificate: ServerCertificate? = nil) throws {
        var arguments = [
            "serve", "--data", data, "--listen", "127.0.0.1:0", "--application", "bench",
            "--log-level", "warning",
        ]
        if let loops { arguments += ["--loops", "\(loops)"] }
        if let certificate {
            arguments += ["--tls-certificate", certificate.certificate]
            arguments += ["--tls-key", certificate.key]
        }
        let process = try ChildProcess(ChildProcess.beside("holdfast"), arguments)
        let line = try process.firstLine()
        guard let url = line.split(separator: " ").dropFirst().first,
            let text = url.split(separator: ":").last, let port = UInt16(text)
        else { throw BenchError("the server's first line is '\(line)'") }
        self.port = port
        processes = [process]
    }

    /// Declares the tree `bench`, whose records have names.
    func makeTree() throws {
        try HTTPExchange(port: port).require(
            "PUT",
            "/v1/trees/bench",
            body: #"{"keys":"name","versioned":false,"borrow":"optional"}"#
        )
    }
}

/// What the measures of the server write and read.
enum Sample {
    /// A record of 195 bytes.
    static let record = document(byteCount: 195)

    /// An object of a length, in normalised JSON.
    static func document(byteCount: Int, number: Int = 0, stock: Int = 4200) -> String {
        let start =
            #"{"number":\#(number),"name":"R-100K-0603","stock":\#(stock),"note":""#
        let filling = max(0, byteCount - start.utf8.count - 2)
        return start + String(repeating: "x", count: filling) + "\"}"
    }
}
