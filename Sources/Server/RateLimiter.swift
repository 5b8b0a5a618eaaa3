// How often an address or a token may ask: token buckets in a table that never grows.
//
// Invariants:
// - no address or token is kept, only when the buckets of their two places are full again; the
//   places follow from a hash whose seed nobody outside knows;
// - two who share one place do not hinder each other, as the emptier of both buckets counts: a
//   stranger is held up only by others on both places.
//
// Sources: ITU-T I.371, generic cell rate algorithm (one time per bucket); Estan and Varghese 2002,
// conservative update (of several places the emptiest counts, and none is charged beyond it).
internal import HoldfastBasics
internal import HoldfastNetworking
internal import HoldfastRecords

/// How many requests may come.
public struct RequestRate: Sendable, Equatable {
    /// How many seconds' worth may come at once.
    static let burstSeconds = 2.0
    /// On average, over a longer time.
    public let perSecond: Double

    /// - Precondition: Above 0.
    public init(perSecond: Double) {
        precondition(perSecond > 0, "a rate of nothing lets nobody in")
        self.perSecond = perSecond
    }

    /// What one request costs, and what may be owed at most.
    ///
    /// Unit: nanoseconds.
    fileprivate var cost: UInt64 { UInt64(1e9 / perSecond) }
    fileprivate var debtMax: UInt64 { max(cost, UInt64(Self.burstSeconds * 1e9)) }
}

/// Counts the requests of everybody at one rate; for all loops.
final class RateLimiter: Sendable {
    let rate: RequestRate
    /// Two rows of times, in nanoseconds of the loops' clock, at which a bucket is full again.
    private let times: Lock<[UInt64]>

    private static let rowCount = 1 << 16

    init(_ rate: RequestRate) {
        self.rate = rate
        times = Lock(Array(repeating: 0, count: 2 * Self.rowCount))
    }

    /// Counts one request, if it may be made now.
    ///
    /// - Parameters:
    ///   - key: Who asks.
    ///   - now: The clock, in nanoseconds.
    /// - Returns: Nil when it may; else in how many nanoseconds it may, and nothing was counted.
    func charge(_ key: some Hashable, at now: UInt64) -> UInt64? {
        var hasher = Hasher()
        hasher.combine(key)
        let hash = UInt(bitPattern: hasher.finalize())
        let first = Int(hash % UInt(Self.rowCount))
        let second = Self.rowCount + Int((hash >> 32) % UInt(Self.rowCount))
        return times.withLock { times in
            let owed = min(times[first], times[second])
            let full = max(owed, now) + rate.cost
            guard full <= now + rate.debtMax else { return full - now - rate.debtMax }
            times[first] = max(times[first], full)
            times[second] = max(times[second], full)
            return nil
        }
    }
}

/// What counts requests; nil where nobody counts.
struct RateLimiters: Sendable {
    private(set) var address: RateLimiter?
    private(set) var token: RateLimiter?

    /// Those of a configuration.
    ///
    /// - Parameters:
    ///   - configuration: Says how many.
    ///   - others: Whose counts go on where the rate is the same.
    init(_ configuration: ServerConfiguration, after others: RateLimiters? = nil) {
        address = Self.limiter(configuration.addressRate, others?.address)
        token = Self.limiter(configuration.tokenRate, others?.token)
    }

    private static func limiter(_ rate: RequestRate?, _ other: RateLimiter?) -> RateLimiter? {
        guard let rate else { return nil }
        return other?.rate == rate ? other : RateLimiter(rate)
    }
}

extension LoopServer {
    /// Counts a request of an address.
    ///
    /// - Throws: `tooManyRequests`.
    func limit(_ connection: Connection, _ route: Route) throws(RequestRefusal) {
        guard let limiter = limiters.address, route != .live, route != .ready else { return }
        try limit(limiter.charge(connection.network, at: loop.nowNanoseconds), "This address")
    }

    /// Counts a request of a token.
    ///
    /// - Throws: `tooManyRequests`.
    func limit(_ access: Access?) throws(RequestRefusal) {
        guard let limiter = limiters.token, let access else { return }
        try limit(limiter.charge(access.token.id, at: loop.nowNanoseconds), "This token")
    }

    private func limit(_ nanoseconds: UInt64?, _ who: String) throws(RequestRefusal) {
        guard let nanoseconds else { return }
        retrySeconds = Int((nanoseconds + 999_999_999) / 1_000_000_000)
        throw RequestRefusal(
            .tooManyRequests,
            "\(who) asks more often than this server allows. Ask again in \(retrySeconds) s."
        )
    }
}
