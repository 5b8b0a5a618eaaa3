// The values of `_files`: what is known of a file besides its bytes, which are named by its key.
public import HoldfastBasics
internal import HoldfastJSONCoding

/// A record of `_files`: a file whose bytes are here.
public struct FileRecord: Hashable, Sendable {
    /// SHA-256 of its bytes; the record's key, not part of its value.
    public var digest: Digest256
    /// Its length in bytes.
    public var size: UInt64
    /// Its media type.
    public var type: String
    /// The name it was given; may be empty.
    public var name: String
    /// The user who uploaded it last.
    public var uploadedBy: String
    /// When that was, in milliseconds since 1970.
    public var at: Int64

    /// Describes a file.
    public init(
        digest: Digest256,
        size: UInt64,
        type: String,
        name: String,
        uploadedBy: String,
        at: Int64
    ) {
        self.digest = digest
        self.size = size
        self.type = type
        self.name = name
        self.uploadedBy = uploadedBy
        self.at = at
    }

    /// The key of a file's record: its digest in hexadecimal digits.
    public static func key(of digest: Digest256) -> RecordKey {
        RecordKey(.name(Array(digest.description.utf8)))
    }

    /// Whether its uploader may still name and read it without a record that names it.
    ///
    /// - Parameters:
    ///   - user: Who asks.
    ///   - now: The clock, in milliseconds since 1970.
    /// - Returns: Whether it may.
    public func isFresh(of user: String, at now: Int64) -> Bool {
        user == uploadedBy && now < at + Limits.fileMilliseconds
    }
}

extension FileRecord {
    /// Reads a record of `_files`.
    ///
    /// - Parameters:
    ///   - key: The record's key: the digest.
    ///   - document: The record's value.
    /// - Throws: What does not fit, with its path.
    public init(key: RecordKey, json document: ByteView) throws(FormError) {
        guard case .name(let name) = key.id, let digest = name.withView({ Digest256($0) }) else {
            throw .unfit(path: "", expected: "a SHA-256 as the record's key")
        }
        var reader = FormReader(document, isStrict: false)
        let start = try reader.enterObject()
        var size: UInt64?
        var type: String?
        var fileName: String?
        var uploadedBy: String?
        var at: Int64?
        while let name = try reader.nextMember() {
            switch name {
            case "size": size = try reader.integer(0...Limits.numberMax)
            case "type": type = try reader.text()
            case "name": fileName = try reader.text()
            case "uploadedBy": uploadedBy = try reader.text()
            case "at": at = try reader.time()
            default: try reader.unknownMember()
            }
        }
        try reader.expectEnd()
        self.init(
            digest: digest,
            size: try reader.required(size, "size", at: start),
            type: try reader.required(type, "type", at: start),
            name: try reader.required(fileName, "name", at: start),
            uploadedBy: try reader.required(uploadedBy, "uploadedBy", at: start),
            at: try reader.required(at, "at", at: start)
        )
    }

    /// Why a file cannot have a type or a name; nil when it can.
    ///
    /// Source: RFC 9110, sections 5.6.2 and 8.3.1.
    public static func refusal(type: String, name: String) -> Refusal? {
        let essence = type.utf8.prefix { $0 != UInt8(ascii: ";") }
        let parts = essence.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isType =
            type.utf8.count <= Limits.fileNameByteCountMax && parts.count == 2
            && type.utf8.allSatisfy { (32..<127).contains($0) }
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.allSatisfy { byte in
                        (33..<127).contains(byte) && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
                    }
            }
        guard isType else {
            return Refusal(.badHeader, "'\(type)' is no media type such as image/png.")
        }
        guard name.utf8.count <= Limits.fileNameByteCountMax else {
            let limit = Limits.fileNameByteCountMax
            return Refusal(.badHeader, "The name of a file may have \(limit) bytes.")
        }
        return nil
    }

    /// The record's value as normalised JSON: `{"size","type","name","uploadedBy","at"}`.
    public var json: [UInt8] {
        var buffer = ByteBuffer(capacity: 256)
        buffer.append("{")
        appendFacts(to: &buffer)
        buffer.append(",\"uploadedBy\":")
        buffer.appendJSONString(uploadedBy)
        buffer.append(",\"at\":\"")
        Timestamp.append(milliseconds: at, to: &buffer)
        buffer.append("\"}")
        return buffer.array
    }

    /// Appends a reference to it, as it stands inside values.
    ///
    /// Shape: `{"$file":"<sha256>","size":12,"type":"image/png","name":"a.png"}`.
    public func appendReference(to buffer: inout ByteBuffer) {
        buffer.append("{\"$file\":\"")
        buffer.append(text: digest.description)
        buffer.append("\",")
        appendFacts(to: &buffer)
        buffer.append("}")
    }

    private func appendFacts(to buffer: inout ByteBuffer) {
        buffer.append("\"size\":")
        buffer.append(decimal: size)
        buffer.append(",\"type\":")
        buffer.appendJSONString(type)
        buffer.append(",\"name\":")
        buffer.appendJSONString(name)
    }
}
