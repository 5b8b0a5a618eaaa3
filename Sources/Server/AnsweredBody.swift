// A request whose answer is known by its head.
internal import HoldfastBasics

/// Takes the body of a request that is answered by its head, and then answers it.
///
/// Whoever has not begun to send the body, or has very much of it to send, is answered at once.
final class AnsweredBody: BodyConsumer {
    let takesBody: Bool
    private let connection: Connection
    private let route: Route
    private let answer: (LoopServer) -> Void

    /// - Parameters:
    ///   - connection: Whose request it is.
    ///   - route: What it asks.
    ///   - takesBody: False answers at once, and ends the connection.
    ///   - answer: Makes the loop's reply.
    init(
        _ connection: Connection,
        _ route: Route,
        takesBody: Bool,
        _ answer: @escaping (LoopServer) -> Void
    ) {
        self.connection = connection
        self.route = route
        self.takesBody = takesBody
        self.answer = answer
    }

    func receive(_ bytes: ByteView) {
        connection.stream.setDeadline(seconds: connection.server.configuration.stallSeconds)
    }

    func complete() {
        answer(connection.server)
        connection.send(route)
        if !connection.isWaiting { connection.afterReply() }
    }

    func end() {}
}
