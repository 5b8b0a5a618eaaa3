// The engine holds places, not values: values stay in the log. Whoever owns the log hands this in.
public import HoldfastRecords

/// Reads effects back from where the log keeps them.
public protocol EffectSource: AnyObject {
    /// Lends the effect at a place the engine was given, and its commit, for the time of `body`.
    func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T

    /// Lends the commit whose frame lies at a logical offset.
    func withCommit<T>(at frameOffset: UInt64, _ body: (CommitView) throws -> T) rethrows -> T

    /// The place of the version before the one at `location`; `none` when that was the first.
    func previous(of location: Location) -> Location
}
