// Random tests that can be run again: each run has a seed, a failing one prints it.
public import HoldfastBasics
internal import Glibc

/// Runs a test body for many seeds.
public enum Seed {
    /// The one seed to run, when HOLDFAST_SEED names it.
    public static var chosen: UInt64? {
        getenv("HOLDFAST_SEED").flatMap { UInt64(String(cString: $0)) }
    }

    /// How many seeds to run: what HOLDFAST_SEEDS says, or what is usual.
    public static func count(usually count: UInt64) -> UInt64 {
        getenv("HOLDFAST_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? count
    }

    /// Runs `body` once per seed, or for the one seed in HOLDFAST_SEED alone.
    ///
    /// - Parameters:
    ///   - count: How many seeds, from 1 on.
    ///   - body: Is given the seed and a generator begun with it; it throws when it fails.
    /// - Throws: What `body` throws, after printing the seed.
    public static func each(
        _ count: UInt64,
        _ body: (UInt64, SeededRandom) throws -> Void
    ) rethrows {
        for seed in chosen.map({ $0...$0 }) ?? 1...count {
            do {
                try body(seed, SeededRandom(seed: seed))
            } catch {
                print("failed with HOLDFAST_SEED=\(seed): \(error)")
                throw error
            }
        }
    }
}

extension SeededRandom {
    /// A number below `bound`.
    public func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// A number of a range.
    public func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    /// Whether something of one chance in `count` happens.
    public func oneIn(_ count: Int) -> Bool { below(count) == 0 }

    /// Random bytes.
    public func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
