// Why a mirror's own files cannot be used.
internal import HoldfastRecords
internal import HoldfastStore

/// Why the outbox cannot take or keep something.
enum MirrorError: Error {
    /// A directory of the mirror cannot be opened.
    case store(StoreError)
    /// A write to the disk failed: nothing more is kept until the mirror is opened anew.
    case poisoned(String)
    /// The disk is full; what was kept stays.
    case full
    /// The change has more bytes than the outbox takes at once.
    case tooLarge(byteCount: Int, limit: Int)
    /// A record of the outbox is not of its shape.
    case unreadable(tree: String, key: String, what: String)
}
