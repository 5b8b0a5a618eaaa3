// Carries what belongs to one loop through other threads, which may hand it back but not touch it.

/// A value that is used on one loop only.
///
/// A thread that has finished something for a connection keeps a `LoopBound` of it, and comes back
/// with `execute`.
///
/// @unchecked Sendable: `value` is read on the loop's thread only, which a precondition holds. The
/// last owner may let go of it on any thread, so the value's deinit must not depend on the loop.
public final class LoopBound<Value>: @unchecked Sendable {
    /// Where the value belongs.
    public let loop: EventLoop
    private let content: Value

    /// Binds a value to the loop the caller is on.
    public init(_ value: Value, to loop: EventLoop) {
        loop.preconditionIsCurrent()
        self.loop = loop
        content = value
    }

    /// The value, on its loop.
    public var value: Value {
        loop.preconditionIsCurrent()
        return content
    }

    /// Runs `work` with the value on its loop, soon; from any thread.
    ///
    /// - Returns: False when the loop has ended.
    @discardableResult
    public func execute(_ work: @escaping @Sendable (Value) -> Void) -> Bool {
        loop.execute { work(self.value) }
    }
}
