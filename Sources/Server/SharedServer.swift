// What all loops of a server share.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What all loops of a server share; immutable but for counters and the store.
final class SharedServer: Sendable {
    let store: Store
    /// What the server began with; loops have what holds now.
    let configuration: ServerConfiguration
    let metrics = Metrics()
    let files: StaticFiles
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    let compactor: Compactor
    let fileThread: FileThread
    let tokens: Tokens
    let tickets = Tickets()
    /// Those the server began with; loops have their own.
    let limiters: RateLimiters
    let accessLog: AccessLog?
    let sightings = DeviceSightings()
    let activity = Activity()
    let version: String
    /// When the server began, on the monotonic clock.
    let startNanoseconds: UInt64
    /// How often listeners stopped accepting; those it listens on say.
    let acceptPauses = Lock<@Sendable () -> Int>({ 0 })

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
        fileThread = FileThread(
            store,
            everySeconds: configuration.compactionSeconds,
            logger: logger
        )
        self.version = version
        tokens = Tokens(store, logger)
        limiters = RateLimiters(configuration)
        accessLog = configuration.accessLog
        startNanoseconds = time.monotonicNanoseconds()
        store.limitPins(to: configuration.pinCountMax, idleSeconds: configuration.pinSeconds)
    }

    /// The position replies without one of their own name.
    func durablePosition() -> Position {
        store.read { $0.state.position(of: $0.durable) }
    }
}
