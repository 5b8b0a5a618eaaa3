// Work that runs later on a loop.
internal import CHoldfastLibevent

/// The handle of something scheduled with `EventLoop.schedule`; used on that loop only.
///
/// The loop keeps it until it has run, or is cancelled.
public final class LoopTimer {
    private let loop: EventLoop
    private let isRepeating: Bool
    /// Nil once it has ended: the work may hold its owner, and the owner this handle.
    private var work: (() -> Void)?
    private var event: OpaquePointer?

    init(_ loop: EventLoop, _ milliseconds: Int, _ isRepeating: Bool, _ work: @escaping () -> Void)
    {
        self.loop = loop
        self.isRepeating = isRepeating
        self.work = work
        // Unretained: the loop keeps the timer as long as there is an event.
        event = event_new(
            loop.base,
            -1,
            isRepeating ? Int16(EV_PERSIST) : 0,
            { _, _, context in
                guard let context else { return }
                Unmanaged<LoopTimer>.fromOpaque(context).takeUnretainedValue().fire()
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        var delay = timeval(milliseconds: milliseconds)
        precondition(event_add(event, &delay) == 0, "a timer cannot be added")
    }

    private func fire() {
        let work = work
        if !isRepeating { cancel() }
        work?()
    }

    /// Ends it; also from inside its own work, and more than once.
    public func cancel() {
        loop.preconditionIsCurrent()
        guard let event else { return }
        self.event = nil
        work = nil
        event_free(event)
        loop.forget(self)
    }
}

extension timeval {
    /// A span of time, not below zero.
    init(milliseconds: Int) {
        let span = max(milliseconds, 0)
        self.init(tv_sec: span / 1000, tv_usec: span % 1000 * 1000)
    }
}
