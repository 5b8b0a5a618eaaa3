// One connection: bytes in, bytes out, deadlines, and an orderly end.
//
// Invariants:
// - a stream and its handler are used on the stream's loop only;
// - what is written waits in `output` until the tick ends, and leaves with one send; what is sent
//   at once never overtakes it;
// - input is read only while nobody has paused it and waiting output is not above its high mark, so
//   a client that does not read costs the high mark and one reply, not more;
// - a stream goes open -> finishing -> lingering -> closed, or straight to closed; with TLS it is
//   shaking before; `closed` of the handler is called once, when the tick ends, and then the
//   descriptor is closed.
public import HoldfastBasics
internal import CHoldfastLibevent
internal import Glibc

/// A connected socket on a loop.
public final class ByteStream {
    enum Phase {
        /// Agrees with the peer on keys.
        case shaking
        /// Reads and writes.
        case open
        /// Writes what waits, reads nothing.
        case finishing
        /// Has said that it is done; throws input away until the peer is done too.
        case lingering
        case closed
    }

    /// The loop it belongs to.
    public let loop: EventLoop
    /// Its bounds.
    public let options: ByteStreamOptions
    /// Who is told what happens.
    ///
    /// May be exchanged, also inside `received`: what that call left over goes to the new one.
    public var handler: (any ByteStreamHandler)?

    /// Bytes received in all.
    public internal(set) var receivedByteCount: UInt64 = 0
    /// Bytes given to the system in all.
    public internal(set) var sentByteCount: UInt64 = 0
    /// Whether the peer has ended its side.
    public internal(set) var isInputEnded = false

    let descriptor: Int32
    let listener: Listener?
    /// What encrypts its bytes; nil where they go as they are.
    var security: TLSSession?
    var secured: Secured?
    /// Whether a read waits for room in the socket.
    var readWantsRoom = false
    /// Whether what is to be sent waits for input from the socket.
    var sendWantsInput = false
    var phase = Phase.open
    var input = ByteBuffer()
    var output = ByteBuffer()
    var isPaused = false
    var isOutputFull = false
    var isDelivering = false
    var wantsDrained = false
    var lingerByteCount = 0
    private var isDirty = false
    private var isResumed = false
    private var isReadArmed = false
    var isWriteArmed = false
    private var readEvent: OpaquePointer?
    private var writeEvent: OpaquePointer?
    private var timer: OpaquePointer?
    private var reason = CloseReason.asked

    // Unit of all three: the loop's nanoseconds; `max` when not set.
    private var deadline = UInt64.max
    var stallDeadline = UInt64.max
    private var timerSetFor = UInt64.max

    init(
        _ descriptor: Int32,
        _ loop: EventLoop,
        _ options: ByteStreamOptions,
        _ listener: Listener?
    ) {
        self.descriptor = descriptor
        self.loop = loop
        self.options = options
        self.listener = listener
        // Unretained: the loop keeps the stream until its events are freed.
        readEvent = event_new(
            loop.base,
            descriptor,
            Int16(EV_READ | EV_PERSIST),
            { _, _, context in
                guard let context else { return }
                Unmanaged<ByteStream>.fromOpaque(context).takeUnretainedValue().readable()
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        loop.add(self)
    }

    /// Takes over a connected socket that does not block, on the loop the caller is on.
    ///
    /// - Parameters:
    ///   - descriptor: Is closed by the stream.
    ///   - loop: Where the stream will live.
    ///   - options: Its bounds.
    ///   - handler: Who is told what happens.
    /// - Returns: The stream, which reads from now on.
    @discardableResult
    public static func adopt(
        _ descriptor: Int32,
        on loop: EventLoop,
        options: ByteStreamOptions = ByteStreamOptions(),
        handler: any ByteStreamHandler
    ) -> ByteStream {
        loop.preconditionIsCurrent()
        let stream = ByteStream(descriptor, loop, options, nil)
        stream.handler = handler
        stream.updateReading()
        return stream
    }

    /// Whether it reads and writes.
    public var isOpen: Bool { phase == .open }

    /// The peer's numeric address with its port; empty when it is gone or has none.
    public var peer: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            guard phase != .closed, let start = text.baseAddress else { return "" }
            let port = holdfast_peer(descriptor, start, text.count)
            guard port >= 0 else { return "" }
            let host = String(cString: start)
            return (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        }
    }

    /// The network of the peer, as a number: an IPv4 address, or the first 64 bits of an IPv6 one,
    /// which one host has to itself.
    ///
    /// Zero when the peer is gone or has none.
    public var peerNetwork: UInt64 { phase == .closed ? 0 : holdfast_peer_network(descriptor) }

    // MARK: Output

    /// Bytes written and not yet given to the system.
    public var unsentByteCount: Int { output.count }

    /// Whether waiting output is below its high mark; a producer stops when it is not.
    public var canTakeOutput: Bool { output.count <= options.outputByteCountHigh }

    /// Lends the output for appending; sent when the tick ends.
    ///
    /// `body` must only append, and not come back to the stream. What is written to a stream that
    /// is not open is dropped.
    public func write<T>(_ body: (inout ByteBuffer) throws -> T) rethrows -> T {
        guard phase == .open else {
            var nowhere = ByteBuffer()
            return try body(&nowhere)
        }
        noteDirty()
        return try body(&output)
    }

    /// Appends bytes to the output; sent when the tick ends.
    public func write(_ bytes: ByteView) { write { $0.append(bytes) } }

    /// Sends bytes now where nothing waits before them; what the socket does not take, and all
    /// where something does wait, is sent as what is written is.
    ///
    /// Nothing is copied of what is taken: for bytes that many streams are sent, and for replies
    /// made earlier. Each call is a send of its own.
    public func send(_ bytes: ByteView) {
        guard phase == .open, security == nil, output.isEmpty, !isWriteArmed else {
            return write(bytes)
        }
        guard let count = give(bytes) else { return }
        sentByteCount += UInt64(count)
        if count < bytes.count { write(bytes.suffix(from: count)) }
    }

    /// Asks for one call of `outputDrained`, once waiting output is at its low mark or below.
    public func notifyWhenDrained() {
        wantsDrained = true
        noteDirty()
    }

    func noteDirty() {
        guard !isDirty else { return }
        isDirty = true
        loop.noteDirty(self)
    }

    // MARK: Input

    /// Reads and delivers nothing until `resumeReading`.
    ///
    /// The event stays until input comes: most pauses end before, and cost no system call.
    public func pauseReading() { isPaused = true }

    /// Reads again; what was left over is delivered when the tick ends.
    public func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        updateReading()
        noteResumed()
    }

