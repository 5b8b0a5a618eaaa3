// One thread that waits for many sockets: libevent's loop, an inbox, and what is done once a tick.
//
// Invariants:
// - everything but `execute`, `stop`, `join` and `isCurrent` happens on the loop's thread;
// - a tick is one wake-up: the events that are ready, then `endTick`, where held-back input is
//   delivered again, every stream written to is flushed with one send, and closed streams are
//   freed. Nothing is freed while events are being handled;
// - work given to `execute` runs once, in the order given per thread; after the loop has ended it
//   is refused.
internal import HoldfastBasics
internal import CHoldfastLibevent
internal import Glibc
internal import Synchronization

/// One thread with an event loop.
///
/// @unchecked Sendable: `inbox` is behind its lock and `thread` is atomic; `base`, `wakeEvent`,
/// `scratch` and every `var` but `worker` are touched on the loop's thread only, which
/// preconditions hold; `worker` is written before `init` returns and read by `join`.
public final class EventLoop: @unchecked Sendable {
    private struct Inbox {
        var work: [@Sendable () -> Void] = []
        /// Whether the loop has been woken for what is there.
        var isSignalled = false
        var isEnded = false
    }

    let base: OpaquePointer
    /// Where every read lands first: input is parsed in place when a message is whole.
    let scratch: UnsafeMutableRawBufferPointer
    private let inbox = Lock(Inbox())
    private let wakeDescriptor: Int32
    private var wakeEvent: OpaquePointer?
    private let thread = Atomic<UInt>(0)
    private var worker: Worker?

    // Touched on the loop's thread only.
    private var isStopping = false
    private var streams: [ObjectIdentifier: ByteStream] = [:]
    private var timers: [ObjectIdentifier: LoopTimer] = [:]
    var acceptPoints: [AcceptPoint] = []
    private var connectors: [ObjectIdentifier: Connector] = [:]
    private var dirty: [ByteStream] = []
    private var resumed: [ByteStream] = []
    private var closing: [ByteStream] = []
    private var work: [@Sendable () -> Void] = []
    /// The list being gone through, while the one it came from grows again.
    private var list: [ByteStream] = []
    private var tickNanoseconds: UInt64?

    private static let scratchByteCount = 128 << 10
    /// How often one tick may go round before other sockets get their turn.
    private static let roundCountMax = 8

