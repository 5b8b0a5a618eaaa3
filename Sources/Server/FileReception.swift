// The body of an upload on its way to the disk.
//
// Invariants: at most one block is with the file thread and one gathers here, however long the body
// is; while both are full no input is read. What came before a connection broke is kept, so that
// the upload goes on from there.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// What a request says of the file it uploads.
struct FileOffer: Sendable {
    /// The digest in the path; nil lets the server name the file.
    let digest: Digest256?
    let type: String
    let name: String
    /// Which bytes of the file come; nil for all of it.
    let part: ContentRange?
    let change: Change
    let hasKey: Bool
    let caller: Caller
    let rights: Rights?
}

/// Takes the body of an upload.
final class FileReception: BodyConsumer {
    private let connection: Connection
    private let offer: FileOffer
    private let limit: Int
    private var block = ByteBuffer()
    /// Nil until the upload has begun.
    private var turn: UploadTurn?
    private var received = 0
    private var isBusy = true
    private var isComplete = false
    /// What is said once everything that came is removed.
    private var refusal: Refusal?
    private var isOver = false

    private var server: LoopServer { connection.server }
    private var route: Route { offer.digest == nil ? .files : .file }

    init(_ offer: FileOffer, _ connection: Connection) {
        self.connection = connection
        self.offer = offer
        limit = connection.server.configuration.fileByteCountMax
        let name = offer.digest.map { UploadName($0, by: offer.caller) }
        let offset = offer.part.flatMap { $0.range.lowerBound == 0 ? nil : $0.range.lowerBound }
        let (files, now) = (server.store.files, server.time.wallMilliseconds())
        run { () throws(FileError) in
            try files.begin(name, at: offset, now: now)
        } then: { reception, turn in
            reception.turn = turn
            if reception.refusal == nil { reception.goOn() } else { reception.remove(turn) }
        }
    }

    // MARK: Input

    func receive(_ bytes: ByteView) {
        guard !isOver, refusal == nil else { return }
        connection.stream.setDeadline(seconds: server.configuration.stallSeconds)
        received += bytes.count
        guard received <= limit else {
            return giveUp(Refusal(.tooLarge, "A file may have \(limit) bytes here."))
        }
        block.append(bytes)
        guard block.count >= Limits.fileBlockByteCount else { return }
        if isBusy { connection.wait(route) } else { write() }
    }

    func complete() {
        guard !isOver, refusal == nil else { return }
        isComplete = true
        connection.wait(route)
        if !isBusy { goOn() }
    }

    /// The connection has ended.
    func end() {
        guard !isOver else { return }
        isOver = true
        if !isBusy { leave() }
    }

    /// Keeps what came where somebody can go on from it.
    private func leave() {
        guard let turn, refusal == nil else { return }
        guard offer.digest != nil else {
            server.shared.fileThread.run(removal(of: turn))
            return
        }
        guard !block.isEmpty else { return }
        let bytes = block.array
        block = ByteBuffer()
        server.shared.fileThread.run {
            do throws(FileError) {
                try turn.append(bytes)
            } catch {
                // The upload stands where the last block ended.
            }
        }
    }

    // MARK: The file thread

    /// Runs a step on the file thread, then `next` on this loop.
    private func run<T: Sendable>(
        _ step: @escaping @Sendable () throws(FileError) -> T,
        then next: @escaping @Sendable (FileReception, T) -> Void
    ) {
        isBusy = true
        let bound = LoopBound(self, to: server.loop)
        let isTaken = server.shared.fileThread.run {
            let result = Result { () throws(FileError) in try step() }
            bound.execute { reception in
                reception.isBusy = false
                switch result {
                case .success(let value): next(reception, value)
                case .failure(let error): reception.fail(error)
                }
            }
        }
        // A server that stops ends its connections by itself.
        if !isTaken { isOver = true }
    }

    /// The thread is free for what gathered meanwhile.
    private func goOn() {
        guard let turn, refusal == nil else { return }
        if isOver { return leave() }
        if block.count >= Limits.fileBlockByteCount || isComplete && !block.isEmpty {
            write()
            if !isComplete { connection.goOn() }
        } else if isComplete {
            finish(turn)
        } else {
            connection.goOn()
        }
    }

