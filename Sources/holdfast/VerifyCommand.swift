// `holdfast verify`: reads every byte of a database, beside a live server too, and changes nothing.
//
// Passes: every frame's checksum and the batch marks; every block's hash and the chain over all
// commits; the checkpoint's parts, where there is one; the fold into a state, as the server would
// make it.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// The check of a database.
enum VerifyCommand {
    static let command = Command(
        name: "verify",
        summary: "Checks every commit of a database, to the last byte. Changes nothing.",
        positionals: [],
        flags: [Flag("data", .text, "DIR", environment: true, "directory of the database")],
        notes: """
            Works beside a live server, and where nothing may be written. The report goes to standard output; damage is told on standard
            error with file and offset, and ends with exit code 65.
            """,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let folder = DatabaseFolder(try arguments.required("data"))
        let disk = try folder.existingDisk()
        // What fails because a compaction removes a file meanwhile is looked at again.
        let outcome = Result { () throws(Stop) in
            try CommitLog.lookingAgain(disk) { () throws(Stop) in try check(folder, disk) }
        }
        switch outcome {
        case .success(let text): try Console.print(text)
        case .failure(let stop):
            if !stop.text.isEmpty { try Console.print(stop.text) }
            throw stop.failure
        }
    }

    /// Why a pass ended, and what it had to report until then.
    private struct Stop: Error {
        let text: String
        let failure: CommandFailure
    }

    /// One pass over everything.
    private static func check(_ folder: DatabaseFolder, _ disk: PosixDisk) throws(Stop) -> String {
        var text = ""
        do throws(CommandFailure) {
            try check(folder, disk, &text)
        } catch {
            throw Stop(text: text, failure: error)
        }
        return text
    }

    private static func check(
        _ folder: DatabaseFolder,
        _ disk: PosixDisk,
        _ text: inout String
    ) throws(CommandFailure) {
        var chain = ChainCheck()
        var progress = Progress("commits read")
        let report: LogReport
        do {
            report = try CommitLog.verify(disk: disk) { frame in
                chain.check(frame)
                progress.step()
            }
        } catch let error as CommitLogError {
            throw CommandFailure(error, directory: folder.path)
        } catch {
            throw CommandFailure(.diskFailed, "\(folder.path): \(error)")
        }
        chain.finish(before: report.oldest, report.chainBeforeOldest)
        text += describe(report, chain)
        try refuseDamage(report, chain, folder, disk)
        if let checkpoint = try checkedCheckpoint(folder, disk) {
            let manifest = checkpoint.manifest
            let parts = "of commit \(manifest.seq), in \(manifest.parts.count) parts"
            text += line("checkpoint", parts)
        }
        let store = try folder.fold(disk)
        text += describe(store)
        text += try describeFiles(store, folder, disk) + "whole\n"
    }

    /// Every byte of every file that has a record.
    private static func describeFiles(
        _ store: Store,
        _ folder: DatabaseFolder,
        _ disk: PosixDisk
    ) throws(CommandFailure) -> String {
        var progress = Progress("bytes of files read")
        var byteCount = 0
        let digests = store.fileDigests()
        for digest in digests {
            do throws(CommitLogError) {
                if let count = try store.files.verify(digest) {
                    byteCount += count
                    progress.add(count)
                    continue
                }
            } catch {
                throw CommandFailure(error, directory: folder.path)
            }
            // A server may have taken it away meanwhile, its record first.
            guard try folder.fold(disk).hasFile(digest) else { continue }
            throw CommandFailure(
                .damaged,
                "\(folder.path): \(FileStore.path(of: digest)) is missing; upload the file again, "
                    + "or copy it there from a backup"
            )
        }
        return digests.isEmpty ? "" : line("files", "\(digests.count), \(byteCount) bytes")
    }

    /// Every byte of the checkpoint.
    private static func checkedCheckpoint(
        _ folder: DatabaseFolder,
        _ disk: PosixDisk
    ) throws(CommandFailure) -> Checkpoint? {
        do throws(CommitLogError) {
            let checkpoint = try Checkpoint.newest(on: disk)
            try checkpoint?.verify()
            return checkpoint
        } catch {
            throw CommandFailure(error, directory: folder.path)
        }
    }

