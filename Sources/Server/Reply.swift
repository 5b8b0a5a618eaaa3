// A reply while a route makes it.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords

/// What a route answers; its buffers belong to the loop and serve one reply after the other.
struct Reply: ~Copyable {
    /// The status.
    var status = HTTPStatus.ok
    /// Header fields, each ended by CR LF.
    var fields = ByteBuffer(capacity: 512)
    /// The body.
    var body = ByteBuffer(capacity: 4096)
    /// The position the reply names; nil for the durable one.
    var position: Position?
    /// The seq the reply must wait for before it leaves.
    var waitsFor: UInt64?
    /// Whether that seq was looked at while this request was answered, and was not durable.
    private(set) var isPending = false
    /// The request must be answered anew once this seq is durable.
    var retriesAfter: UInt64?

    /// Makes ready for the next reply.
    mutating func reset() {
        status = .ok
        fields.removeAll()
        body.removeAll()
        body.shrinkIfEmpty(above: 1 << 20)
        position = nil
        waitsFor = nil
        isPending = false
        retriesAfter = nil
    }

    /// The reply waits for a seq, unless it is durable.
    mutating func wait(for seq: UInt64, durable: UInt64) {
        isPending = seq > durable
        waitsFor = isPending ? seq : nil
    }

    /// Sets the body's media type.
    mutating func type(_ type: StaticString) { fields.appendField("content-type", type) }

    /// The body is JSON.
    mutating func json() { type("application/json") }
}
