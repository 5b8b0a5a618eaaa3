// The limit of requests over HTTP: a process of this program that does nothing for them.
internal import Foundation

/// A running bare server.
final class BareServer: MeasuredServer {
    let name = "bare server"
    let processes: [ChildProcess]
    let port: UInt16

    /// Starts it and waits until it is ready.
    ///
    /// - Parameters:
    ///   - loops: Threads that wait for clients.
    ///   - body: What each request is answered with.
    ///   - file: Where some bytes are written and synced for each request, before it is answered;
    ///     nil for none.
    /// - Throws: What keeps it from starting.
    init(loops: Int, body: String, file: String? = nil) throws {
        port = try MeasuredPort.free()
        let arguments = [BareCommand.name, "\(port)", "\(loops)", body] + (file.map { [$0] } ?? [])
        processes = [try ChildProcess(ChildProcess.beside("holdfast-bench"), arguments)]
        try awaitAnswer(on: port, to: "GET", "/")
    }
}