    func noteResumed() {
        guard !isResumed else { return }
        isResumed = true
        loop.noteResumed(self)
    }

    func clearNotes(resumed: Bool = false, dirty: Bool = false) {
        if resumed { isResumed = false }
        if dirty { isDirty = false }
    }

    /// Arms or disarms the read event as the state demands.
    func updateReading() {
        let wanted =
            phase == .open
            ? !isPaused && !isOutputFull && !isInputEnded : phase == .lingering || phase == .shaking
        guard wanted != isReadArmed, let readEvent else { return }
        isReadArmed = wanted
        if wanted { event_add(readEvent, nil) } else { event_del(readEvent) }
    }

    /// Waits, or waits no more, for room in the socket.
    func setWriteArmed(_ wanted: Bool) {
        guard wanted != isWriteArmed else { return }
        isWriteArmed = wanted
        if writeEvent == nil {
            writeEvent = event_new(
                loop.base,
                descriptor,
                Int16(EV_WRITE | EV_PERSIST),
                { _, _, context in
                    guard let context else { return }
                    Unmanaged<ByteStream>.fromOpaque(context).takeUnretainedValue().writable()
                },
                Unmanaged.passUnretained(self).toOpaque()
            )
        }
        if wanted { event_add(writeEvent, nil) } else { event_del(writeEvent) }
    }

    // MARK: Deadlines

    /// Sets the time by which the present work must be done, whatever comes in meanwhile.
    ///
    /// - Parameter milliseconds: From now; nil takes the deadline away.
    public func setDeadline(milliseconds: Int?) {
        guard phase == .open else { return }
        deadline = milliseconds.map(loop.nanoseconds(afterMilliseconds:)) ?? .max
        armTimer()
    }

    /// Sets the timer when a time comes nearer; one that moves away is found out when it fires, as
    /// most deadlines are taken away long before they pass.
    func armTimer() {
        let next = min(deadline, stallDeadline)
        guard next < timerSetFor else { return }
        timerSetFor = next
        if timer == nil {
            timer = event_new(
                loop.base,
                -1,
                0,
                { _, _, context in
                    guard let context else { return }
                    Unmanaged<ByteStream>.fromOpaque(context).takeUnretainedValue().timerFired()
                },
                Unmanaged.passUnretained(self).toOpaque()
            )
        }
        let now = loop.nowNanoseconds
        // Rounded up, so that the time has passed when the timer fires.
        var delay = timeval(milliseconds: next > now ? Int((next - now + 999_999) / 1_000_000) : 0)
        event_add(timer, &delay)
    }

    private func timerFired() {
        timerSetFor = .max
        let now = loop.nowNanoseconds
        if now >= deadline {
            deadline = .max
            switch phase {
            case .open: handler?.deadlineExpired(self)
            case .shaking: endShaking()
            default: close(.asked)
            }
        } else if now >= stallDeadline {
            close(.stalled)
        }
        if phase != .closed { armTimer() }
    }

    // MARK: The end

    /// Sends what waits, ends our side, throws the peer's input away for a while, then closes.
    ///
    /// Closing at once would make the system send a reset when input lies unread, and the reset may
    /// overtake the last reply. Nothing more is delivered, and nothing can be written.
    public func finish() {
        guard phase == .open else { return }
        phase = .finishing
        deadline = .max
        updateReading()
        noteDirty()
    }

    /// Everything has been sent: ends our side.
    func linger() {
        guard endSecureOutput() else { return }
        stallDeadline = .max
        if isInputEnded { return close(.asked) }
        shutdown(descriptor, Int32(SHUT_WR))
        phase = .lingering
        deadline = loop.nanoseconds(afterMilliseconds: options.lingerMilliseconds)
        armTimer()
        updateReading()
    }

    /// Closes at once; what waits is dropped.
    ///
    /// - Parameter reason: What the handler is told.
    public func close(_ reason: CloseReason = .asked) {
        guard phase != .closed else { return }
        phase = .closed
        self.reason = reason
        if let readEvent { event_del(readEvent) }
        if let writeEvent { event_del(writeEvent) }
        if let timer { event_del(timer) }
        loop.noteClosing(self)
    }

    /// Lets go of everything; the loop calls it once, after `close`.
    func free() {
        for event in [readEvent, writeEvent, timer] {
            if let event { event_free(event) }
        }
        (readEvent, writeEvent, timer) = (nil, nil, nil)
        security = nil
        secured = nil
        Glibc.close(descriptor)
        listener?.noteClosed()
        let handler = handler
        self.handler = nil
        handler?.closed(self, reason)
        input = ByteBuffer()
        output = ByteBuffer()
    }
}

extension EventLoop {
    /// The loop's time so many milliseconds from now.
    func nanoseconds(afterMilliseconds milliseconds: Int) -> UInt64 {
        nowNanoseconds + UInt64(max(milliseconds, 0)) * 1_000_000
    }
}
