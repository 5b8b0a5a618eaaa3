// A store in this process, on a fresh directory, driven without a sync thread.
internal import Foundation
internal import HoldfastBasics
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
    init(_ directory: String) throws {
        guard let tree = TreeName(Self.treeName) else { throw BenchError("no name of a tree") }
        self.tree = tree
        let isNew = !FileManager.default.fileExists(atPath: directory)
        let disk = try PosixDisk(directory, create: isNew)
        if isNew { try Store.create(on: disk, application: "bench") }
        store = try Store(disk: disk, application: "bench", logger: Self.quiet)
        if isNew {
            let definition = TreeDefinition(keys: .id, borrow: .optional)
            try submit([.defineTree(tree, definition)])
            store.syncStep()
        }
    }

    /// Creates records in one commit, which is not durable yet.
    func insert(_ values: ArraySlice<[UInt8]>) throws {
        try submit(
            values.map { .put(WriteOperation(tree: tree, key: nil, expects: .absent, value: $0)) }
        )
    }

    private func submit(_ operations: [HoldfastRecords.Operation]) throws {
        let id = UniqueID.version7(milliseconds: time.wallMilliseconds(), random: random)
        let change = Change(id: id, operations: operations)
        guard case .accepted = store.submit(change, by: caller) else {
            throw BenchError("the store refused a change")
        }
    }
}
