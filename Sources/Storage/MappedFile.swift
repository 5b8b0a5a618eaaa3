// Bytes of a file, read through memory.
//
// Invariants:
// - the memory is mapped shared and read-only: what any thread writes to the file by `pwrite` is
//   seen through it at once (Linux keeps one page cache for both);
// - it stays mapped until the last owner lets go, also after the file is renamed or removed;
// - bytes above the file's end are mapped but not there: touching them ends the process by SIGBUS,
//   so a reader stays below what it knows to be written.
public import HoldfastBasics
internal import Glibc

/// A file's bytes as memory, released with its last owner.
///
/// @unchecked Sendable: the pointer and length never change, the memory is never written through
/// them, and whoever reads bytes that a `pwrite` may still change checks them before trusting them.
public final class MappedFile: @unchecked Sendable {
    private let start: UnsafeRawPointer
    /// Bytes mapped, which may be more than the file has.
    public let count: Int
    private let release: @Sendable (UnsafeRawPointer, Int) -> Void

    /// Takes memory that stays valid until `release` is called.
    ///
    /// - Parameters:
    ///   - start: The first byte.
    ///   - count: Bytes that may be addressed.
    ///   - release: Is called once, with both, when nobody reads any more.
    @unsafe public init(
        start: UnsafeRawPointer,
        count: Int,
        release: @escaping @Sendable (UnsafeRawPointer, Int) -> Void
    ) {
        self.start = start
        self.count = count
        self.release = release
    }

    deinit { release(start, count) }

    /// All bytes; valid as long as this object lives.
    public var view: ByteView {
        ByteView(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// Tells the system that the bytes are about to be read in order, or, afterwards, anyhow.
    public func advise(sequential: Bool) {
        // Advice only: a kernel that refuses it reads the same bytes, a little slower.
        _ = madvise(
            UnsafeMutableRawPointer(mutating: start),
            count,
            sequential ? MADV_SEQUENTIAL : MADV_NORMAL
        )
    }
}
