// What all loops of a server share.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What all loops of a server share; immutable but for counters and the store.
final class SharedServer: Sendable {
    let store: Store
    let configuration: ServerConfiguration
    let metrics = Metrics()
    let files: StaticFiles
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    let compactor: Compactor
    let tokens: Tokens
    let tickets = Tickets()
    let sightings = DeviceSightings()
    let addressLimiter: RateLimiter?
    let tokenLimiter: RateLimiter?
    let version: String
    /// Names a request's Host field may carry, besides addresses of loopback.
    let hostNames: Set<String>

    init(
        store: Store,
        configuration: ServerConfiguration,
        files: StaticFiles,
        time: any TimeSource,
        random: any RandomSource,
        logger: Logger,
        version: String
    ) {
        self.store = store
        self.configuration = configuration
        self.files = files
        self.time = time
        self.random = random
        self.logger = logger
        compactor = Compactor(
            store,
            configuration.compaction,
            everySeconds: configuration.compactionSeconds,
            metrics: metrics,
            time: time,
            logger: logger
        )
        self.version = version
        tokens = Tokens(store, logger)
        addressLimiter = configuration.addressRate.map { RateLimiter($0) }
        tokenLimiter = configuration.tokenRate.map { RateLimiter($0) }
        hostNames = Set(["localhost", configuration.host] + configuration.hostNames)
    }

    /// The position replies without one of their own name.
    func durablePosition() -> Position {
        store.read { $0.state.position(of: $0.progress.durable) }
    }
}
