// How many files and connections the process may have open. Source: getrlimit(2).
internal import Glibc
internal import HoldfastBasics

/// The process's limit of descriptors.
enum Descriptors {
    /// Descriptors that are not for connections.
    private static let reserve = 256

    /// Every connection takes a descriptor; the soft limit of most systems is 1024.
    ///
    /// Where the hard one is low too, fewer connections are taken: the log needs descriptors for
    /// its next segment, or clients could end all writing.
    ///
    /// - Returns: How many connections there may be.
    static func raiseLimit(for connectionCount: Int, _ logger: Logger) -> Int {
        let wanted = rlim_t(connectionCount + reserve)
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0, limit.rlim_cur < wanted else {
            return connectionCount
        }
        let before = limit.rlim_cur
        limit.rlim_cur = min(wanted, limit.rlim_max)
        let had = setrlimit(__rlimit_resource_t(7), &limit) == 0 ? limit.rlim_cur : before
        guard had < wanted else { return connectionCount }
        let left = Int(had)
        let count = max(1, left - min(reserve, left / 2))
        logger.log(
            .warning,
            "serve.descriptors.few",
            ["limit": "\(left)", "wanted": "\(wanted)", "connections": "\(count)"]
        )
        return count
    }
}
