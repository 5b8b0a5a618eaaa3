// What comes of every reply a server can give to a file on its way.
import HoldfastBasics
import HoldfastHTTP
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import Holdfast
@testable import HoldfastHTTP

@Suite struct FileErrandTests {
    private let content = Array("the content of a file".utf8)
    private var digest: Digest256 { content.withView { SHA256.digest($0) } }
    private let caller = Caller(user: "anna", device: "pc")

    private func reply(
        _ status: Int,
        _ body: [UInt8] = [],
        _ fields: [(String, String)] = []
    ) -> Response {
        Response(
            status: status,
            fields: fields.map { (Array($0.0.utf8), Array($0.1.utf8)) },
            body: body
        )
    }

    private func problem(_ status: Int, _ code: String) -> Response {
        reply(
            status,
            Array(
                ("{\"type\":\"t\",\"title\":\"t\",\"status\":\(status),\"code\":\"\(code)\","
                    + "\"detail\":\"d\"}").utf8
            )
        )
    }

    private func part(_ range: Range<Int>, of count: Int? = nil) -> Response {
        let text = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(count ?? content.count)"
        return reply(206, Array(content[range]), [("Content-Range", text)])
    }

    private func word(_ outcome: FileOutcome?) -> String {
        switch outcome {
        case .done: "done"
        case .refused(let refusal): refusal.code.rawValue
        case .failed(let error): "\(error)"
        case nil: "none"
        }
    }

    // MARK: From the server

    @Test("A content comes in parts, and stands when its digest is right")
    func fetches() throws {
        let disk = SimulatedDisk()
        let files = FileStore(disk)
        let fetch = try FileFetch(digest, into: files, by: caller, now: 0)
        #expect(fetch.next()?.range == 0..<FileFetch.pieceByteCount)
        try fetch.take(part(0..<5))
        #expect(fetch.next()?.range?.lowerBound == 5)
        #expect(try files.open(digest) == nil)
        // The process ends; another one goes on where it was.
        let later = FileStore(disk)
        try later.findUploads(at: 1)
        let rest = try FileFetch(digest, into: later, by: caller, now: 1)
        #expect(rest.next()?.range?.lowerBound == 5)
        try rest.take(part(5..<content.count))
        #expect(word(rest.outcome) == "done" && rest.next() == nil)
        #expect(try later.open(digest)?.read(100, at: 0) == content)
    }

    @Test("All of it at once, nothing behind what is here, and empty files are taken too")
    func whole() throws {
        let files = FileStore(SimulatedDisk())
        let fetch = try FileFetch(digest, into: files, by: caller, now: 0)
        try fetch.take(reply(200, content))
        #expect(word(fetch.outcome) == "done")
        let nothing: [UInt8] = []
        let empty = nothing.withView { SHA256.digest($0) }
        let none = try FileFetch(empty, into: files, by: caller, now: 0)
        try none.take(reply(416))
        #expect(word(none.outcome) == "done")
        #expect(try files.open(empty)?.size() == 0)
    }

    @Test("Other bytes than the name says are refused, and nothing of them stays")
    func otherBytes() throws {
        let disk = SimulatedDisk()
        let files = FileStore(disk)
        let fetch = try FileFetch(digest, into: files, by: caller, now: 0)
        try fetch.take(reply(200, Array("something else".utf8)))
        #expect(word(fetch.outcome) == "hash-mismatch")
        #expect(disk.paths.filter { $0.hasPrefix("files/") }.isEmpty)
    }

    @Test("Parts that were not asked for end the connection; refusals end the errand")
    func badReplies() throws {
        let files = FileStore(SimulatedDisk())
        let fetch = try FileFetch(digest, into: files, by: caller, now: 0)
        try fetch.take(part(0..<5))
        for bad in [
            part(0..<5), part(6..<9), reply(206, content), reply(200, content),
            reply(206, Array(content[5...]), [("Content-Range", "bytes 5-9/21")]),
            reply(206, Array(content[5...]), [("Content-Range", "bytes 5-")]), reply(503),
            problem(429, "too-many-requests"), reply(404), reply(302), reply(204),
        ] {
            #expect(throws: LinkEnd.self) { try fetch.take(bad) }
            #expect(fetch.outcome == nil && fetch.next()?.range?.lowerBound == 5)
        }
        try fetch.take(problem(404, "unknown-file"))
        #expect(word(fetch.outcome) == "unknown-file")
    }

    @Test("A disk that refuses ends the errand")
    func fullDisk() throws {
        let disk = SimulatedDisk()
        let fetch = try FileFetch(digest, into: FileStore(disk), by: caller, now: 0)
        disk.fail(.init(.write, code: 28, isLasting: true))
        try fetch.take(part(0..<5))
        guard case .failed(.disk(let error)) = fetch.outcome else {
            Issue.record("\(word(fetch.outcome))")
            return
        }
        #expect(error.isFull)
    }

    // MARK: To the server

    private func sending() throws -> FileSending {
        let files = FileStore(SimulatedDisk())
        _ = try files.take(digest) { Array(content[$0...]) }
        let file = StagedFile(size: UInt64(content.count), type: "text/plain", name: "ä", at: 0)
        return FileSending(digest, file, try files.open(digest))
    }

    @Test("A content goes on where the server is, wherever that turns out to be")
    func sends() throws {
        let sending = try sending()
        #expect(try sending.next() == LinkRequest(path: "/v1/files/\(digest)", range: 0..<1))
        try sending.take(reply(404, [], [("Upload-Offset", "4")]))
        let request = try #require(try sending.next())
        #expect(request.method == "PUT" && request.body == Array(content[4...]))
        let fields = String(decoding: request.fields, as: UTF8.self)
        #expect(fields.contains("content-range: bytes 4-20/21\r\n"))
        #expect(fields.contains("content-type: text/plain\r\n"))
        #expect(fields.contains("holdfast-name: %C3%A4\r\n"))
        try sending.take(reply(409, [], [("Upload-Offset", "2")]))
        #expect(try sending.next()?.body == Array(content[2...]))
        try sending.take(reply(202, [], [("Upload-Offset", "20")]))
        #expect(try sending.next()?.body == [content[20]])
        try sending.take(reply(201))
        #expect(word(sending.outcome) == "done")
        #expect(try sending.next() == nil)
    }

    @Test("What a server says that cannot be ends the connection, what it refuses the errand")
    func badAnswers() throws {
        for bad in [
            reply(503), reply(500), problem(429, "too-many-requests"), reply(403),
            reply(404, [], [("Upload-Offset", "21")]), reply(404, [], [("Upload-Offset", "-1")]),
            reply(404, [], [("Upload-Offset", "x")]),
        ] {
            let sending = try sending()
            #expect(throws: LinkEnd.self) { try sending.take(bad) }
            #expect(sending.outcome == nil)
        }
        let refused = try sending()
        try refused.take(problem(404, "unknown-file"))
        try refused.take(problem(413, "too-large"))
        #expect(word(refused.outcome) == "too-large")
        // A server that never stands still is given up.
        let moving = try sending()
        try moving.take(reply(404))
        for _ in 0..<8 { try moving.take(reply(409, [], [("Upload-Offset", "3")])) }
        #expect(throws: LinkEnd.self) { try moving.take(reply(409, [], [("Upload-Offset", "3")])) }
    }

    @Test("A content somebody took away is told, not sent")
    func gone() throws {
        let file = StagedFile(size: 1, type: "text/plain", name: "", at: 0)
        let sending = FileSending(digest, file, nil)
        #expect(try sending.next() == nil)
        #expect(word(sending.outcome) == "file-missing")
    }
}
