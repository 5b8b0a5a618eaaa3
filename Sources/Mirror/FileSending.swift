// Brings a file's content to the server: a block after the other, going on where it was cut.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// The way of one file to the server.
///
/// Confined to its owner.
final class FileSending: FileErrand {
    private(set) var outcome: FileOutcome?
    private let digest: Digest256
    private let file: StagedFile
    private let content: (any DiskFile)?
    /// Where the server's part of it ends; nil before it was asked.
    private var offset: Int?
    /// How often the server meant to be elsewhere.
    private var moveCount = 0

    /// Begins; what the server has of it already is not sent again.
    ///
    /// - Parameters:
    ///   - digest: Which file.
    ///   - file: What is known of it.
    ///   - content: Its bytes; nil when somebody took them away.
    init(_ digest: Digest256, _ file: StagedFile, _ content: (any DiskFile)?) {
        self.digest = digest
        self.file = file
        self.content = content
        guard content == nil else { return }
        outcome = .refused(
            Refusal(.fileMissing, "The content of file \(digest) is not on this device any more.")
        )
    }

    private var path: String { "/v1/files/\(digest)" }
    private var size: Int { Int(file.size) }

    func next() throws -> LinkRequest? {
        guard outcome == nil, let content else { return nil }
        guard let offset else { return LinkRequest(path: path, range: 0..<1) }
        let body: [UInt8]
        do throws(DiskError) {
            body = try content.read(min(FileFetch.pieceByteCount, size - offset), at: offset)
        } catch {
            outcome = .failed(.disk(error))
            return nil
        }
        var fields = ByteBuffer()
        fields.appendField("content-type", text: file.type)
        if !file.name.isEmpty {
            fields.append("holdfast-name: ")
            Array(file.name.utf8).withView { PercentEncoding.append($0, to: &fields) }
            fields.append("\r\n")
        }
        if size > 0 {
            let last = offset + body.count - 1
            fields.appendField("content-range", text: "bytes \(offset)-\(last)/\(size)")
        }
        return LinkRequest(method: "PUT", path: path, fields: fields.array, body: body)
    }

    func take(_ response: Response) throws {
        guard offset != nil else {
            switch response.status {
            // Whether it stays for long enough is told when it is sent.
            case 200, 206, 416: offset = 0
            case 404: offset = try uploadOffset(response) ?? 0
            default: outcome = .refused(try FileVerdict.refusal(response))
            }
            return
        }
        switch response.status {
        case 200, 201: outcome = .done
        case 202: offset = try uploadOffset(response)
        case 409:
            moveCount += 1
            guard moveCount <= Self.moveCountMax, let there = try uploadOffset(response) else {
                outcome = .refused(try FileVerdict.refusal(response))
                return
            }
            offset = there
        default: outcome = .refused(try FileVerdict.refusal(response))
        }
    }

    private static let moveCountMax = 8

    /// Where the server says it goes on; nil when it does not.
    private func uploadOffset(_ response: Response) throws -> Int? {
        guard let text = try response.single("upload-offset") else { return nil }
        guard let offset = Int(text), (0..<max(1, size)).contains(offset) else {
            throw LinkEnd.garbled("an upload stands where no byte of the file is.")
        }
        return offset
    }
}
