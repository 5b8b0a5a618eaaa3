// Signals as something the main thread waits for, not as something that interrupts.
// Source: POSIX.1-2017, sigwait(3), sigtimedwait(3), pthread_sigmask(3).
internal import Glibc

/// The signals that ask a server to stop, or to read its settings again.
enum Signals {
    /// What came.
    enum Event: Equatable {
        /// The signal of this name asks the server to stop.
        case stop(String)
        /// Settings and certificate are to be read again.
        case reload
        /// Nothing came in time.
        case none
    }

    private static let names = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")]

    private static var all: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for (number, _) in names { sigaddset(&set, number) }
        return set
    }

    /// Blocks them in this thread and all it starts; a connection that breaks is an error of its
    /// own, not a signal.
    static func block() {
        _ = hadTerminal
        signal(SIGPIPE, SIG_IGN)
        // A parent may have left them ignored, as shells do for what they start in the background.
        for (number, _) in names { signal(number, SIG_DFL) }
        var set = all
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for one of them, for so long at most; for ever when nil.
    static func wait(milliseconds: Int? = nil) -> Event {
        var set = all
        let number: Int32
        if let milliseconds {
            var time = timespec(
                tv_sec: milliseconds / 1000,
                tv_nsec: milliseconds % 1000 * 1_000_000
            )
            number = sigtimedwait(&set, nil, &time)
        } else {
            number = sigwaitinfo(&set, nil)
        }
        switch number {
        case SIGHUP: return hadTerminal && !hasTerminal ? .stop("SIGHUP") : .reload
        case SIGTERM, SIGINT: return .stop(names.first { $0.0 == number }?.1 ?? "")
        default: return .none
        }
    }

    /// Whether the process began in a terminal: when that goes away, the server ends with it, and
    /// does not live on unseen.
    private static let hadTerminal = hasTerminal

    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Has the next signal to stop end the process at once; there is nothing to be read again any
    /// more.
    static func endAtOnce() {
        signal(SIGHUP, SIG_IGN)
        var set = all
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }
}
