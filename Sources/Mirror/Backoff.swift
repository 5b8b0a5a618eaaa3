// How long to wait before the next attempt to connect.
internal import HoldfastBasics

/// Pauses that double, less a random part, so that clients of a server that came back do not all
/// come at once.
struct Backoff: Sendable {
    /// The first pause at most.
    static let firstMilliseconds = 500
    /// The longest pause.
    static let lastMilliseconds = 30_000

    private var milliseconds = Backoff.firstMilliseconds

    /// The next pause: between half of the present one and all of it; the one after is twice as
    /// long.
    ///
    /// - Parameter random: Gives the part that is left out.
    /// - Returns: Milliseconds.
    mutating func next(_ random: any RandomSource) -> Int {
        let half = milliseconds / 2
        defer { milliseconds = min(milliseconds * 2, Self.lastMilliseconds) }
        return half + Int(random.next() % UInt64(milliseconds - half + 1))
    }

    /// The server was reached and spoke: the next pause is the first again.
    mutating func reset() { milliseconds = Self.firstMilliseconds }
}
