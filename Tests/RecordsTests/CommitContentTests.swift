// The content of commits: what is written is read, and nothing else passes for it.
import HoldfastBasics
import HoldfastRecords
import Testing

@Suite struct CommitContentTests {
    @Test("What the encoder writes the views read, every field of it")
    func roundTrip() throws {
        let commit = Samples.commit
        try encoded(commit).withView { bytes in
            let view = try CommitView(bytes)
            try view.verify(after: Samples.chainBefore)
            #expect(view.seq == commit.seq)
            #expect(view.epochIndex == commit.epochIndex)
            #expect(view.at == commit.at)
            #expect(view.madeAt == commit.madeAt)
            #expect(view.changeID == commit.changeID)
            #expect(view.jobID == commit.jobID)
            #expect(view.digest == commit.digest)
            #expect(view.deviceSeq == commit.deviceSeq)
            #expect(view.user.text == commit.user)
            #expect(view.device.text == commit.device)
            let (app, why) = try view.details()
            #expect(app.text == commit.app)
            #expect(why.text == commit.why)
            #expect(try effects(view) == Samples.effects(of: commit))
        }
    }

    @Test("The ordinal of a block's first effect counts the effects before it")
    func ordinals() throws {
        try encoded(Samples.commit).withView { bytes in
            var ordinals: [Int] = []
            try CommitView(bytes).forEachBlock { _, ordinal in ordinals.append(ordinal) }
            #expect(ordinals == [0, 2, 3])
        }
    }

    @Test("Where each effect begins is what the encoder says")
    func offsets() throws {
        var encoder = CommitEncoder()
        var buffer = ByteBuffer()
        buffer.append([1, 2, 3])
        _ = encoder.encode(Samples.commit, after: .zero, into: &buffer)
        let content = Array(buffer.array.dropFirst(3))
        let keys = try encoder.effectOffsets.map { offset in
            try content.withView { try EffectView($0.suffix(from: Int(offset))).key }
        }
        #expect(keys == Samples.commit.blocks.flatMap { $0.effects.map(\.key) })
    }

    @Test("Every truncation is refused, and so is every byte behind the end")
    func truncations() throws {
        for content in [try encoded(Samples.commit), try projected(["parts"])] {
            for count in 0..<content.count {
                #expect(!isAccepted(Array(content[..<count])), "cut to \(count)")
            }
            #expect(isAccepted(content))
            #expect(!isAccepted(content + [0]))
            #expect(!isAccepted(content + [UInt8](repeating: 0, count: 24)))
        }
    }

    @Test("Every change of a single byte is refused, to whichever value")
    func changedBytes() throws {
        for content in [try encoded(Samples.commit), try projected(["parts"])] {
            var changed = content
            var accepted: [(Int, UInt8)] = []
            for offset in content.indices {
                for value in UInt8.min...UInt8.max where value != content[offset] {
                    changed[offset] = value
                    if isAccepted(changed) { accepted.append((offset, value)) }
                }
                changed[offset] = content[offset]
            }
            #expect(accepted.isEmpty, "byte and value: \(accepted.prefix(8))")
        }
    }

    @Test("A commit verifies after its predecessor's chain alone")
    func otherChain() throws {
        try encoded(Samples.commit).withView { bytes in
            let view = try CommitView(bytes)
            #expect(throws: ContentError.hashMismatch(offset: 96)) {
                try view.verify(after: .zero)
            }
        }
    }

    @Test("Damaged effects are read or refused, and never read past their end")
    func damagedEffects() throws {
        let content = try encoded(Samples.commit)
        var changed = content
        var refused = 0
        for offset in content.indices {
            for value: UInt8 in [0, 1, 2, 0x7F, 0x80, 0xFF] {
                changed[offset] = value
                changed.withView { bytes in
                    do {
                        let view = try CommitView(bytes)
                        _ = try view.details()
                        _ = try effects(view)
                        _ = try view.project { $0.equals("parts") }
                    } catch { refused += 1 }
                }
            }
            changed[offset] = content[offset]
        }
        // Most bytes are text or numbers, which any value may have.
        #expect(refused > 100)
    }

    /// Whether bytes pass for a commit.
    private func isAccepted(_ content: [UInt8]) -> Bool {
        content.withView { bytes in
            do {
                try CommitView(bytes).verify(after: Samples.chainBefore)
                return true
            } catch { return false }
        }
    }

    private func projected(_ names: [String]) throws -> [UInt8] {
        try encoded(Samples.commit).withView { bytes in
            try CommitView(bytes).project { names.contains($0.text) }
        }
    }
}