    private static func describe(_ report: LogReport, _ chain: ChainCheck) -> String {
        let commits =
            report.commitCount == 0 ? "none" : "\(report.oldest) to \(report.head)"
        var text = line("database", "\(report.identity.databaseID)")
        text += line("application", report.identity.application)
        text += line("epoch", "\(report.identity.epoch)")
        text += line("commits", commits)
        text += line("bytes", "\(report.byteCount) in \(report.segmentCount) segments")
        text += line("chain", "\(chain.last)")
        text += line("closed", report.wasClean ? "in order" : "not; a server runs, or was killed")
        if report.tailByteCount > 0 {
            text += line("tail", "\(report.tailByteCount) bytes that the next start will cut")
        }
        return text
    }

    private static func describe(_ store: Store) -> String {
        store.read { reader in
            var text = line("folded to", "\(reader.state.position)")
            for tree in reader.state.allTrees where !tree.name.isSystem || tree.count > 0 {
                text += line("tree", "\(tree.name): \(tree.count) records")
            }
            for (block, hash) in reader.state.hashes where hash != .zero {
                text += line("hash", "\(hash) \(block)")
            }
            return text
        }
    }

    private static func line(_ name: String, _ value: String) -> String {
        pad(name, 13) + value + "\n"
    }

    private static func refuseDamage(
        _ report: LogReport,
        _ chain: ChainCheck,
        _ folder: DatabaseFolder,
        _ disk: PosixDisk
    ) throws(CommandFailure) {
        var lines = report.damages.map(\.description)
        if let (seq, offset, error) = chain.failure {
            lines.append(place(of: offset, disk) + "commit \(seq): \(error)")
        }
        guard !lines.isEmpty else { return }
        lines.append(
            "keep a copy of \(folder.path) before anything else is tried; `holdfast salvage` copies "
                + "out what is whole"
        )
        throw CommandFailure(.damaged, lines.joined(separator: "\n"))
    }

    /// Names the file and the byte of a logical offset.
    private static func place(of offset: UInt64, _ disk: PosixDisk) -> String {
        do throws(CommitLogError) {
            let (file, byte) = try LogReader.open(disk: disk).place(ofOffset: offset)
            return "damaged: \(file) at byte \(byte): "
        } catch {
            // What keeps the log from being opened is in the report already.
            return "damaged: "
        }
    }
}

/// Follows the chain over the commits of a log; after a gap it begins anew.
private struct ChainCheck {
    /// Chain after the last commit seen.
    private(set) var last = Hash128.zero
    /// The first commit whose hashes do not fit, and where its frame lies.
    private(set) var failure: (seq: UInt64, offset: UInt64, error: ContentError)?
    private var nextSeq: UInt64 = 0
    // The chain before the oldest commit is told at the end only.
    private var oldest: (seq: UInt64, offset: UInt64, content: [UInt8])?

    mutating func check(_ frame: Frame) {
        do throws(ContentError) {
            let commit = try CommitView(frame.content)
            if frame.seq == nextSeq {
                try commit.verify(after: last)
            } else if oldest == nil {
                oldest = (frame.seq, frame.offset, frame.content.array)
            }
            last = commit.chain
        } catch {
            note(frame.seq, frame.offset, error)
        }
        nextSeq = frame.seq + 1
    }

    /// Checks the oldest commit against what its segment says stood before it.
    mutating func finish(before seq: UInt64, _ chain: Hash128) {
        guard let oldest, oldest.seq == seq else { return }
        let found: ContentError? = oldest.content.withView { content in
            do throws(ContentError) {
                try CommitView(content).verify(after: chain)
                return nil
            } catch {
                return error
            }
        }
        if let found {
            failure = nil
            note(oldest.seq, oldest.offset, found)
        }
    }

    private mutating func note(_ seq: UInt64, _ offset: UInt64, _ error: ContentError) {
        if failure == nil { failure = (seq, offset, error) }
    }
}
