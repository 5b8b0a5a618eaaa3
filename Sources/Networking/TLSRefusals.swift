// Handshakes that failed, told to the operator without letting strangers fill the log.
internal import HoldfastBasics

/// What one loop tells of failed handshakes; confined to that loop.
struct TLSRefusals {
    /// Lines per second; what goes beyond is counted.
    private static let lineCountMax = 5
    private static let nanoseconds: UInt64 = 1_000_000_000

    private var start: UInt64 = 0
    private var lineCount = 0
    private var untoldCount = 0

    /// Logs a failure, or counts it.
    mutating func note(_ peer: String, _ error: TLSError, now: UInt64, _ logger: Logger) {
        // Who only looks whether somebody listens says nothing and leaves.
        guard error != .truncated else {
            return logger.log(.debug, "tls.left", ["peer": peer])
        }
        if now >= start + Self.nanoseconds {
            (start, lineCount) = (now, 0)
        }
        guard lineCount < Self.lineCountMax else {
            untoldCount += 1
            return
        }
        lineCount += 1
        var facts: KeyValuePairs<String, String> = ["peer": peer, "reason": error.description]
        if untoldCount > 0 {
            facts = [
                "peer": peer, "reason": error.description, "untold": "\(untoldCount)",
            ]
            untoldCount = 0
        }
        logger.log(.info, "tls.refused", facts)
    }
}
