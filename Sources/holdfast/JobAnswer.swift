// What a server answers a line of a job with, as `import` reads it.
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// A line of the answer to a job: what became of a line, or at the end how many there were.
struct JobAnswer: Decodable {
    struct Problem: Decodable {
        let code: String
        let detail: String?
        let field: String?
    }

    struct Done: Decodable {
        let lines: Int
    }

    let line: Int?
    let replayed: Bool?
    let unchanged: Bool?
    let problem: Problem?
    let done: Done?

    /// Whether nobody knows what became of the line: the server stopped, or its disk failed.
    var isUnknown: Bool { problem?.code == "outcome-unknown" }

    static func read(_ line: ByteView) throws(CommandFailure) -> JobAnswer {
        do {
            return try RecordDecoder().decode(JobAnswer.self, from: line)
        } catch {
            throw CommandFailure(.unreachable, "what answered is no Holdfast server; check --url")
        }
    }
}
