// A page of commits that waits until there is one.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire

/// A request for commits that found none.
///
/// It is answered as soon as there is one its caller may see, when its time is over, and when
/// whoever asked may not go on.
final class LongPoll: LogFollower {
    let access: Access?
    private unowned let connection: Connection
    private let filter: CommitFilter
    private let limit: Int
    /// The last commit that was looked at.
    private var seq: UInt64
    private var timer: LoopTimer?

    init(_ connection: Connection, after seq: UInt64, _ filter: CommitFilter, limit: Int) {
        self.connection = connection
        self.seq = seq
        self.filter = filter
        self.limit = limit
        access = connection.server.access
    }

    private var server: LoopServer { connection.server }

    /// Waits; what has become durable since the log was read is found by the first look.
    func begin(seconds: Int) {
        connection.wait(.changes)
        server.add(self, of: connection)
        timer = server.loop.schedule(afterMilliseconds: seconds * 1000) {
            self.answerEmpty()
        }
    }

    /// The client is answered, or gone.
    func end() {
        timer?.cancel()
        timer = nil
    }

    func advance(_ reader: LogReader, hub: FeedHub) {
        guard seq < reader.head else { return }
        let server = self.server
        server.reply.reset()
        do throws(RequestRefusal) {
            let page = try server.appendPage(reader, after: seq, filter, limit: limit)
            seq = page.last
            guard page.count > 0 || seq < reader.head else { return }
            server.reply.position = server.position(of: reader.head)
        } catch {
            server.render(error.refusal)
        }
        answer()
    }

    /// Whoever may not go on is told so; else nothing was shown, and the next request tells more.
    func bye(_ code: WebSocketCloseCode, _ reason: String) {
        guard code == .authEnded else { return answerEmpty() }
        server.render(Refusal(access == nil ? .tokenMissing : .tokenEnded, reason))
        answer()
    }

    private func answerEmpty() {
        server.reply.reset()
        server.reply.json()
        let page = ListPage(.commits, in: &server.reply.body)
        page.end(since: server.position(of: seq), in: &server.reply.body)
        answer()
    }

    private func answer() {
        let connection = self.connection
        server.removePoll(of: connection)
        connection.answer()
    }
}
