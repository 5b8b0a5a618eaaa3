// Randomness is handed in, so that the same seed gives the same bytes.
//
// Unsafe, with this argument: getentropy(3) is lent an array's memory for the call, with its
// length.
internal import Glibc

/// Where random numbers come from.
public protocol RandomSource: Sendable {
    /// The next 64 random bits.
    func next() -> UInt64
}

/// The operating system's generator.
///
/// A call costs some 300 ns whatever it brings, and every change draws several numbers: they are
/// taken from the system 32 at a time.
///
/// Source: getentropy(3), up to 256 bytes at a time.
public struct SystemRandom: RandomSource {
    private static let countAtOnce = 32
    /// Taken and not given out yet.
    private let ahead = Lock<[UInt64]>([])

    /// Takes nothing before the first number is asked for.
    public init() {}

    /// The next 64 random bits.
    public func next() -> UInt64 {
        ahead.withLock { ahead in
            if let number = ahead.popLast() { return number }
            ahead = [UInt64](repeating: 0, count: Self.countAtOnce)
            let isWhole = ahead.withUnsafeMutableBytes { bytes in
                getentropy(bytes.baseAddress, bytes.count) == 0
            }
            precondition(isWhole, "the system has no random numbers")
            return ahead.removeLast()
        }
    }
}

/// A repeatable generator.
///
/// Source: SplitMix64, Steele, Lea and Flood, OOPSLA 2014.
public final class SeededRandom: RandomSource, RandomNumberGenerator {
    private let state: Lock<UInt64>

    /// Two generators of one seed give the same numbers.
    public init(seed: UInt64) { state = Lock(seed) }

    /// The next 64 random bits.
    public func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
