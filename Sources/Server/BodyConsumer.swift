// Long bodies of requests, taken as they come.
internal import HoldfastBasics

/// Takes a long body as it comes.
protocol BodyConsumer: AnyObject {
    /// Whether it takes the body at all; the reply ends the connection when it does not.
    var takesBody: Bool { get }
    /// Takes the next bytes.
    func receive(_ bytes: ByteView)
    /// The body is complete.
    func complete()
    /// The client is gone.
    func end()
}

extension BodyConsumer {
    var takesBody: Bool { true }
}
