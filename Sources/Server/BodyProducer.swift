// Long bodies of replies, made as their clients take them.
internal import HoldfastBasics

/// Sends a long body as fast as its client takes it.
protocol BodyProducer: AnyObject {
    /// How long the body is; nil when that shows at its end.
    var byteCount: Int? { get }
    /// Whether the body goes on for as long as its client stays: it looks itself whether whoever
    /// asked may go on, may rest, and is over when the client ends its side.
    var isEndless: Bool { get }
    /// Appends more of the body; false when it is complete.
    func produce(into out: inout ByteBuffer) -> ProducerStep
    /// The client is gone, or the body is complete.
    func end()
}

extension BodyProducer {
    var byteCount: Int? { nil }
    var isEndless: Bool { false }
}

/// What a producer did.
enum ProducerStep {
    /// There is more.
    case more
    /// There is nothing now; `produceMore` will be called.
    case waits
    /// There is more, once the client has taken what waits for it.
    case full
    /// There is more, after the loop's other work.
    case pauses
    /// The body is complete.
    case complete
    /// The body cannot be completed: the connection must end, so that nobody takes it for whole.
    case failed
}
