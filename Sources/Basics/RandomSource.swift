// Randomness is handed in, so that the same seed gives the same bytes.

/// Where random numbers come from.
public protocol RandomSource: Sendable {
    /// The next 64 random bits.
    func next() -> UInt64
}

/// The operating system's generator.
public struct SystemRandom: RandomSource {
    /// Holds nothing.
    public init() {}

    /// The next 64 random bits.
    public func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
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
