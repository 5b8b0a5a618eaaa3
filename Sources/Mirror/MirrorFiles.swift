// The contents of files on a mirror: attached ones on their way to the server, fetched ones for as
// long as there is room, those of pinned trees always.
//
// Invariant: a content is taken away only when nothing that was attached here needs it and no
// pinned tree names it; whoever has it open reads on.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// Which contents are kept here without being asked for.
enum FilePins: Sendable {
    case none
    case all
    case trees(Set<TreeName>)

    /// The trees, nil for all; nil in itself when there are none.
    var trees: Set<TreeName>?? {
        switch self {
        case .none: nil
        case .all: .some(nil)
        case .trees(let names): .some(names)
        }
    }
}

/// The contents of one mirror's files.
final class MirrorFiles: Sendable {
    /// A content on its way here.
    private final class Fetching: Sendable {
        let bell = WakeUp()
        let end = Lock<FileOrder.End?>(nil)
    }

    private struct State {
        /// Files that somebody waits for.
        var fetching: [Digest256: Fetching] = [:]
        /// Files that are brought to the server.
        var sending: Set<Digest256> = []
        /// How much is here, by file, and when it was last asked for; nil before that is known.
        var sizes: [Digest256: (byteCount: Int, used: UInt64)]?
        var lastUse: UInt64 = 0
        /// Which names were looked at for pins.
        var pinned: (known: UInt64, digests: Set<Digest256>)?
        var isClosed = false
    }

    let files: FileStore
    private let store: Store
    private let outbox: Outbox
    private let caller: Caller
    private let pins: FilePins
    private let byteCountMax: Int
    private let time: any TimeSource
    /// For whoever waits.
    private let asked: FileExchange
    /// For what goes on by itself.
    private let background: FileExchange
    private let state = Lock(State())

    init(
        _ files: FileStore,
        store: Store,
        outbox: Outbox,
        target: LinkTarget,
        caller: Caller,
        pins: FilePins,
        byteCountMax: Int,
        time: any TimeSource,
        random: any RandomSource
    ) {
        self.files = files
        self.store = store
        self.outbox = outbox
        self.caller = caller
        self.pins = pins
        self.byteCountMax = byteCountMax
        self.time = time
        asked = FileExchange(target, random: random)
        background = FileExchange(target, random: random)
    }

    /// Takes up uploads and downloads that were cut, and forgets what is remembered for nothing.
    ///
    /// - Throws: `FileError`, `MirrorError`.
    func open() throws {
        let now = time.wallMilliseconds()
        do throws(DiskError) {
            try files.findUploads(at: now)
        } catch {
            throw FileError.disk(error)
        }
        try outbox.unstage(outbox.oldFiles(at: now))
    }

