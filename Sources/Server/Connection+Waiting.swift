// Requests that are answered later: from another thread, when a commit is durable, at a position.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking

extension Connection {
    /// The request is answered later, from outside its turn.
    func wait() { isWaiting = true }

    /// The parked reply may leave now.
    func release(_ bytes: [UInt8], status: Int) {
        guard !isClosed else { return }
        isWaiting = false
        bytes.withView { stream.send($0) }
        count(status)
        afterReply()
        stream.resumeReading()
    }

    /// Takes the rest of a body that was made to wait.
    func goOn() {
        guard !isClosed, isWaiting else { return }
        isWaiting = false
        stream.setDeadline(seconds: server.configuration.stallSeconds)
        stream.resumeReading()
        // All of it may have come: then nothing more will call for its end.
        _ = received(stream, .empty)
    }

    /// Sends the loop's reply in the middle of a body, of which nothing more is taken.
    func cut(_ route: Route) {
        guard !isClosed else { return }
        isWaiting = false
        consumer = nil
        exchange.keepsAlive = false
        send(route)
        guard !isWaiting else { return }
        afterReply()
        stream.resumeReading()
    }

    /// The request is answered later, by `answer`.
    func wait(_ route: Route) {
        self.route = route
        noteCaller()
        isWaiting = true
    }

    /// Sends the loop's reply to a request that was made to wait, once what it shows is durable.
    func answer() {
        guard !isClosed else { return }
        isWaiting = false
        send(route)
        guard !isWaiting else { return }
        afterReply()
        stream.resumeReading()
    }

    /// The parked request is to be answered anew.
    func retry(_ head: [UInt8]) {
        guard !isClosed else { return }
        isWaiting = false
        head.withView { bytes in
            var parser = server.makeParser()
            var offset = 0
            if case .head = parser.step(bytes, &offset) {
                parser.accept(.whole(byteCountMax: 0))
                if case .complete(let request) = parser.step(bytes, &offset) {
                    server.handle(request, for: self, isRetry: true)
                }
            }
        }
        guard !isWaiting, producer == nil, !isClosed else { return }
        afterReply()
        stream.resumeReading()
    }
}
