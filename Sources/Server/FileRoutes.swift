// Files: uploaded as they come, and given whole or in part. What they are named by is their bytes,
// so that nothing here ever changes.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    // MARK: Uploading

    /// What takes the body of an upload; nil for another request.
    func fileConsumer(
        for head: RequestHead,
        _ connection: Connection
    ) -> (any BodyConsumer)? {
        let prefix: StaticString = "/v1/files"
        guard head.method == .put || head.method == .post,
            head.target.count >= prefix.utf8CodeUnitCount,
            head.target[0..<prefix.utf8CodeUnitCount].equals(prefix),
            (try? target.parse(head.target)) != nil, !target.endsInSlash,
            let route = Route(target), route == (head.method == .put ? .file : .files)
        else { return nil }
        reply.reset()
        access = nil
        do throws(RequestRefusal) {
            try limit(connection, route)
            try checkHost(head)
            try checkDatabase(head)
            access = try authenticate(head, route)
            try limit(access)
            try Later.check(head, route)
            try Parameters.check(target, [])
            let call = try Call(head, body: .empty, route: route, access: access)
            let offer = try offer(call)
            guard let digest = offer.digest, let seq = try keptFile(digest, call.caller) else {
                return FileReception(offer, connection)
            }
            return AnsweredBody(connection, route, takesBody: !head.expectsContinue) { server in
                server.reply.reset()
                server.describeFile(digest, .ok)
                server.reply.waitsFor = seq
            }
        } catch {
            let refusal = error.refusal
            let isLong = (head.contentLength ?? .max) > Self.passedOverByteCountMax
            return AnsweredBody(
                connection,
                route,
                takesBody: !head.expectsContinue && !isLong
            ) { $0.render(refusal) }
        }
    }

    /// So much of a body is read for a reply that refuses it: the connection goes on after it.
    private static let passedOverByteCountMax = 1 << 20

    /// The commit of a file's record that need not be uploaded again; nil when it must be.
    private func keptFile(
        _ digest: Digest256,
        _ caller: Caller
    ) throws(RequestRefusal) -> UInt64? {
        let readable = access?.rights.readable
        guard let (record, seq) = try fileRecord(digest),
            store.read({
                $0.state.keeps(
                    record,
                    for: caller.user,
                    seeing: readable,
                    at: time.wallMilliseconds()
                )
            }), try openFile(digest) != nil
        else { return nil }
        return seq
    }

    /// What a request says of the file it uploads.
    private func offer(_ call: Call) throws(RequestRefusal) -> FileOffer {
        let digest = call.route == .file ? try fileDigest() : nil
        let limit = configuration.fileByteCountMax
        let part = try part(call, digest)
        guard max(part?.byteCount ?? 0, call.head.contentLength ?? 0) <= limit else {
            throw RequestRefusal(.tooLarge, "A file may have \(limit) bytes here.")
        }
        if let refusal = store.writeRefusal { throw RequestRefusal(refusal) }
        guard access?.rights.hasAnywhere(.write) ?? true else {
            throw RequestRefusal(.forbidden, "Files are uploaded by whoever may write a tree.")
        }
        let key = call.idempotencyKey
        return FileOffer(
            digest: digest,
            type: try type(call),
            name: try name(call),
            part: part,
            change: Change(
                id: key ?? newID(),
                digest: key == nil ? .zero : call.digest(target),
                why: call.why,
                operations: []
            ),
            hasKey: key != nil,
            caller: call.caller,
            rights: access?.rights
        )
    }

    private func part(
        _ call: Call,
        _ digest: Digest256?
    ) throws(RequestRefusal) -> ContentRange? {
        guard let value = try Call.single(call.head, "content-range") else { return nil }
        guard digest != nil, let part = ContentRange(value),
            part.range.count == call.head.contentLength
        else {
            throw RequestRefusal(
                .badHeader,
                "Content-Range is bytes FIRST-LAST/LENGTH of a file named by its SHA-256, and "
                    + "Content-Length says how many bytes come."
            )
        }
        return part
    }

    private func type(_ call: Call) throws(RequestRefusal) -> String {
        guard let value = try Call.single(call.head, "content-type") else {
            return "application/octet-stream"
        }
        guard MediaType(value) != nil, value.count <= Limits.fileNameByteCountMax,
            (0..<value.count).allSatisfy({ (32..<127).contains(value[$0]) })
        else {
            throw RequestRefusal(.badHeader, "Content-Type is a media type such as image/png.")
        }
        return value.text
    }

    private func name(_ call: Call) throws(RequestRefusal) -> String {
        let name = try Call.text(call.head, "holdfast-name", "")
        guard name.utf8.count <= Limits.fileNameByteCountMax else {
            throw RequestRefusal(
                .badHeader,
                "The name of a file may have \(Limits.fileNameByteCountMax) bytes."
            )
        }
        return name
    }

    /// Answers an upload that has ended.
    func answer(_ file: FileRecord, _ submission: Submission) {
        reply.reset()
        switch submission {
        case .refused(let position, let refusal): return refuse(refusal, position)
        case .unchanged:
            describeFile(file.digest, .ok)
        case .accepted:
            describeFile(file.digest, .created)
        case .replayed:
            describeFile(file.digest, .created)
            reply.fields.appendField("idempotency-replayed", "true")
        }
        reply.position = submission.position
        reply.waitsFor = submission.position.seq
    }

    /// The reference to a file, as a value may have it.
    private func describeFile(
        _ digest: Digest256,
        _ status: HTTPStatus
    ) {
        do throws(RequestRefusal) {
            guard let (record, _) = try fileRecord(digest) else { throw unknownFile(digest) }
            reply.status = status
            reply.fields.appendField("location", text: "/v1/files/\(digest)")
            reply.fields.appendField("etag", text: "\"\(digest)\"")
            reply.json()
            record.appendReference(to: &reply.body)
        } catch {
            render(error.refusal)
        }
    }

    // MARK: Reading

    /// GET of a file, whole or a range of it.
    func readFile(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, [])
        let digest = try fileDigest()
        let known = try fileRecord(digest)
        if let seq = known?.seq, seq > store.progress.durable {
            reply.retriesAfter = seq
            return nil
        }
        let now = time.wallMilliseconds()
        let readable = access?.rights.readable
        guard let file = known?.record,
            store.read({
                $0.state.mayRead(file, by: call.caller.user, seeing: readable, at: now)
            }), let content = try openFile(digest)
        else {
            render(unknownFile(digest).refusal)
            try appendOffset(digest, call.caller)
            return nil
        }
        return try give(file, content, call)
    }

    private func give(
        _ file: FileRecord,
        _ content: any DiskFile,
        _ call: Call
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        let byteCount = Int(file.size)
        let tag = Array(file.digest.description.utf8)
        let wanted = tag.withView { ByteRange(call.head, of: byteCount, tag: $0) }
        if wanted == .unsatisfiable {
            render(Refusal(.badRange, "The file has \(byteCount) bytes."))
            reply.fields.appendField("content-range", text: "bytes */\(byteCount)")
            return nil
        }
        reply.fields.appendField("etag", text: "\"\(file.digest)\"")
        reply.fields.appendField("cache-control", "private, max-age=31536000, immutable")
        if let condition = try readCondition(call.head),
            tag.withView({ condition.matchesWeakly($0) })
        {
            reply.status = .notModified
            return nil
        }
        reply.fields.appendField("accept-ranges", "bytes")
        reply.fields.appendField("content-type", text: file.type)
        appendSafety(file)
        guard case .part(let range) = wanted else {
            return FileBytes(content, 0..<byteCount, shared.logger)
        }
        reply.status = .partialContent
        reply.fields.appendField(
            "content-range",
            text: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)"
        )
        return FileBytes(content, range, shared.logger)
    }

    /// What keeps a file from acting in this server's name: whatever somebody uploaded, a browser
    /// takes it for what it is said to be, runs nothing of it, and shows in place only what cannot
    /// do anything.
    private func appendSafety(_ file: FileRecord) {
        reply.fields.appendField("x-content-type-options", "nosniff")
        reply.fields.appendField("content-security-policy", "default-src 'none'; sandbox")
        reply.fields.appendField("cross-origin-resource-policy", "same-origin")
        let essence = file.type.prefix { $0 != ";" && $0 != " " }.lowercased()
        let kind = Self.shownTypes.contains(essence) ? "inline" : "attachment"
        reply.fields.append("content-disposition: ")
        reply.fields.append(text: kind)
        if !file.name.isEmpty {
            // A name is no path, whoever saves it.
            let name = file.name.unicodeScalars.map { scalar -> Character in
                scalar == "/" || scalar == "\\" ? "_" : Character(scalar)
            }
            let isPlain = { (character: Character) in
                character.isASCII && character != "\"" && character != "%"
            }
            reply.fields.append("; filename=\"")
            reply.fields.append(text: String(name.map { isPlain($0) ? $0 : "_" }))
            reply.fields.append("\"; filename*=UTF-8''")
            Array(String(name).utf8).withView { reply.fields.append(percentEncoded: $0) }
        }
        reply.fields.append("\r\n")
    }

    private static let shownTypes: Set = [
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain",
        "audio/mpeg", "audio/ogg", "audio/wav", "video/mp4", "video/webm", "video/ogg",
    ]

    /// How far the caller's own upload has come, if there is one.
    private func appendOffset(
        _ digest: Digest256,
        _ caller: Caller
    ) throws(RequestRefusal) {
        do throws(DiskError) {
            let count = try store.files.byteCount(of: UploadName(digest, by: caller))
            if let count { reply.fields.appendField("upload-offset", decimal: count) }
        } catch {
            throw unreadable(error)
        }
    }

    // MARK: Looking up

    private func fileDigest() throws(RequestRefusal) -> Digest256 {
        let name = target.segment(2)
        guard let digest = Digest256(name) else {
            throw RequestRefusal(.badParameter, "\(name.text) is no SHA-256 in lower case.")
        }
        return digest
    }

    private func unknownFile(_ digest: Digest256) -> RequestRefusal {
        RequestRefusal(.unknownFile, "There is no file \(digest).")
    }

    /// A file's record and the commit that made it; nil when there is none.
    private func fileRecord(
        _ digest: Digest256
    ) throws(RequestRefusal) -> (record: FileRecord, seq: UInt64)? {
        do throws(ApplyError) {
            return try store.read { (reader) throws(ApplyError) in
                let key = FileRecord.key(of: digest)
                guard let record = try reader.state.file(digest),
                    let tree = reader.state.tree(.files),
                    let location = reader.state.location(tree, key)
                else { return nil }
                return (record, reader.withEffect(at: location) { $1.seq })
            }
        } catch {
            shared.logger.log(.error, "files.unreadable", ["error": "\(error)"])
            throw RequestRefusal(.internalError, "A file cannot be read by this version.")
        }
    }

    private func openFile(_ digest: Digest256) throws(RequestRefusal) -> (any DiskFile)? {
        do throws(DiskError) {
            return try store.files.open(digest)
        } catch {
            throw unreadable(error)
        }
    }

    private func unreadable(_ error: DiskError) -> RequestRefusal {
        shared.logger.log(.error, "files.unreadable", ["error": "\(error)"])
        return RequestRefusal(.internalError, "The file cannot be read; the log says why.")
    }
}

/// Bytes of a file, as fast as the client takes them.
private final class FileBytes: BodyProducer {
    private let content: any DiskFile
    private var range: Range<Int>
    private let logger: Logger
    let byteCount: Int?

    init(_ content: any DiskFile, _ range: Range<Int>, _ logger: Logger) {
        self.content = content
        self.range = range
        self.logger = logger
        byteCount = range.count
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        guard !range.isEmpty else { return .complete }
        let count = min(range.count, Limits.outputByteCountHigh / 4)
        do throws(DiskError) {
            let bytes = try content.read(count, at: range.lowerBound)
            guard bytes.count == count else {
                logger.log(.error, "files.unreadable", ["error": "a file is cut"])
                return .failed
            }
            out.append(bytes)
        } catch {
            logger.log(.error, "files.unreadable", ["error": "\(error)"])
            return .failed
        }
        range = range.lowerBound + count..<range.upperBound
        return range.isEmpty ? .complete : .more
    }

    func end() {}
}
