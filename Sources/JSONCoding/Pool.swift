// Memory of coders that are at rest.
//
// Decoders and encoders hand out containers by the dozen, and Codable copies them at every call. So
// that such a copy costs nothing, a container holds a plain pointer and not a counted reference;
// and so that a container which somebody keeps for too long does no harm, the memory behind the
// pointer is never freed, only used again, and carries a number that is different each time (see
// `generation` there). There is as much of it as was in use at once.
internal import HoldfastBasics

/// Pieces of memory that wait to be used again.
struct Pool<Core: ~Copyable>: Sendable {
    private let resting = Lock<[UnsafeMutablePointer<Core>]>([])

    /// A piece that nobody uses, or nil when a new one must be made.
    func take() -> UnsafeMutablePointer<Core>? { resting.withLock { $0.popLast() } }

    /// Gives a piece back; its content must be as good as new.
    func giveBack(_ piece: UnsafeMutablePointer<Core>) { resting.withLock { $0.append(piece) } }
}
