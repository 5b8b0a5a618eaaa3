// What a stream tells its owner, and how its owner may tune it.
public import HoldfastBasics

/// Why a stream has ended.
public enum CloseReason: Sendable, Equatable {
    /// Its owner closed it, or finished it and all went out.
    case asked
    /// A deadline passed.
    case deadline
    /// The peer took no byte of waiting output for `ByteStreamOptions.stallMilliseconds`.
    case stalled
    /// The connection broke, with this errno.
    case failed(errno: Int32)
    /// TLS broke, or ended without being closed.
    case insecure(TLSError)
    /// The loop has ended.
    case stopped
}

/// What a stream tells its owner; called on the stream's loop, never one call inside another.
public protocol ByteStreamHandler: AnyObject {
    /// Bytes have come.
    ///
    /// What is not consumed comes again, in front of what comes next. A handler that leaves bytes
    /// because it cannot go on now (not because it needs more) must have called `pauseReading`, or
    /// have found `canTakeOutput` false; it is called again with them once that has passed.
    ///
    /// - Parameters:
    ///   - stream: Where they came from.
    ///   - bytes: Valid during the call only.
    /// - Returns: How many of them are consumed.
    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int

    /// The peer sends no more; it may still read.
    ///
    /// Bytes left over by `received` will not be completed. By default the stream finishes.
    func inputEnded(_ stream: ByteStream)

    /// Asked for with `notifyWhenDrained`: waiting output is low, there is room for more.
    func outputDrained(_ stream: ByteStream)

    /// The time set with `setDeadline` has passed. By default the stream closes.
    func deadlineExpired(_ stream: ByteStream)

    /// The stream has ended; called exactly once, as the last call.
    func closed(_ stream: ByteStream, _ reason: CloseReason)
}

extension ByteStreamHandler {
    /// Finishes the stream.
    public func inputEnded(_ stream: ByteStream) { stream.finish() }

    /// Does nothing.
    public func outputDrained(_ stream: ByteStream) {}

    /// Closes the stream.
    public func deadlineExpired(_ stream: ByteStream) { stream.close(.deadline) }

    /// Does nothing.
    public func closed(_ stream: ByteStream, _ reason: CloseReason) {}
}

/// The bounds of a stream.
public struct ByteStreamOptions: Sendable {
    /// Above this much waiting output no input is read.
    public var outputByteCountHigh = Limits.outputByteCountHigh
    /// At this much waiting output input is read again, and `outputDrained` called.
    public var outputByteCountLow = Limits.outputByteCountLow
    /// A peer that takes nothing of waiting output for so long is cut.
    public var stallMilliseconds = 60_000
    /// How long a finished stream waits for the peer to end its side.
    public var lingerMilliseconds = 2000
    /// How much input a finished stream throws away while it waits.
    public var lingerByteCountMax = 1 << 20

    /// The bounds of the product.
    public init() {}
}
