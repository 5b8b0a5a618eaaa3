// Signals as something the main thread waits for, not as something that interrupts.
// Source: POSIX.1-2017, sigwait(3), pthread_sigmask(3).
internal import Glibc

/// The signals that ask a server to stop, or to read its certificate again.
enum Signals {
    private static let names = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")]

    /// Asks a server that speaks TLS to read its certificate again.
    static let reload = "SIGHUP"

    private static var stopping: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for (number, _) in names { sigaddset(&set, number) }
        return set
    }

    /// Blocks them in this thread and all it starts; a connection that breaks is an error of its
    /// own, not a signal.
    static func block() {
        signal(SIGPIPE, SIG_IGN)
        // A parent may have left them ignored, as shells do for what they start in the background.
        for (number, _) in names { signal(number, SIG_DFL) }
        var set = stopping
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for one of them and gives its name.
    static func wait() -> String {
        var set = stopping
        var number: Int32 = 0
        while sigwait(&set, &number) != 0 {}
        return names.first { $0.0 == number }?.1 ?? "\(number)"
    }
}