    private func write() {
        guard let turn else { return }
        let bytes = block.array
        block.removeAll()
        run { () throws(FileError) in
            try turn.append(bytes)
        } then: { reception, _ in
            reception.goOn()
        }
    }

    private func finish(_ turn: UploadTurn) {
        let count = turn.upload.byteCount
        if let part = offer.part, part.range.upperBound < part.byteCount {
            isOver = true
            server.reply.reset()
            server.reply.status = .accepted
            server.reply.fields.appendField("upload-offset", decimal: count)
            return connection.answer()
        }
        let (store, offer, now) = (server.store, offer, server.time.wallMilliseconds())
        run { () throws(FileError) in
            let digest = try turn.finish()
            if let wanted = offer.digest, digest != wanted { throw .digest(digest) }
            let file = FileRecord(
                digest: digest,
                size: UInt64(count),
                type: offer.type,
                name: offer.name,
                uploadedBy: offer.caller.user,
                at: now
            )
            var change = offer.change
            if offer.hasKey { change.digest = Self.digest(change.digest, digest) }
            let answer = try store.submit(
                turn.upload,
                as: file,
                change,
                by: offer.caller,
                rights: offer.rights
            )
            return (file, answer)
        } then: { reception, made in
            guard !reception.isOver else { return }
            reception.isOver = true
            reception.server.answer(made.0, made.1)
            reception.connection.answer()
        }
    }

    /// What must be the same when a change id is used again: the request, and the bytes.
    private static func digest(_ request: Hash128, _ content: Digest256) -> Hash128 {
        var hasher = SHA256()
        hasher.update(request)
        content.bytes.withView { hasher.update($0) }
        return hasher.finishTruncated()
    }

    // MARK: Failing

    private func fail(_ error: FileError) {
        switch error {
        case .disk(let error) where error.isFull:
            giveUp(Refusal(.full, "The disk has no room for the file. Make some, then upload it."))
        case .disk(let error):
            server.shared.logger.log(.error, "files.failed", ["error": "\(error)"])
            giveUp(Refusal(.internalError, "The file cannot be written; the log says why."))
        case .offset(let count):
            fail(
                Refusal(.offsetMismatch, "The upload stands at \(count) bytes. Go on there."),
                offset: count
            )
        case .superseded:
            fail(
                Refusal(.offsetMismatch, "The same file is uploaded on another connection now.")
            )
        case .digest(let digest):
            giveUp(
                Refusal(
                    .hashMismatch,
                    "These bytes have the SHA-256 \(digest), not that of the path. Nothing was kept."
                )
            )
        }
    }

    private func fail(_ refusal: Refusal, offset: Int? = nil) {
        guard !isOver else { return }
        isOver = true
        block = ByteBuffer()
        server.render(refusal)
        if let offset { server.reply.fields.appendField("upload-offset", decimal: offset) }
        if isComplete {
            connection.wait(route)
            connection.answer()
        } else {
            connection.cut(route)
        }
    }

    /// Removes what came, then refuses: who reads that nothing was kept finds nothing.
    private func giveUp(_ refusal: Refusal) {
        guard !isBusy || turn != nil else {
            // The upload is being begun; that it is there, or is not, calls for this again.
            self.refusal = refusal
            return connection.wait(route)
        }
        guard let turn else { return fail(refusal) }
        guard self.refusal == nil else { return }
        self.refusal = refusal
        block = ByteBuffer()
        connection.wait(route)
        remove(turn)
    }

    private func remove(_ turn: UploadTurn) {
        let removal = removal(of: turn)
        run { () throws(FileError) in
            removal()
        } then: { reception, _ in
            if let refusal = reception.refusal { reception.fail(refusal) }
        }
    }

    private func removal(of turn: UploadTurn) -> @Sendable () -> Void {
        let (files, logger) = (server.store.files, server.shared.logger)
        return {
            do throws(FileError) {
                try files.giveUp(turn.upload)
            } catch {
                logger.log(.error, "files.failed", ["error": "\(error)"])
            }
        }
    }
}