    /// Starts the thread.
    ///
    /// - Throws: `cannotMakeLoop`.
    public init() throws(NetworkError) {
        let descriptor = holdfast_eventfd()
        guard descriptor >= 0 else { throw .cannotMakeLoop(errno: -descriptor) }
        guard let base = Self.makeBase() else {
            close(descriptor)
            throw .cannotMakeLoop(errno: ENFILE)
        }
        self.base = base
        wakeDescriptor = descriptor
        scratch = .allocate(byteCount: Self.scratchByteCount, alignment: 16)
        // Unretained: the loop's thread keeps the loop until the event is freed.
        wakeEvent = event_new(
            base,
            descriptor,
            Int16(EV_READ | EV_PERSIST),
            { descriptor, _, context in
                guard let context else { return }
                holdfast_eventfd_clear(descriptor)
                Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue().runInbox()
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        precondition(event_add(wakeEvent, nil) == 0, "the wake-up event cannot be added")
        worker = Worker { self.run() }
    }

    deinit { scratch.deallocate() }

    private static func makeBase() -> OpaquePointer? {
        guard let configuration = event_config_new() else { return nil }
        defer { event_config_free(configuration) }
        // No locks, as one thread alone touches the base; and timers that do not step by 4 ms.
        for flag in [EVENT_BASE_FLAG_NOLOCK, EVENT_BASE_FLAG_PRECISE_TIMER] {
            event_config_set_flag(configuration, Int32(flag.rawValue))
        }
        return event_base_new_with_config(configuration)
    }

    // MARK: From any thread

    /// Whether the caller is on the loop's thread.
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Runs `work` on the loop, soon; a burst wakes the loop once.
    ///
    /// - Returns: False when the loop has ended, and `work` will not run.
    @discardableResult
    public func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        let (isTaken, mustWake) = inbox.withLock { inbox in
            if inbox.isEnded { return (false, false) }
            inbox.work.append(work)
            defer { inbox.isSignalled = true }
            return (true, !inbox.isSignalled)
        }
        if mustWake { holdfast_eventfd_signal(wakeDescriptor) }
        return isTaken
    }

    /// Ends the loop: closes every stream, listener and timer, then the thread ends.
    public func stop() { execute { self.isStopping = true } }

    /// Waits for the thread to end; called once, from another thread, after `stop`.
    public func join() {
        precondition(!isCurrent, "a loop cannot wait for itself")
        worker?.join()
    }

    // MARK: On the loop

    /// How many streams are open.
    public var streamCount: Int {
        preconditionIsCurrent()
        return streams.count
    }

    /// A clock that only goes forward, read once per tick.
    ///
    /// Unit: nanoseconds since an arbitrary start.
    public var nowNanoseconds: UInt64 {
        if let tickNanoseconds { return tickNanoseconds }
        let now = SystemTime().monotonicNanoseconds()
        tickNanoseconds = now
        return now
    }

    /// Runs `work` later, on the loop.
    ///
    /// - Parameters:
    ///   - milliseconds: From now; when repeating, also between two runs.
    ///   - isRepeating: Whether it runs until cancelled.
    ///   - work: What to do.
    /// - Returns: The handle to cancel it; the timer runs also when nobody keeps it.
    @discardableResult
    public func schedule(
        afterMilliseconds milliseconds: Int,
        isRepeating: Bool = false,
        _ work: @escaping () -> Void
    ) -> LoopTimer {
        preconditionIsCurrent()
        let timer = LoopTimer(self, milliseconds, isRepeating, work)
        timers[ObjectIdentifier(timer)] = timer
        return timer
    }

    /// Traps when the caller is on another thread.
    public func preconditionIsCurrent() {
        precondition(isCurrent, "touched from another thread than its event loop's")
    }

    func forget(_ timer: LoopTimer) { timers[ObjectIdentifier(timer)] = nil }

    func add(_ stream: ByteStream) { streams[ObjectIdentifier(stream)] = stream }

    func add(_ connector: Connector) { connectors[ObjectIdentifier(connector)] = connector }

    func forget(_ connector: Connector) { connectors[ObjectIdentifier(connector)] = nil }

    func add(_ point: AcceptPoint) { acceptPoints.append(point) }

    /// The stream has output: it is flushed when the tick ends.
    func noteDirty(_ stream: ByteStream) { dirty.append(stream) }

    /// The stream takes input again: what is buffered is delivered when the tick ends.
    func noteResumed(_ stream: ByteStream) { resumed.append(stream) }

    /// The stream is closed: it is freed when the tick ends.
    func noteClosing(_ stream: ByteStream) { closing.append(stream) }

    // MARK: The thread

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        while !isStopping {
            let result = event_base_loop(base, EVLOOP_ONCE)
            precondition(result >= 0, "libevent cannot wait: \(errorText(errno))")
            endTick()
        }
        end()
    }

    /// Closes connections of a listener that have not agreed on keys yet.
    func closeShakingStreams(of listener: Listener) {
        for stream in streams.values where stream.phase == .shaking && stream.listener === listener
        {
            stream.close(.stopped)
        }
    }

    private func runInbox() {
        inbox.withLock { inbox in
            swap(&inbox.work, &work)
            inbox.isSignalled = false
        }
        for item in work { item() }
        work.removeAll(keepingCapacity: true)
    }

    private func endTick() {
        var rounds = 0
        while !(resumed.isEmpty && dirty.isEmpty && closing.isEmpty) {
            if rounds == Self.roundCountMax {
                // The rest comes first in the next tick, which then does not wait.
                event_active(wakeEvent, Int32(EV_READ), 1)
                break
            }
            rounds += 1
            if !resumed.isEmpty {
                swap(&resumed, &list)
                for stream in list { stream.redeliver() }
                list.removeAll(keepingCapacity: true)
            }
            if !dirty.isEmpty {
                swap(&dirty, &list)
                for stream in list { stream.flush() }
                list.removeAll(keepingCapacity: true)
            }
            if !closing.isEmpty {
                swap(&closing, &list)
                for stream in list {
                    streams[ObjectIdentifier(stream)] = nil
                    stream.free()
                }
                list.removeAll(keepingCapacity: true)
            }
        }
        tickNanoseconds = nil
    }

    private func end() {
        for point in acceptPoints { point.close() }
        acceptPoints = []
        for connector in connectors.values { connector.cancel() }
        for timer in timers.values { timer.cancel() }
        for stream in streams.values { stream.close(.stopped) }
        endTick()
        // What came in until now still runs, on streams that are closed.
        inbox.withLock { inbox in
            inbox.isEnded = true
            swap(&inbox.work, &work)
        }
        for item in work { item() }
        work = []
        endTick()
        for timer in timers.values { timer.cancel() }
        event_free(wakeEvent)
        event_base_free(base)
        close(wakeDescriptor)
    }
}