    /// The mirror is connected to its server.
    func connected() { background.hurry() }

    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            return state.fetching.values.map(\.bell)
        }
        for bell in waiting { bell.end() }
        asked.stop(waiting: true)
        background.stop(waiting: true)
    }

    /// Ends without waiting for any thread.
    func abandon() {
        asked.stop(waiting: false)
        background.stop(waiting: false)
    }

    // MARK: To the server

    /// Brings a file to the server, whenever there is one.
    ///
    /// - Parameters:
    ///   - digest: Which one.
    ///   - file: What is known of it.
    ///   - tell: Is told the end, once, when it is not the end of this mirror.
    func send(
        _ digest: Digest256,
        _ file: StagedFile,
        tell: @escaping @Sendable (FileOutcome) -> Void
    ) {
        let isNew = state.withLock { $0.sending.insert(digest).inserted }
        guard isNew else { return }
        let files = files
        let order = FileOrder(waits: true) { () throws(FileError) in
            do throws(DiskError) {
                return FileSending(digest, file, try files.open(digest))
            } catch {
                throw .disk(error)
            }
        } tell: { [weak self] end in
            self?.state.withLock { _ = $0.sending.remove(digest) }
            if case .moved(let outcome) = end { tell(outcome) }
        }
        add(order, to: background)
    }

    private func add(_ order: FileOrder, to lane: FileExchange) {
        do throws(NetworkError) {
            try lane.add(order)
        } catch {
            order.tell(.disconnected(.unreachable("\(error)")))
        }
    }

    // MARK: From the server

    /// Waits until a content is here.
    ///
    /// - Throws: `offline`, `refused`, `full`, `diskFailed`, `untrusted`, `closed`.
    func fetch(_ digest: Digest256) async throws(DatabaseError) {
        let (fetching, isNew) = state.withLock { state -> (Fetching?, Bool) in
            if state.isClosed { return (nil, false) }
            if let known = state.fetching[digest] { return (known, false) }
            let fetching = Fetching()
            state.fetching[digest] = fetching
            return (fetching, true)
        }
        guard let fetching else { throw .closed }
        if isNew {
            let order = order(digest, waits: false) { [weak self] end in
                fetching.end.withLock { $0 = end }
                self?.state.withLock { $0.fetching[digest] = nil }
                fetching.bell.end()
            }
            add(order, to: asked)
        }
        await fetching.bell.wait(past: 0)
        switch fetching.end.withLock(\.self) {
        case .moved(.done): return
        case .moved(.refused(let refusal)): throw .refused(HoldfastEmbedded.Refusal(refusal))
        case .moved(.failed(let error)): throw DatabaseError(error)
        case .disconnected(.untrusted(let why)): throw .untrusted(LinkEnd.untrusted(why).detail)
        case .disconnected(.closed): throw .closed
        case .disconnected: throw .offline
        // Cancelled, or closed.
        case nil: throw state.withLock(\.isClosed) ? .closed : .offline
        }
    }

    /// The way of a content from the server; what waits goes on in a place of its own, so that
    /// neither disturbs the other when both want the same.
    private func order(
        _ digest: Digest256,
        waits: Bool,
        tell: @escaping @Sendable (FileOrder.End) -> Void
    ) -> FileOrder {
        let (files, time) = (files, time)
        let place = waits ? Caller(user: caller.user, device: "pins") : caller
        return FileOrder(waits: waits) { () throws(FileError) in
            do throws(DiskError) {
                if try files.open(digest) != nil { return FileHere() }
            } catch {
                throw .disk(error)
            }
            return try FileFetch(digest, into: files, by: place, now: time.wallMilliseconds())
        } tell: { [weak self] end in
            if case .moved(.done) = end { self?.came(digest) }
            tell(end)
        }
    }

    // MARK: Pins

    /// Has brought here what pinned trees have come to name.
    func look() {
        guard let trees = pins.trees, !state.withLock(\.isClosed) else { return }
        let known = state.withLock { $0.pinned?.known }
        guard let (digests, next) = store.namedFiles(in: trees, since: known) else { return }
        let new = state.withLock { state -> [Digest256] in
            let old = state.pinned?.digests ?? []
            state.pinned = (next, Set(digests))
            return digests.filter { !old.contains($0) }
        }
        for digest in new { add(order(digest, waits: true) { _ in }, to: background) }
    }

    // MARK: Room

    /// Takes away what no record here names any more, and nothing that was attached here needs:
    /// the copy has fewer trees.
    func keepNamed() {
        // What pinned trees name is looked at anew.
        state.withLock { ($0.pinned, $0.sizes) = (nil, nil) }
        let named = Set(store.namedFiles(in: nil, since: nil)?.digests ?? [])
        do throws(DiskError) {
            for digest in try files.digests() where !named.contains(digest) {
                try files.remove(digest) { outbox.stagedFiles[$0] != nil }
            }
        } catch {
            // What cannot be removed stays until others need the room.
        }
    }

    /// Notes that a content was asked for.
    func use(_ digest: Digest256) {
        state.withLock { state in
            state.lastUse += 1
            state.sizes?[digest]?.used = state.lastUse
        }
    }

    /// A content is here: others make room for it that nothing keeps here.
    func came(_ digest: Digest256) {
        do throws(DiskError) {
            let known = state.withLock(\.sizes)
            let sizes = if let known { known } else { try measure() }
            let byteCount = try files.open(digest)?.size() ?? 0
            let old = state.withLock { state -> [Digest256] in
                var all = sizes.merging(state.sizes ?? [:]) { $1 }
                state.lastUse += 1
                all[digest] = (byteCount, state.lastUse)
                var sum = all.values.reduce(0) { $0 + $1.byteCount }
                var gone: [Digest256] = []
                let staged = outbox.stagedFiles
                let pinned = state.pinned?.digests ?? []
                for (one, (count, _)) in all.sorted(by: { $0.value.used < $1.value.used }) {
                    guard sum > byteCountMax else { break }
                    guard one != digest, staged[one] == nil, !pinned.contains(one) else { continue }
                    gone.append(one)
                    all[one] = nil
                    sum -= count
                }
                state.sizes = all
                return gone
            }
            for one in old { try files.remove(one) { outbox.stagedFiles[$0] != nil } }
        } catch {
            // What cannot be measured or removed stays; the next one tries again.
            state.withLock { $0.sizes = nil }
        }
    }

    private func measure() throws(DiskError) -> [Digest256: (byteCount: Int, used: UInt64)] {
        var sizes: [Digest256: (byteCount: Int, used: UInt64)] = [:]
        for digest in try files.digests() {
            sizes[digest] = (try files.open(digest)?.size() ?? 0, 0)
        }
        return sizes
    }
}

/// An errand nothing is left to do for.
private final class FileHere: FileErrand {
    let outcome: FileOutcome? = .done
    func next() -> LinkRequest? { nil }
    func take(_ response: Response) {}
}
