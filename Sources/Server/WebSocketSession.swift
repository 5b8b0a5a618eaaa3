// What a connection becomes when it is upgraded, and what follows the log.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastHTTP

/// A connection that speaks WebSocket.
protocol WebSocketSession: AnyObject {
    /// The handshake was answered.
    func opened()
    /// Bytes have come; gives how many are consumed.
    func received(_ bytes: ByteView) -> Int
    /// There is room for more output.
    func outputDrained()
    /// The time set for the present work has passed.
    func deadlineExpired()
    /// The connection is gone; called once.
    func closed()
}

/// Whoever is sent the durable commits of the log.
protocol LogFollower: AnyObject {
    /// What its token opens; nil where callers are taken at their word.
    var access: Access? { get }
    /// Sends what is durable and fits.
    func advance(_ reader: LogReader, hub: FeedHub)
    /// Says why, and ends.
    func bye(_ code: WebSocketCloseCode, _ reason: String)
}
