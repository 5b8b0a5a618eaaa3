// Where commits come from that a restore lost: a mirror's copy of the log, or any other whole one.
//
// It is read, never written; the mirror may be open meanwhile.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

/// A log that goes on where a restored database ends.
struct HealSource {
    private let path: String
    private let store: Store
    private let lineage: [EpochStart]
    /// The last commit it has.
    let head: Position

    /// Commits of about so many bytes are handed back at once.
    private static let pieceByteCount = 1 << 20

    /// Opens the copy that goes on where a database ends.
    ///
    /// - Parameters:
    ///   - path: A mirror's directory, or a database's.
    ///   - chart: The database.
    /// - Throws: What is wrong with it, and what to do; that there is none.
    init(_ path: String, for chart: Chart) throws(CommandFailure) {
        guard chart.restored != nil else {
            throw CommandFailure(
                .refused,
                "\(chart.name) is not healing: it was not restored, or that has ended"
            )
        }
        var failure: CommandFailure?
        for (path, disk) in try Self.copies(path) {
            do throws(CommandFailure) {
                try self.init(copy: path, disk, for: chart)
                return
            } catch {
                failure = failure ?? error
            }
        }
        throw failure
            ?? CommandFailure(
                .notFound,
                "\(path) holds no mirror and no database; give the directory a mirror is opened in"
            )
    }

    private init(
        copy path: String,
        _ disk: PosixDisk,
        for chart: Chart
    ) throws(CommandFailure) {
        self.path = path
        store = try Progress.telling("reading \(path)") { () throws(CommandFailure) in
            try DatabaseFolder(path).fold(disk)
        }
        lineage = store.lineage
        head = store.read(\.confirmedPosition)
        try check(chart)
    }

    /// The copies in a directory: itself, or those of a mirror, the newest first.
    private static func copies(
        _ path: String
    ) throws(CommandFailure) -> [(path: String, disk: PosixDisk)] {
        guard let disk = try DatabaseFolder(path).existing() else { return [] }
        do {
            if try CommitLog.isPresent(disk: disk) { return [(path, disk)] }
            let prefix = "copy."
            let numbers = try disk.names(in: "").filter { $0.hasPrefix(prefix) }
                .compactMap { UInt64($0.dropFirst(prefix.count)) }.sorted(by: >)
            var copies: [(String, PosixDisk)] = []
            for number in numbers {
                let own = "\(path)/\(prefix)\(number)"
                let disk = try PosixDisk(own)
                if try CommitLog.isPresent(disk: disk) { copies.append((own, disk)) }
            }
            return copies
        } catch {
            throw CommandFailure(.diskFailed, "cannot read \(path): \(error)")
        }
    }

    // MARK: Checks

    /// Whether it goes on where a database ends.
    private func check(_ chart: Chart) throws(CommandFailure) {
        func refusal(_ why: String, _ remedy: String = "") -> CommandFailure {
            CommandFailure(
                .refused,
                "\(path) \(why); \(remedy)take another mirror, or go on without by --discard"
            )
        }
        if case .mirror(.some(let trees)) = store.role {
            let names = trees.sorted().map(\.description).joined(separator: ", ")
            throw refusal("has some trees only (\(names)), and lacks what was done to others")
        }
        guard store.identity.databaseID == chart.databaseID else {
            throw refusal(
                "is of database \(store.identity.databaseID), \(chart.name) has \(chart.databaseID)"
            )
        }
        let last = chart.head
        // What was handed back before, and not ended, is ended now.
        let isBegun = head == last && last.seq > chart.restored?.seq ?? 0
        guard head.seq > last.seq || isBegun else {
            throw refusal("ends at \(head), \(chart.name) has all up to \(last)")
        }
        let (oldest, chain) = store.read { ($0.oldest.seq, $0.chain(atSeq: last.seq)) }
        guard lineage.agrees(with: chart.lineage, upTo: last.seq) else {
            throw refusal("is of another history, in other epochs up to \(last)")
        }
        guard oldest <= last.seq else {
            throw refusal(
                "has a log that begins after commit \(oldest), \(chart.name) ends at \(last)",
                "restore a later backup, "
            )
        }
        guard chain == chart.chain else {
            throw refusal("is of another history: its commit \(last.seq) is not that of \(last)")
        }
    }

    // MARK: Handing back

    /// Hands back what a database lacks.
    ///
    /// - Parameters:
    ///   - patient: The database.
    ///   - seq: The last commit it has.
    /// - Returns: How many commits went.
    /// - Throws: Why not; what went before stays there.
    func handBack(
        to patient: some Patient,
        after seq: UInt64
    ) throws(CommandFailure) -> UInt64 {
        var progress = Progress("commits handed back")
        let found = try read { () throws(CommitLogError) in
            try store.logReader().cursor(before: seq + 1)
        }
        guard var cursor = found else { return 0 }
        func next() throws(CommandFailure) -> Frame? {
            try read { () throws(CommitLogError) in try cursor.next() }
        }
        var last = seq
        var frame = try next()
        while frame != nil {
            var tail = HealingTail(lineage: lineage.known(upTo: head.seq), contents: [])
            var byteCount = 0
            while let one = frame {
                byteCount += one.content.count
                guard tail.contents.isEmpty || byteCount <= Self.pieceByteCount else { break }
                tail.contents.append(one.content.array)
                last = one.seq
                frame = try next()
            }
            if last == head.seq { tail.hashes = hashes }
            try send(tail, to: patient)
            progress.add(tail.contents.count)
        }
        return last - seq
    }

    private func read<T>(_ body: () throws(CommitLogError) -> T) throws(CommandFailure) -> T {
        do throws(CommitLogError) {
            return try body()
        } catch {
            throw CommandFailure(error, directory: path)
        }
    }

    private func send(_ tail: HealingTail, to patient: some Patient) throws(CommandFailure) {
        do throws(CommandFailure) {
            try patient.take(tail)
        } catch {
            guard error.code == .unreachable else { throw error }
            throw CommandFailure(
                .unreachable,
                error.message + "; run the same command again, and it goes on"
            )
        }
    }

    /// The set hashes of what it holds.
    private var hashes: [BlockName: Hash128] {
        var hashes: [BlockName: Hash128] = [:]
        for (block, hash) in store.read(\.confirmedHashes) where hash != .zero {
            hashes[block] = hash
        }
        return hashes
    }
}
