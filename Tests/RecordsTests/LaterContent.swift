// Commits as a later version of the format may write them: with extension fields.
import HoldfastBasics
import HoldfastRecords

/// The content of a commit with one block and one effect, and extensions put into it.
struct LaterContent {
    private(set) var bytes: [UInt8]

    /// Encodes a commit after the zero chain, without extensions.
    init(_ commit: Commit) {
        var encoder = CommitEncoder()
        var buffer = ByteBuffer()
        _ = encoder.encode(commit, after: .zero, into: &buffer)
        bytes = buffer.array
    }

    /// Where the envelope's texts end, without extensions.
    private var textEnd: Int { 112 + integer(at: 88) + integer(at: 90) }
    private var sectionStart: Int { textEnd + integer(at: 92) }
    private var effectStart: Int { sectionStart + 48 + integer(at: sectionStart + 24 + 20) }

    private func integer(at offset: Int) -> Int {
        bytes.withView { Int($0.integer(UInt16.self, at: offset)) }
    }

    private mutating func set(_ value: Int, at offset: Int) {
        bytes[offset] = UInt8(value & 0xFF)
        bytes[offset + 1] = UInt8(value >> 8)
    }

    /// Adds extension fields to the envelope.
    mutating func extendEnvelope(_ fields: [UInt8]) {
        bytes.insert(contentsOf: fields, at: sectionStart)
        set(integer(at: 92) + fields.count, at: 92)
        hash()
    }

    /// Adds extension fields to the effect.
    mutating func extendEffect(_ fields: [UInt8]) {
        let effect = effectStart
        let name = bytes[effect + 3] == 2 ? integer(at: effect + 24) : 0
        let texts = integer(at: effect + 44) + integer(at: effect + 46) + integer(at: effect + 48)
        bytes.insert(contentsOf: fields, at: effect + 52 + name + texts)
        set(integer(at: effect + 48) + fields.count, at: effect + 48)
        set(integer(at: sectionStart + 4) + fields.count, at: sectionStart + 4)
        hash()
    }

    /// Writes the hashes and the chain anew, as whoever wrote the commit would have.
    private mutating func hash() {
        let section = sectionStart
        let body = Array(bytes[(section + 24)...]).withView { SHA256.digest($0) }.bytes
        bytes.replaceSubrange(section + 8..<section + 24, with: body[..<16])
        let covered =
            [UInt8](repeating: 0, count: 16) + bytes[..<96] + bytes[112..<section] + body[..<16]
        let chain = covered.withView { SHA256.digest($0) }.bytes
        bytes.replaceSubrange(96..<112, with: chain[..<16])
    }
}