@Suite struct ExtensionTests {
    private func later(envelope: [UInt8] = [], effect: [UInt8] = []) -> [UInt8] {
        var content = LaterContent(Samples.small)
        if !envelope.isEmpty { content.extendEnvelope(envelope) }
        if !effect.isEmpty { content.extendEffect(effect) }
        return content.bytes
    }

    /// Two fields nobody knows, one of them empty.
    private let unknown: [UInt8] = [0x01, 3, 0, 7, 8, 9, 0x7F, 0, 0]

    @Test("An unknown field that is not critical changes nothing that is read")
    func ignored() throws {
        for content in [
            later(envelope: unknown), later(effect: unknown),
            later(envelope: unknown, effect: unknown),
        ] {
            try content.withView { bytes in
                let view = try CommitView(bytes)
                try view.verify(after: .zero)
                #expect(view.user.text == "anna")
                #expect(try effects(view) == Samples.effects(of: Samples.small))
            }
        }
    }

    @Test("An unknown field is kept, byte for byte, in a projection")
    func kept() throws {
        let content = later(envelope: unknown, effect: unknown)
        try content.withView { bytes in
            let view = try CommitView(bytes)
            #expect(try view.project { _ in true } == content)
            let withheld = try view.project { _ in false }
            #expect(withheld.firstRange(of: unknown) != nil)
            try withheld.withView { try CommitView($0).verify(after: .zero) }
        }
    }

    @Test("An unknown critical field stops whoever reads it, and says what to do")
    func critical() throws {
        let needed = ContentError.upgradeNeeded(format: 1, tag: 0x85)
        let field: [UInt8] = [0x85, 1, 0, 0]
        _ = later(envelope: unknown + field).withView { bytes in
            #expect(throws: needed) { try CommitView(bytes) }
        }
        try later(effect: unknown + field).withView { bytes in
            let view = try CommitView(bytes)
            #expect(throws: needed) { try effects(view) }
        }
        #expect(needed.description.contains("tag 133"))
        #expect(needed.description.contains("upgrade holdfast"))
    }

    @Test("A critical field in a withheld block stops nobody who may not see it")
    func withheldCritical() throws {
        try later(effect: [0x85, 0, 0]).withView { bytes in
            let projection = try CommitView(bytes).project { _ in false }
            try projection.withView { bytes in
                let view = try CommitView(bytes)
                try view.verify(after: .zero)
                #expect(try effects(view).isEmpty)
            }
        }
    }

    @Test("The hashes cover the fields")
    func covered() throws {
        let plain = try later().withView { try CommitView($0).chain }
        for content in [later(envelope: unknown), later(effect: unknown)] {
            #expect(try content.withView { try CommitView($0).chain } != plain)
            var changed = content
            let field = try #require(content.firstRange(of: unknown))
            changed[field.lowerBound + 4] ^= 1
            _ = changed.withView { bytes in
                #expect(throws: ContentError.self) { try CommitView(bytes).verify(after: .zero) }
            }
        }
    }

    @Test("A field that reaches behind its list is refused")
    func cut() throws {
        for field: [UInt8] in [[1], [1, 0], [1, 1, 0], [1, 0, 0, 2]] {
            _ = later(envelope: field).withView { bytes in
                #expect(throws: ContentError.self) { try CommitView(bytes) }
            }
            try later(effect: field).withView { bytes in
                let view = try CommitView(bytes)
                #expect(throws: ContentError.self) { try effects(view) }
            }
        }
    }

    @Test("Content of another format, or with a flag nobody knows, is refused")
    func otherFormat() {
        var content = later()
        content[0] = 2
        _ = content.withView { bytes in
            #expect(throws: ContentError.upgradeNeeded(format: 2, tag: 0)) { try CommitView(bytes) }
        }
        content[0] = 1
        content[1] = 2
        _ = content.withView { bytes in
            #expect(throws: ContentError.self) { try CommitView(bytes) }
        }
    }
}
