// What must hold when everything has come to rest.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport

@testable import Holdfast

extension Simulation {
    func checkEnd() throws {
        try server.checkAcknowledged()
        tally.count("commits", Int(server.auditor.head))
        for (label, count) in server.auditor.labels { tally.count("effects: \(label)", count) }
        for mirror in mirrors {
            try mirror.checkHashes()
            try mirror.checkWhereabouts()
            try mirror.checkSettled()
            try checkOutcomes(of: mirror)
        }
        // The rest is dear: one mirror in every third run, each in its turn.
        guard seed % 3 == 0 else { return }
        let mirror = mirrors[Int(seed / 3 % UInt64(mirrors.count))]
        try mirror.checkShown()
        try checkStructures(of: mirror)
        try mirror.checkFiles()
        let random = SeededRandom(seed: seed &* 31)
        for _ in 0..<12 { try mirror.previewAnything(known, random) }
    }

    /// Every change that was kept is accepted once or stranded once.
    private func checkOutcomes(of mirror: SimulatedMirror) throws {
        let ledger = mirror.ledger
        for id in ledger.kept.keys.sorted() {
            let seq = server.auditor.seqs[id]
            let isSetAside = ledger.stranded.contains(id) || ledger.left.contains(id)
            if let seq {
                guard !isSetAside else { throw Disagreement("\(id) is accepted and stranded") }
                if let position = ledger.accepted[id], position.seq != seq {
                    throw Disagreement("\(id) is accepted at \(position.seq) and at \(seq)")
                }
            } else {
                // A change that asked for what stood already leaves no commit.
                guard isSetAside != (ledger.accepted[id] != nil) else {
                    throw Disagreement("\(id) is neither accepted nor stranded, or both")
                }
            }
        }
    }

    /// The mirror has the server's state in every structure; places in the log are its own.
    private func checkStructures(of mirror: SimulatedMirror) throws {
        func lines(_ store: Store) -> [String] {
            store.read { reader in
                var lines: [String] = []
                for line in dump(reader.state) where !line.hasPrefix("record ") {
                    lines.append(line)
                }
                for tree in reader.state.allTrees {
                    _ = reader.state.scan(
                        tree,
                        after: nil,
                        prefix: nil,
                        .all,
                        at: .max,
                        entryCountMax: .max
                    ) { key, location in
                        reader.withEffect(at: location) { effect, commit in
                            lines.append(
                                "record \(tree.name) \(key) \(commit.seq) \(commit.changeID) "
                                    + "\(effect.state) \(effect.schema) \(effect.created) "
                                    + effect.value.text
                            )
                        }
                        return true
                    }
                }
                return lines
            }
        }
        guard mirror.identity.trees == nil else { return }
        try compare(lines(mirror.core.store), lines(server.store), "a mirror with its server")
    }
}

extension SimulatedMirror {
    /// Nothing of trees it does not hold is on its disks.
    func checkFiles() throws {
        guard identity.trees != nil else { return }
        for disk in [disk, outboxDisk] {
            for path in disk.paths where Stock.isMarked(disk.bytes(path) ?? []) {
                throw Disagreement("\(identity.device): \(path) tells of other trees")
            }
        }
    }

    /// How it stands, for a message.
    var standing: String {
        "\(core.status), at \(core.confirmedHead), \(core.outbox.pending.count) pending, "
            + "\(core.outbox.holds.count) holds, \(core.requests.count) asked, "
            + "borrows \(server.auditor.borrows(of: identity.device))"
    }
}
