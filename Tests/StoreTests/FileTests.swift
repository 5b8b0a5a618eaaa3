// Files: bytes before their record, who may name and read one, and when it goes.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct FileTests {
    private let anna = Caller(user: "anna", device: "PC-1")
    private let bert = Caller(user: "bert", device: "PC-2")
    private let parts: TreeName
    private let notes: TreeName
    private let week = Limits.fileMilliseconds

    init() throws {
        parts = try #require(TreeName("parts"))
        notes = try #require(TreeName("notes"))
    }

    private func open(_ disk: any Disk = SimulatedDisk()) throws -> StoreBench {
        let bench = try StoreBench(disk)
        bench.store.keepFiles()
        for tree in [parts, notes] {
            let definition = TreeDefinition(keys: .name, isVersioned: false)
            #expect(bench.submit([.defineTree(tree, definition)]).isAccepted)
        }
        bench.sync()
        return bench
    }

    /// Uploads bytes as a server does.
    @discardableResult
    private func upload(
        _ bench: StoreBench,
        _ content: [UInt8],
        by caller: Caller? = nil,
        rights: Rights? = nil
    ) throws -> (digest: Digest256, submission: Submission) {
        let caller = caller ?? anna
        let now = bench.time.wallMilliseconds()
        let turn = try bench.store.files.begin(nil, at: nil, now: now)
        try turn.append(content)
        let digest = try turn.finish()
        let record = FileRecord(
            digest: digest,
            size: UInt64(content.count),
            type: "text/plain",
            name: "a.txt",
            uploadedBy: caller.user,
            at: now
        )
        let submission = try bench.store.submit(
            turn.upload,
            as: record,
            Change(id: bench.id(), operations: []),
            by: caller,
            rights: rights
        )
        bench.sync()
        return (digest, submission)
    }

    private func reference(_ digest: Digest256) -> String {
        "{\"$file\":\"\(digest)\",\"size\":3,\"type\":\"text/plain\",\"name\":\"a.txt\"}"
    }

    private func put(
        _ bench: StoreBench,
        _ tree: TreeName,
        _ name: String,
        _ value: String,
        over version: Position? = nil,
        by caller: Caller? = nil,
        rights: Rights? = nil
    ) -> Submission {
        let write = WriteOperation(
            tree: tree,
            key: RecordKey(.name(Array(name.utf8))),
            expects: version.map { .version($0) } ?? .absent,
            value: Array(value.utf8)
        )
        let change = Change(id: bench.id(), operations: [.put(write)])
        defer { bench.sync() }
        return bench.store.submit(change, by: caller ?? anna, rights: rights)
    }

    private func mayRead(
        _ bench: StoreBench,
        _ digest: Digest256,
        _ caller: Caller,
        _ trees: Set<TreeName>
    ) throws -> Bool {
        let now = bench.time.wallMilliseconds()
        return try bench.store.read { reader in
            guard let file = try reader.state.file(digest) else { return false }
            return reader.state.mayRead(file, by: caller.user, seeing: trees, at: now)
        }
    }

    // MARK: Naming

    @Test("A value may name a file that is here, wherever in it, and no other one")
    func unknownFilesAreRefused() throws {
        let bench = try open()
        let (digest, submission) = try upload(bench, [1, 2, 3])
        #expect(submission.isAccepted)
        let other = SHA256.digest(ByteView("other"))
        let here = reference(digest)
        let missing = reference(other)
        for (name, value) in [
            ("a", here), ("b", "{\"photos\":[{\"deep\":\(here)}]}"),
            ("c", "{\"text\":\"$file\",\"price\":\"5 $\"}"),
        ] {
            #expect(put(bench, parts, name, value).isAccepted, "\(value)")
        }
        for (value, field) in [
            (missing, nil), ("{\"photos\":[\(here),{\"deep\":\(missing)}]}", "photos.1.deep"),
            // The same name, written with an escape.
            (missing.replacing("$file", with: "\\u0024file"), nil),
        ] as [(String, String?)] {
            guard case .refused(_, let refusal) = put(bench, parts, "x", value) else {
                Issue.record("accepted: \(value)")
                continue
            }
            #expect(refusal.code == .fileMissing)
            #expect(refusal.field == field)
        }
        for value in ["{\"$file\":1}", "{\"a\":{\"$file\":\"\(digest)x\"}}", "[{\"$file\":null}]"] {
            #expect(put(bench, parts, "x", value).refusal == .invalidField, "\(value)")
        }
    }

    @Test("Where no files are kept a value names any")
    func withoutFiles() throws {
        let bench = try open()
        try bench.reopen()
        let missing = reference(SHA256.digest(ByteView("other")))
        #expect(put(bench, parts, "a", missing).isAccepted)
        // What was named before counts as soon as there are files.
        bench.store.keepFiles()
        let (digest, _) = try upload(bench, Array("other".utf8))
        #expect(bench.store.read { $0.state.isNamed(digest) })
    }

    @Test("A schema that has no place for a file costs no search; one that has is searched")
    func schemasAreSearched() throws {
        let bench = try open()
        let (digest, _) = try upload(bench, [1])
        let tree = try #require(TreeName("typed"))
        let fields = [
            Field(name: "photo", type: .file, isOptional: true),
            Field(name: "more", type: .dictionary(.file), isOptional: true),
        ]
        let definition = TreeDefinition(
            keys: .name,
            isVersioned: false,
            schema: Descriptor(version: SchemaVersion(1, 0), fields: fields)
        )
        #expect(bench.submit([.defineTree(tree, definition)]).isAccepted)
        let missing = reference(SHA256.digest(ByteView("other")))
        #expect(put(bench, tree, "a", "{\"photo\":\(reference(digest))}").isAccepted)
        #expect(put(bench, tree, "b", "{\"photo\":\(missing)}").refusal == .fileMissing)
        #expect(put(bench, tree, "b", "{\"more\":{\"x\":\(missing)}}").refusal == .fileMissing)
    }

    @Test("Who may not know of a file cannot name it, and is told that it is not here")
    func rightsFollowTrees() throws {
        let bench = try open()
        let own = Rights(trees: [notes: [.write]])
        let (digest, _) = try upload(bench, [1, 2], by: anna)
        #expect(try !mayRead(bench, digest, bert, [notes]))
        let value = reference(digest)
        #expect(put(bench, notes, "a", value, by: bert, rights: own).refusal == .fileMissing)
        // Its uploader may, for a week.
        #expect(try mayRead(bench, digest, anna, [notes]))
        bench.time.advance(milliseconds: week)
        #expect(try !mayRead(bench, digest, anna, [notes]))
        // Whoever may read a record that names it.
        #expect(put(bench, parts, "a", value).isAccepted)
        #expect(try mayRead(bench, digest, bert, [parts]))
        #expect(try !mayRead(bench, digest, bert, [notes]))
        #expect(put(bench, notes, "a", value, by: bert, rights: own).refusal == .fileMissing)
        // Whoever has the bytes.
        let again = try upload(bench, [1, 2], by: bert, rights: own)
        #expect(again.submission.isAccepted)
        #expect(put(bench, notes, "a", value, by: bert, rights: own).isAccepted)
        let reader = Rights(trees: [notes: [.read]])
        #expect(try upload(bench, [3], by: bert, rights: reader).submission.refusal == .forbidden)
    }

    @Test("A file that is here is not added again")
    func uploadsAreIdempotent() throws {
        let bench = try open()
        let (digest, _) = try upload(bench, [1, 2])
        guard case .unchanged = try upload(bench, [1, 2]).submission else {
            Issue.record("added again")
            return
        }
        // After a day it stays for another week, unless something names it.
        bench.time.advance(milliseconds: 86_400_000)
        #expect(try upload(bench, [1, 2]).submission.isAccepted)
        #expect(put(bench, parts, "a", reference(digest)).isAccepted)
        bench.time.advance(milliseconds: week)
        guard case .unchanged = try upload(bench, [1, 2], by: bert).submission else {
            Issue.record("added again")
            return
        }
    }

    // MARK: Going

    @Test("A file goes when nothing has named it for a week, its bytes after its record")
    func unnamedFilesGo() throws {
        let disk = SimulatedDisk()
        let bench = try open(disk)
        let (digest, _) = try upload(bench, [1, 2, 3])
        let (kept, _) = try upload(bench, [4])
        #expect(put(bench, parts, "a", reference(kept)).isAccepted)
        bench.time.advance(milliseconds: week - 1)
        #expect(try bench.store.collectFiles() == 0)
        bench.time.advance(milliseconds: 1)
        #expect(try bench.store.collectFiles() == 1)
        // Not durable yet: the bytes stay.
        #expect(try bench.store.collectFiles() == 0)
        #expect(disk.bytes(FileStore.path(of: digest)) != nil)
        bench.sync()
        #expect(try bench.store.collectFiles() == 0)
        #expect(disk.bytes(FileStore.path(of: digest)) == nil)
        #expect(disk.bytes(FileStore.path(of: kept)) == [4])
        #expect(put(bench, parts, "b", reference(digest)).refusal == .fileMissing)
    }

    @Test("A file that is uploaded again before its bytes are gone stays")
    func uploadsWinOverCollections() throws {
        let disk = SimulatedDisk()
        let bench = try open(disk)
        let (digest, _) = try upload(bench, [1, 2, 3])
        bench.time.advance(milliseconds: week)
        #expect(try bench.store.collectFiles() == 1)
        #expect(try upload(bench, [1, 2, 3]).submission.isAccepted)
        _ = try bench.store.collectFiles()
        #expect(disk.bytes(FileStore.path(of: digest)) == [1, 2, 3])
    }

    @Test("A file stays as long as the log has a version that names it, also over an opening")
    func versionsKeepFiles() throws {
        for reopens in [false, true] {
            let bench = try open()
            let (digest, _) = try upload(bench, [1, 2, 3])
            let made = put(bench, parts, "a", reference(digest))
            #expect(put(bench, parts, "a", "{}", over: made.position).isAccepted)
            bench.time.advance(milliseconds: week)
            if reopens {
                try bench.store.checkpoint()
                try bench.reopen()
                bench.store.keepFiles()
            }
            #expect(try bench.store.collectFiles() == 0)
            for number in 0..<300 {
                #expect(put(bench, notes, "n\(number)", "\"\(number)\"").isAccepted)
            }
            try bench.store.compact()
            #expect(bench.store.read(\.oldest).seq > made.position.seq + 1)
            #expect(try bench.store.collectFiles() == 1)
        }
    }

    @Test("Who names which files is the same after an opening, of the log or of a checkpoint")
    func openingsAgree() throws {
        let bench = try open()
        // Before the first file a value may have anything under that name.
        let (first, _) = try upload(bench, [1])
        let (second, _) = try upload(bench, [2])
        let a = put(bench, parts, "a", "[\(reference(first)),\(reference(first))]")
        #expect(put(bench, notes, "a", reference(first)).isAccepted)
        let b = put(bench, notes, "b", reference(second))
        #expect(put(bench, parts, "a", reference(second), over: a.position).isAccepted)
        let key = RecordKey(.name(Array("b".utf8)))
        let delete = RecordOperation(tree: notes, key: key, expects: .version(b.position))
        #expect(bench.submit([.delete(delete)]).isAccepted)
        bench.sync()
        let lines = bench.store.read { $0.state.derivedFiles }
        #expect(lines == ["file \(second) parts 1", "file \(first) notes 1"].sorted())
        try bench.reopen()
        #expect(bench.store.read { $0.state.derivedFiles } == lines)
        try bench.store.checkpoint()
        try bench.reopen()
        #expect(bench.store.checkpointSeq != nil)
        #expect(bench.store.read { $0.state.derivedFiles } == lines)
    }

    // MARK: Uploads

    @Test("An upload that was cut goes on where it stands, in another process too")
    func uploadsAreResumed() throws {
        for reopens in [false, true] {
            let bench = try open()
            let content = [UInt8](repeating: 7, count: 600_000)
            let digest = content.withView { SHA256.digest($0) }
            let name = UploadName(digest, by: anna)
            let now = bench.time.wallMilliseconds()
            let first = try bench.store.files.begin(name, at: nil, now: now)
            try first.append(Array(content[0..<400_000]))
            if reopens {
                try bench.reopen()
                try bench.store.openFiles()
                try bench.store.removeUnrecordedFiles()
            }
            let files = bench.store.files
            #expect(try files.byteCount(of: name) == 400_000)
            #expect(try files.byteCount(of: UploadName(digest, by: bert)) == nil)
            #expect(throws: FileError.self) { try files.begin(name, at: 5, now: now) }
            let second = try files.begin(name, at: 400_000, now: now)
            if !reopens {
                #expect(throws: FileError.self) { try first.append([1]) }
            }
            try second.append(Array(content[400_000...]))
            #expect(try second.finish() == digest)
        }
    }

    @Test("What nobody goes on with is removed: unnamed uploads at once, others after a day")
    func oldUploadsGo() throws {
        let disk = SimulatedDisk()
        let bench = try open(disk)
        let now = bench.time.wallMilliseconds()
        let digest = SHA256.digest(ByteView("x"))
        func left() -> [String] { disk.paths.filter { $0.hasPrefix("files/uploads/") } }
        _ = try bench.store.files.begin(nil, at: nil, now: now).append([1])
        _ = try bench.store.files.begin(UploadName(digest, by: anna), at: nil, now: now).append([1])
        #expect(left().count == 2)
        try bench.reopen()
        try bench.store.openFiles()
        try bench.store.removeUnrecordedFiles()
        #expect(left().count == 1)
        bench.time.advance(milliseconds: Limits.uploadMilliseconds)
        _ = try bench.store.collectFiles()
        #expect(left().isEmpty)
    }

    @Test("Bytes without a record are removed at the next opening, those of records stay")
    func strayBytesGo() throws {
        let disk = SimulatedDisk()
        let bench = try open(disk)
        let (digest, _) = try upload(bench, [1])
        let stray = FileStore.path(of: SHA256.digest(ByteView("x")))
        disk.put(stray, [9])
        try disk.makeDirectory(parentDirectory(of: stray))
        try bench.store.openFiles()
        try bench.store.removeUnrecordedFiles()
        #expect(disk.bytes(stray) == nil)
        #expect(disk.bytes(FileStore.path(of: digest)) == [1])
    }

    @Test("A disk that fails at any operation of an upload leaves the file whole, or no record")
    func failuresLeaveNoHalf() throws {
        var outcomes: Set<Bool> = []
        for count in 0..<60 {
            let disk = SimulatedDisk()
            let bench = try open(disk)
            disk.halt(afterOperations: count)
            let digest = SHA256.digest(ByteView("abc"))
            do {
                try upload(bench, Array("abc".utf8))
            } catch {
                #expect(error is FileError)
            }
            for image in [disk.copy(), disk.crash(seed: UInt64(count))] {
                let after = try StoreBench(image)
                try after.store.openFiles()
                try after.store.removeUnrecordedFiles()
                let isKnown = after.store.hasFile(digest)
                let bytes = image.bytes(FileStore.path(of: digest))
                #expect(!isKnown || bytes == Array("abc".utf8), "after \(count) operations")
                #expect(isKnown || bytes == nil, "after \(count) operations")
                outcomes.insert(isKnown)
            }
        }
        #expect(outcomes == [true, false])
    }

    @Test("A disk without room refuses an upload before the log's own room is touched")
    func fullDisksRefuse() throws {
        let disk = SimulatedDisk()
        let bench = try open(disk)
        disk.limit(byteCount: disk.byteCount + Int(Limits.diskReserveByteCount) + 100)
        let now = bench.time.wallMilliseconds()
        let turn = try bench.store.files.begin(nil, at: nil, now: now)
        try turn.append([UInt8](repeating: 1, count: 100))
        let error = #expect(throws: FileError.self) { try turn.append([1]) }
        guard case .disk(let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.isFull)
        try bench.store.files.giveUp(turn.upload)
        #expect(!disk.paths.contains { $0.hasPrefix("files/uploads/") })
        #expect(put(bench, parts, "a", "{}").isAccepted)
    }
}
