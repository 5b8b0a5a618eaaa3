// Where what is derived of a database may be kept beside its log.
public import HoldfastBasics
public import HoldfastStorage

extension Store {
    /// The database's directory, for what can be made anew of the log.
    ///
    /// A mirror's changes when another copy takes its place.
    public var directory: any Disk { core.withLock(\.disk) }
}

extension StoreReader {
    /// The last commit of the log that is durable, and the chain after it; nil where the log does
    /// not tell.
    public var durablePosition: (seq: UInt64, chain: Hash128)? {
        let seq = min(durable, confirmedHead)
        return chain(atSeq: seq).map { (seq, $0) }
    }
}
