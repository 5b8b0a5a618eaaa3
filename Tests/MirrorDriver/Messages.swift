// What the driver reads and writes: one JSON object a line.
//
// A request has an `id`, which its answers repeat; answers of several requests come in any order.
// Values of records travel as JSON texts inside strings, so that they arrive as they were sent.
import Foundation
import Holdfast
import Synchronization

/// A line of standard input.
struct Request: Decodable, Sendable {
    var id: Int
    /// Which command.
    var run: String
    var tree: String?
    var key: String?
    /// The id of a borrow, or of a stranded change.
    var name: String?
    var path: String?
    var text: String?
    var why: String?
    var count: Int?
    /// How many records of one change.
    var each: Int?
    /// Whether to wait for the server's word too.
    var accepted: Bool?
    /// Whether to wait in line.
    var queue: Bool?
    var operations: [Step]?
}

/// What a compaction did: a seq, and bytes.
struct Compacted: Encodable, Sendable {
    let oldest: UInt64
    let freed: Int
    let written: Int
}

/// One operation of a write.
struct Step: Decodable, Sendable {
    /// `create`, `update`, `delete` or `release`.
    var run: String
    var tree: String
    var key: String?
    /// The value as a JSON text; for an update the members that change.
    ///
    /// In it `"@0"` stands for the key the change's first operation made, and so on.
    var value: String?
    /// Members of an update that are added to.
    var add: [String: Int]?
}

/// A request that cannot be carried out.
struct Mistake: Error, CustomStringConvertible {
    let description: String
}

/// What is written to standard output: whole lines, at once.
enum Output {
    private static let lock = Mutex(())

    private static func say(_ answer: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        do {
            let line = try encoder.encode(answer) + Data("\n".utf8)
            try lock.withLock { _ in try FileHandle.standardOutput.write(contentsOf: line) }
        } catch {
            // Whoever listened has gone: nobody is left to tell.
            exit(1)
        }
    }

    private struct Answer<Body: Encodable>: Encodable {
        var id: Int
        var ok: Body?
        var told: Body?
        var error: Problem?
    }

    private struct Problem: Encodable {
        var code: String
        var message: String
    }

    private struct None: Encodable {}

    /// The request was carried out.
    static func done(_ id: Int, _ body: some Encodable) { say(Answer(id: id, ok: body)) }

    /// Something of it was; more follows.
    static func told(_ id: Int, _ body: some Encodable) { say(Answer(id: id, told: body)) }

    static func failed(_ id: Int, _ error: any Error) {
        let problem = Problem(code: code(error), message: "\(error)")
        say(Answer<None>(id: id, error: problem))
    }

    private static func code(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "mistake" }
        return switch error {
        case .refused(let refusal): refusal.code.rawValue
        case .keysExhausted: "keys-exhausted"
        case .undecodable: "undecodable"
        case .poisoned: "poisoned"
        case .damaged: "damaged"
        case .full: "full"
        case .diskFailed: "disk-failed"
        case .unavailable: "unavailable"
        case .offline: "offline"
        case .untrusted: "untrusted"
        case .wrongServer: "wrong-server"
        case .closed: "closed"
        }
    }
}
