// A disk in memory that knows what a crash would leave.
//
// Every file has *live* bytes (what the running process sees, also through its maps) and *durable*
// bytes (what was there at the last sync), and the list of writes in between. Names have the same
// two sides. `crash` builds one of the images a power cut could leave:
// - of every 512-byte sector any of the versions written since the last sync may have come through,
//   or none: writes are lost, torn and reordered;
// - a file's length may have grown without its bytes (they read as zeros);
// - of the unsynced names of a directory (creations, renames, removals) any first part is kept.
// After a failed sync the page cache lies: reads show the bytes, a later sync does not bring them.
internal import HoldfastBasics
public import HoldfastStorage
internal import Glibc

/// A disk in memory that loses what was not synced.
public final class SimulatedDisk: Disk {
    /// A failure to be met.
    public struct Fault: Sendable {
        /// Which operation fails.
        public let operation: DiskError.Operation
        /// How many of that operation succeed before.
        public var after: Int
        /// The error number.
        public let code: Int32
        /// Whether all later ones fail too.
        public let isLasting: Bool

        /// Describes a failure: `EIO` (5), once, unless told otherwise.
        public init(
            _ operation: DiskError.Operation,
            after: Int = 0,
            code: Int32 = 5,
            isLasting: Bool = false
        ) {
            self.operation = operation
            self.after = after
            self.code = code
            self.isLasting = isLasting
        }
    }

    struct State {
        var live: [String: SimulatedFile] = [:]
        var durable: [String: SimulatedFile] = [:]
        var directories: Set<String> = [""]
        var pendingNames: [String: [NameChange]] = [:]
        var faults: [Fault] = []
        var counts: [DiskError.Operation: Int] = [:]
        var operationCount = 0
        var haltAfter: Int?
        var capacity = Int.max
        /// How many hold a lock together; -1 for one that holds it alone.
        var locks: [String: Int] = [:]
        var random: SeededRandom
    }

    enum NameChange {
        case put(String, SimulatedFile)
        case move(String, String)
        case drop(String)
    }

    let state: Lock<State>

    /// An empty disk; `seed` decides how a failing write tears.
    public init(seed: UInt64 = 1) { state = Lock(State(random: SeededRandom(seed: seed))) }

    // MARK: What a test orders

    /// Orders a failure.
    public func fail(_ fault: Fault) { state.withLock { $0.faults.append(fault) } }

    /// Takes back all ordered failures and gives all room back.
    public func heal() {
        state.withLock {
            $0.faults = []
            $0.haltAfter = nil
            $0.capacity = .max
        }
    }

    /// Lets everything fail after this many more operations, as if the process had ended.
    public func halt(afterOperations count: Int) {
        state.withLock { $0.haltAfter = $0.operationCount + count }
    }

    /// Limits the bytes of all files together; beyond it a write fails with ENOSPC.
    public func limit(byteCount: Int) { state.withLock { $0.capacity = byteCount } }

    /// How often an operation was asked for.
    public func count(_ operation: DiskError.Operation) -> Int {
        state.withLock { $0.counts[operation] ?? 0 }
    }

    /// How many operations were asked for in all.
    public var operationCount: Int { state.withLock { $0.operationCount } }

    /// Bytes of all files together.
    public var byteCount: Int { state.withLock { Self.used($0) } }

    private static func used(_ state: State) -> Int {
        state.live.values.reduce(0) { $0 + $1.count }
    }

    // MARK: Images

    /// One of the disks a power cut could leave now; the same seed gives the same one.
    public func crash(seed: UInt64) -> SimulatedDisk {
        let random = SeededRandom(seed: seed)
        let image = SimulatedDisk(seed: seed)
        let (names, directories) = state.withLock { state in
            var names = state.durable
            for directory in state.pendingNames.keys.sorted() {
                let changes = state.pendingNames[directory] ?? []
                for change in changes.prefix(random.below(changes.count + 1)) {
                    Self.apply(change, to: &names)
                }
            }
            return (names, state.directories)
        }
        // Files in the order of their names, so that the seed alone decides.
        let files = names.sorted { $0.key < $1.key }.map { ($0.key, $0.value.survivor(random)) }
        image.state.withLock { state in
            state.directories = directories
            for (name, bytes) in files { state.live[name] = SimulatedFile(bytes) }
            state.durable = state.live
        }
        return image
    }

    /// An exact copy of the live bytes, all durable: what a killed process leaves, or a clean stop.
    public func copy() -> SimulatedDisk {
        let image = SimulatedDisk()
        let (files, directories) = state.withLock { ($0.live, $0.directories) }
        image.state.withLock { state in
            state.directories = directories
            for (name, file) in files { state.live[name] = SimulatedFile(file.bytes()) }
            state.durable = state.live
        }
        return image
    }

    /// The live bytes of a file; nil when there is none.
    public func bytes(_ path: String) -> [UInt8]? { state.withLock { $0.live[path]?.bytes() } }

    /// Puts a file in place, durable, past every rule.
    public func put(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            let file = SimulatedFile(bytes)
            state.live[path] = file
            state.durable[path] = file
        }
    }

    /// All paths, sorted.
    public var paths: [String] { state.withLock { $0.live.keys.sorted() } }

    static func apply(_ change: NameChange, to names: inout [String: SimulatedFile]) {
        switch change {
        case .put(let name, let file): names[name] = file
        case .move(let old, let new): names[new] = names.removeValue(forKey: old) ?? names[new]
        case .drop(let name): names[name] = nil
        }
    }

    // MARK: Every operation comes through here

    /// Counts an operation and meets the failures ordered for it.
    func meet(_ operation: DiskError.Operation, _ path: String) throws(DiskError) {
        let code = state.withLock { state -> Int32? in
            state.operationCount += 1
            state.counts[operation, default: 0] += 1
            if let limit = state.haltAfter, state.operationCount > limit { return EIO }
            guard let index = state.faults.firstIndex(where: { $0.operation == operation })
            else { return nil }
            if state.faults[index].after > 0 {
                state.faults[index].after -= 1
                return nil
            }
            defer { if !state.faults[index].isLasting { state.faults.remove(at: index) } }
            return state.faults[index].code
        }
        if let code { throw DiskError(operation, path, code: code) }
    }

    /// Bytes a file may still grow by.
    func room() -> Int { state.withLock { $0.capacity - Self.used($0) } }

    /// How much of a failing write comes through.
    func torn(_ count: Int) -> Int { state.withLock { $0.random.below(count + 1) } }
}
