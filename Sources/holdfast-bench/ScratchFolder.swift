// The folder of one run.
internal import Foundation
internal import HoldfastBasics

/// A folder that is made for one run and removed with everything in it.
struct ScratchFolder {
    let path: String

    init() throws {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        path = base + "/holdfast-bench-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
    }

    /// A path below it, where nothing is yet.
    func fresh(_ name: String) -> String {
        let file = path + "/" + name
        try? FileManager.default.removeItem(atPath: file)
        return file
    }

    func remove() {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Benchmark.complain("cannot remove \(path): \(error)")
        }
    }
}

/// Seconds on a clock that only goes forward.
enum Clock {
    static var nanoseconds: UInt64 { SystemTime().monotonicNanoseconds() }

    /// How long something takes, in seconds.
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = nanoseconds
        try body()
        return Double(nanoseconds - start) / 1e9
    }
}
