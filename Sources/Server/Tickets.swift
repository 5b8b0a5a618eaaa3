// Tickets for browsers: a page cannot put a token into the handshake of a WebSocket, and a token in
// an address would stand in logs and histories. A ticket opens one feed, once, soon.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastWire

/// The tickets that were given out and not used yet.
final class Tickets: Sendable {
    private struct Ticket {
        let access: Access?
        /// When its time is over, on the monotonic clock.
        let deadline: UInt64
    }

    /// By the hash of their text.
    private let waiting = Lock<[Hash128: Ticket]>([:])

    /// How long one may wait.
    static let seconds: Int64 = 30
    static let prefix = "hft_"

    /// Keeps a ticket; false when too many wait.
    func add(_ hash: Hash128, for access: Access?, now: UInt64) -> Bool {
        waiting.withLock { waiting in
            if waiting.count >= Limits.ticketCountMax {
                waiting = waiting.filter { $0.value.deadline > now }
            }
            guard waiting.count < Limits.ticketCountMax else { return false }
            let deadline = now + UInt64(Self.seconds) * 1_000_000_000
            waiting[hash] = Ticket(access: access, deadline: deadline)
            return true
        }
    }

    /// Uses a ticket up; nil when there is none, or its time is over.
    ///
    /// Inside is what it opens: nil for a caller that was taken at its word.
    func take(_ hash: Hash128, now: UInt64) -> Access?? {
        waiting.withLock { waiting in
            guard let ticket = waiting.removeValue(forKey: hash), ticket.deadline > now else {
                return nil
            }
            return .some(ticket.access)
        }
    }
}

extension LoopServer {
    /// POST of a ticket for one feed.
    func makeTicket(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        try shaped { () throws(ShapeRefusal) in try RequestBody.nothing(call.body) }
        let text = (0..<4).reduce(into: Tickets.prefix) { text, _ in
            text += hexadecimal(shared.random.next())
        }
        let hash = Array(text.utf8).withView { bytes in
            hasher.update(bytes)
            return hasher.finishTruncated()
        }
        guard shared.tickets.add(hash, for: access, now: time.monotonicNanoseconds()) else {
            throw RequestRefusal(.busy, "Too many tickets wait to be used. Try again later.")
        }
        reply.status = .created
        reply.fields.appendField("cache-control", "no-store")
        reply.json()
        let expires = time.wallMilliseconds() + Tickets.seconds * 1000
        TicketDocument.append(text, expires: expires, to: &reply.body)
    }

    /// What the ticket in a feed's address opens; nil when there is none in it.
    ///
    /// - Throws: `tokenUnknown` for one that was used, never was, or whose time is over.
    func redeem() throws(RequestRefusal) -> Access?? {
        guard let text = try Parameters.single(target, "ticket") else { return nil }
        hasher.update(text)
        let hash = hasher.finishTruncated()
        guard let access = shared.tickets.take(hash, now: time.monotonicNanoseconds()),
            mayGoOn(access)
        else {
            throw RequestRefusal(
                .tokenUnknown,
                "A ticket opens one feed, within \(Tickets.seconds) s. Ask for another."
            )
        }
        return .some(access)
    }
}
