// A store in this process, on a fresh directory.
internal import Foundation
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// A store that is written and synced on the measuring thread.
final class StoreUnderTest {
    let store: Store
    let tree: TreeName
    private let caller = Caller(user: "bench", device: "bench")
    private let random = SeededRandom(seed: 1)
    private let time = SystemTime()
    private static let quiet = Logger(level: .error)
    /// The tree it works on.
    static let treeName = "bench"

    /// Opens the database of a directory, and makes it first when the directory is new.
    ///
    /// - Parameters:
    ///   - directory: Which one.
    ///   - keys: What the tree is keyed by.
    ///   - syncing: When what was written is synced.
    /// - Throws: Why it cannot be opened.
    init(
        _ directory: String,
        keys: KeyKind = .id,
        syncing: Syncing = .batches
    ) throws {
        guard let tree = TreeName(Self.treeName) else { throw BenchError("no name of a tree") }
        self.tree = tree
        let isNew = !FileManager.default.fileExists(atPath: directory)
        let disk = try PosixDisk(directory, create: isNew)
        if isNew { try Store.create(on: disk, application: "bench") }
        store = try Store(
            disk: disk,
            application: "bench",
            options: LogOptions(syncing: syncing),
            logger: Self.quiet
        )
        if isNew {
            let definition = TreeDefinition(keys: keys, borrow: .optional)
            try submit([.defineTree(tree, definition)])
            store.syncStep()
        }
    }

    /// Creates records in one commit, which is not durable yet.
    func insert(_ values: ArraySlice<[UInt8]>) throws { try submit(creating(values)) }

    /// Creates records in one commit and syncs it on this thread, as an application that has the
    /// database to itself does; a `StoreRunner` may run beside it.
    func insertDurably(_ values: ArraySlice<[UInt8]>) throws {
        let seq = try submit(creating(values), willSync: true)
        store.syncPromised(seq)
        // After a slow sync the runner's thread is asked instead.
        while case .pending = store.progress.outcome(of: seq) { store.syncStep() }
    }

    /// Creates records under names in one commit, which is not durable yet.
    func insert(_ values: ArraySlice<[UInt8]>, names: some Sequence<String>) throws {
        try submit(
            zip(names, values).map { name, value in
                let key = RecordKey(name: name)
                return .put(WriteOperation(tree: tree, key: key, expects: .absent, value: value))
            }
        )
    }

    /// Looks a record up by its number and weighs its value.
    func valueByteCount(of number: Int) throws -> Int {
        try store.read { reader throws(BenchError) in
            let key = RecordKey(number: UInt64(number))
            guard let tree = reader.state.tree(tree),
                let location = reader.state.location(tree, key)
            else { throw BenchError("record \(number) is not there") }
            return reader.withEffect(at: location) { effect, _ in effect.value.count }
        }
    }

    private func creating(_ values: ArraySlice<[UInt8]>) -> [HoldfastRecords.Operation] {
        values.map { .put(WriteOperation(tree: tree, key: nil, expects: .absent, value: $0)) }
    }

    @discardableResult
    private func submit(
        _ operations: [HoldfastRecords.Operation],
        willSync: Bool = false
    ) throws -> UInt64 {
        let id = UniqueID.version7(milliseconds: time.wallMilliseconds(), random: random)
        let change = Change(id: id, operations: operations)
        guard case .accepted(let position, _) = store.submit(change, by: caller, willSync: willSync)
        else { throw BenchError("the store refused a change") }
        return position.seq
    }
}
