// References to attachments.
internal import HoldfastRecords

/// A reference to a file, as it stands inside a value.
///
/// Shape: `{"$file":"<sha256>","size":12,"type":"image/png","name":"a.png"}`. The bytes are not
/// part of the record: a file is known by the digest of its content.
public struct FileRef: Codable, Hashable, Sendable {
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    public var sha256: String
    /// Length of the content in bytes.
    public var size: UInt64
    /// Its media type.
    public var type: String
    /// The name it was given.
    public var name: String

    /// Refers to a file.
    public init(sha256: String, size: UInt64, type: String, name: String) {
        self.sha256 = sha256
        self.size = size
        self.type = type
        self.name = name
    }

    /// Names of the members.
    private enum CodingKeys: String, CodingKey {
        case sha256 = "$file"
        case size, type, name
    }
}

extension FileRef: RecordingForm {
    static func record(_ recorder: SchemaRecorder) throws -> Any {
        let samples = ["1", "2"].map { digit in
            let digest = String(repeating: digit, count: 64)
            return Sample(
                value: FileRef(sha256: digest, size: 1, type: "text/plain", name: digit),
                json: Array(
                    (#"{"$file":"\#(digest)","size":1,"type":"text/plain","name":"\#(digit)"}"#)
                        .utf8
                )
            )
        }
        return Recording<FileRef>(type: .file, shape: .plain, samples: samples)
    }
}
