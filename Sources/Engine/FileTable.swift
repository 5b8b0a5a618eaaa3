// Which trees name which files: what decides who may read a file, and when it may go.
//
// Invariants:
// - there is a table from the first record of `_files` on, and none in a database without files,
//   whose writes then pay one comparison;
// - a count is that of the live records' references, so that a fresh fold has the same ones;
// - `leftSeq` is at or behind the commit in which the last reference ended: after an opening it is
//   the opened head, as the log before a checkpoint is not folded.
internal import HoldfastBasics
internal import HoldfastRecords

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
