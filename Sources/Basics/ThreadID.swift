// Telling threads apart, for whoever keeps account of them.
internal import Glibc

/// A thread of this process, told from all others that live at the same time.
public struct ThreadID: Hashable, Sendable {
    private let rawValue: UInt

    /// The calling thread.
    public static var current: ThreadID { ThreadID(rawValue: UInt(pthread_self())) }

    /// A number that differs between most threads: threads stand at least a page apart.
    var spread: Int { Int(truncatingIfNeeded: rawValue >> 12 ^ rawValue >> 20) }
}
