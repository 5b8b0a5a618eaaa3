// Files that were attached on this device and that the server may not have: their contents lie
// beside the outbox, what is known of them stands among its facts.
//
// Invariants:
// - a content is durable before its fact is, and its fact before anything names it;
// - a fact stays until the server has had the file for so long that a change which names it would
//   be too late, and longer while a pending change names it: a server that lost the file gets it
//   again.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// A file that was attached here.
struct StagedFile: Hashable, Sendable {
    /// Unit: bytes.
    var size: UInt64
    var type: String
    var name: String
    /// When it was attached, in milliseconds since 1970.
    var at: Int64
    /// Whether the server has taken it.
    var isUploaded = false

    /// Shape: `{"size","type","name","at","uploaded"}`.
    var json: [UInt8] {
        var buffer = ByteBuffer()
        buffer.append(text: "{\"size\":\(size),\"type\":")
        buffer.appendJSONString(type)
        buffer.append(",\"name\":")
        buffer.appendJSONString(name)
        buffer.append(",\"at\":\"")
        Timestamp.append(milliseconds: at, to: &buffer)
        buffer.append(text: "\",\"uploaded\":\(isUploaded)}")
        return buffer.array
    }

    init(size: UInt64, type: String, name: String, at: Int64) {
        self.size = size
        self.type = type
        self.name = name
        self.at = at
    }

    init(_ document: ByteView) throws(FormError) {
        var reader = FormReader(document, isStrict: true)
        let start = try reader.enterObject()
        var (size, type, name): (UInt64?, String?, String?) = (nil, nil, nil)
        var (at, isUploaded): (Int64?, Bool?) = (nil, nil)
        while let member = try reader.nextMember() {
            switch member {
            case "size": size = try reader.integer(0...Limits.numberMax)
            case "type": type = try reader.text()
            case "name": name = try reader.text()
            case "at": at = try reader.time()
            case "uploaded": isUploaded = try reader.bool()
            default: try reader.unknownMember()
            }
        }
        try reader.expectEnd()
        self.init(
            size: try reader.required(size, "size", at: start),
            type: try reader.required(type, "type", at: start),
            name: try reader.required(name, "name", at: start),
            at: try reader.required(at, "at", at: start)
        )
        self.isUploaded = try reader.required(isUploaded, "uploaded", at: start)
    }
}

extension Outbox {
    private static let filePrefix = "file."

    /// The digest a fact is about; nil for another fact.
    static func fileDigest(ofFact name: String) -> Digest256? {
        guard name.hasPrefix(filePrefix) else { return nil }
        return Array(name.dropFirst(filePrefix.count).utf8).withView { Digest256($0) }
    }

    /// What was attached here and is remembered.
    var stagedFiles: [Digest256: StagedFile] { state.withLock(\.files) }

    /// Whether a change without an outcome names a file.
    func isUsing(file digest: Digest256) -> Bool {
        state.withLock { $0.queue.isUsing(file: digest) }
    }

    /// Remembers a file, or how it stands with it.
    ///
    /// - Throws: `full`, `poisoned`.
    func stage(_ digest: Digest256, _ file: StagedFile) throws(MirrorError) {
        try state.withLock { (state) throws(MirrorError) in
            guard state.files[digest] != file else { return }
            try commit([set(.facts, Self.filePrefix + digest.description, file.json)])
            state.files[digest] = file
        }
    }

    /// Forgets files.
    ///
    /// - Throws: `full`, `poisoned`.
    func unstage(_ digests: [Digest256]) throws(MirrorError) {
        try state.withLock { (state) throws(MirrorError) in
            let known = digests.filter { state.files[$0] != nil }
            guard !known.isEmpty else { return }
            try commit(known.map { remove(.facts, Self.filePrefix + $0.description) })
            for digest in known { state.files[digest] = nil }
        }
    }

    /// Files that are remembered for nothing any more.
    ///
    /// - Parameter now: The clock, in milliseconds since 1970.
    /// - Returns: Their digests.
    func oldFiles(at now: Int64) -> [Digest256] {
        state.withLock { state in
            state.files.filter { digest, file in
                file.isUploaded && file.at + Limits.fileMilliseconds < now
                    && !state.queue.isUsing(file: digest)
            }.map(\.key)
        }
    }
}

extension Change {
    /// The files its values name.
    var files: Set<Digest256> {
        var digests: Set<Digest256> = []
        for operation in operations {
            switch operation {
            case .put(let write), .patch(let write):
                digests.formUnion(write.value.withView { FileNames(in: $0).digests })
            default: continue
            }
        }
        return digests
    }
}
