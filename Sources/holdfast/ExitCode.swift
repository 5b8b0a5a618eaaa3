// How `holdfast` ends. Scripts build on these numbers, so none ever changes its meaning.
// Source of the numbers above 63: BSD's sysexits(3).

/// What a process's end says.
enum ExitCode: Int32 {
    /// Done, or stopped as asked.
    case success = 0
    /// The server refused.
    case refused = 1
    /// The command line is not as `--help` says.
    case usage = 64
    /// The database's files are not what was written.
    case damaged = 65
    /// No such record, database or input file.
    case notFound = 66
    /// The server cannot be reached, or went away before it had answered.
    case unreachable = 69
    /// The database's directory cannot be made.
    case cannotCreate = 73
    /// The disk, or standard output, failed.
    case diskFailed = 74
    /// The database or the port is in use.
    case busy = 75
    /// The configuration asks for what cannot be.
    case configuration = 78
}

/// Why a command ended early, in words that say what to do next.
struct CommandFailure: Error {
    let code: ExitCode
    let message: String

    init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }
}
