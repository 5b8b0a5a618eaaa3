// Which trees name which files: what decides who may read a file, and when it may go.
//
// Invariants:
// - there is a table from the first record of `_files` on, or from when somebody asks which files
//   are named, and none in other databases, whose writes then pay one comparison;
// - a count is that of the live records' references, so that a fresh fold has the same ones;
// - `leftSeq` is at or behind the commit in which the last reference ended: after an opening it is
//   the opened head, as the log before a checkpoint is not folded.
public import HoldfastBasics
public import HoldfastRecords

/// The files of a database, and who names them.
final class FileTable {
    struct Entry {
        /// Whether `_files` has it.
        var isKnown = false
        /// How often the live records of each tree name it; no count is 0.
        var counts: [(tree: TreeName, count: Int)] = []
        /// The last commit in which a reference ended, or the file came.
        var leftSeq: UInt64 = 0

        var isUnnamed: Bool { isKnown && counts.isEmpty }
    }

    private var entries: [Digest256: Entry] = [:]
    /// Files no live record names.
    private(set) var unnamed: Set<Digest256> = []
    /// Grows whenever a tree comes to name a file it did not name before; another table's begins
    /// elsewhere.
    private(set) var namingCount = UInt64.random(in: 1...UInt64.max / 2)

    /// The entry of a file; nil when it is neither known nor named.
    subscript(digest: Digest256) -> Entry? { entries[digest] }

    /// `_files` has a file, or has it no more.
    func setKnown(_ digest: Digest256, _ isKnown: Bool, seq: UInt64) {
        change(digest) { entry in
            entry.isKnown = isKnown
            entry.leftSeq = max(entry.leftSeq, seq)
        }
    }

    /// A live record of a tree has this value now.
    func add(_ document: ByteView, of tree: TreeName) {
        for digest in FileNames(in: document).digests {
            change(digest) { entry in
                if let index = entry.counts.firstIndex(where: { $0.tree == tree }) {
                    entry.counts[index].count += 1
                } else {
                    entry.counts.append((tree, 1))
                    namingCount += 1
                }
            }
        }
    }

    /// It has it no more, since a commit.
    func remove(_ document: ByteView, of tree: TreeName, seq: UInt64) {
        for digest in FileNames(in: document).digests {
            change(digest) { entry in
                guard let index = entry.counts.firstIndex(where: { $0.tree == tree }) else {
                    return
                }
                entry.counts[index].count -= 1
                if entry.counts[index].count == 0 { entry.counts.remove(at: index) }
                entry.leftSeq = max(entry.leftSeq, seq)
            }
        }
    }

    /// Of versions up to a commit nobody knows here what they named.
    func forgetVersions(upTo seq: UInt64) {
        for digest in unnamed { change(digest) { $0.leftSeq = max($0.leftSeq, seq) } }
    }

    private func change(_ digest: Digest256, _ body: (inout Entry) -> Void) {
        var entry = entries[digest] ?? Entry()
        body(&entry)
        entries[digest] = entry.isKnown || !entry.counts.isEmpty ? entry : nil
        if entry.isUnnamed {
            unnamed.insert(digest)
        } else {
            unnamed.remove(digest)
        }
    }

    /// The files that live records of some trees name; nil means of all trees.
    func named(in trees: Set<TreeName>?) -> [Digest256] {
        entries.filter { _, entry in
            entry.counts.contains { trees?.contains($0.tree) ?? true }
        }.map(\.key)
    }

    /// Who names what, as text.
    var lines: [String] {
        entries.filter(\.value.isKnown).map { digest, entry in
            let counts = entry.counts.map { " \($0.tree) \($0.count)" }.sorted()
            return "file \(digest)" + counts.joined()
        }.sorted()
    }
}

extension EngineState {
    /// Who names which files and is never shown, as text: for comparing two folds of one history.
    public var derivedFiles: [String] { files?.lines ?? [] }

    /// From now on it is known which files are named, be there records of them or not: a copy of
    /// chosen trees has none.
    public func trackFiles() {
        if files == nil { files = namedFiles() }
    }

    /// Grows whenever a live record names a file that its tree did not name before; 0 while nobody
    /// knows.
    public var fileNamingCount: UInt64 { files?.namingCount ?? 0 }

    /// The files that live records name, as far as that is known.
    ///
    /// - Parameter trees: The records' trees; nil for all.
    /// - Returns: Each once, in no order.
    public func namedFiles(in trees: Set<TreeName>?) -> [Digest256] {
        files?.named(in: trees) ?? []
    }

    /// What all live records name.
    func namedFiles() -> FileTable {
        let table = FileTable()
        for tree in trees where !tree.isSystem {
            tree.index.scan(from: nil, inclusive: true) { _, _, _, location in
                source.withEffect(at: location) { effect, _ in
                    if effect.isSet { table.add(effect.value, of: tree.name) }
                }
                return true
            }
        }
        return table
    }
}
