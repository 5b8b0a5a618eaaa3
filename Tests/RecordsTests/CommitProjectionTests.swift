// Projections: what a node may not see it is not shown, and the chain holds all the same.
import HoldfastBasics
import HoldfastRecords
import Testing

@Suite struct CommitProjectionTests {
    private let content: [UInt8]
    private let chain: Hash128

    init() throws {
        content = try encoded(Samples.commit)
        chain = try content.withView { try CommitView($0).chain }
    }

    private func projected(_ names: Set<String>, of content: [UInt8]? = nil) throws -> [UInt8] {
        try (content ?? self.content).withView { bytes in
            try CommitView(bytes).project { names.contains($0.text) }
        }
    }

    private static let names = ["parts", "footprints", "_borrows/parts"]

    @Test("Every projection verifies after the same chain, and gives the same one")
    func verifies() throws {
        for choice in 0..<8 {
            let names = Set((0..<3).filter { choice >> $0 & 1 == 1 }.map { Self.names[$0] })
            try projected(names).withView { bytes in
                let view = try CommitView(bytes)
                try view.verify(after: Samples.chainBefore)
                #expect(view.chain == chain)
                #expect(view.blockCount == 3)
                #expect(view.changeID == Samples.commit.changeID)
                var seen: [String] = []
                try view.forEachBlock { block, _ in seen.append(block.name.text) }
                #expect(seen == Self.names.filter(names.contains))
                let expected = Samples.effects(of: Samples.commit) { names.contains($0) }
                #expect(try effects(view) == expected)
            }
        }
    }

    @Test("A withheld block shows neither its name nor its values nor their length")
    func withheld() throws {
        let projection = try projected(["footprints"])
        #expect(projection.firstRange(of: Array("footprints".utf8)) != nil)
        for secret in ["parts", "_borrows", "R 0805", "secret"] {
            #expect(content.firstRange(of: Array(secret.utf8)) != nil, "\(secret) is in the commit")
            #expect(projection.firstRange(of: Array(secret.utf8)) == nil, "\(secret)")
        }
        var other = Samples.commit
        let image = try #require(other.blocks[0].effects[0].image)
        other.blocks[0].effects[0].image = PostImage(
            state: image.state,
            schema: image.schema,
            created: image.created,
            value: Array(#"{"number":"much longer"}"#.utf8)
        )
        let longer = try projected(["footprints"], of: encoded(other))
        #expect(longer.count == projection.count)
        #expect(longer != projection, "its hash is another")
    }

    @Test("The same content under another salt has another hash")
    func salted() throws {
        var other = Samples.commit
        let block = other.blocks[0]
        other.blocks[0] = Block(
            name: block.name,
            salt: Hash128(high: block.salt.high, low: block.salt.low ^ 1),
            effects: block.effects
        )
        // The first of the three headers, which end with the hash.
        let headers = try [content, encoded(other)].map { content in
            Array(try projected([], of: content).suffix(72).prefix(24))
        }
        #expect(headers[0].prefix(8) == headers[1].prefix(8))
        #expect(headers[0].suffix(16) != headers[1].suffix(16))
    }

    @Test("Application and reason are shown with any block, and withheld without")
    func details() throws {
        for name in Self.names {
            try projected([name]).withView { bytes in
                let (app, why) = try CommitView(bytes).details()
                #expect(app.text == "stockroom")
                #expect(why.text == "recount")
            }
        }
        let nothing = try projected([])
        #expect(nothing.firstRange(of: Array("recount".utf8)) == nil)
        try nothing.withView { bytes in
            let (app, why) = try CommitView(bytes).details()
            #expect(app.isEmpty && why.isEmpty)
        }
    }

    @Test("What everything permits is the commit itself")
    func whole() throws {
        #expect(try projected(Set(Self.names)) == content)
    }

    @Test("The projection of a projection shows what both permit")
    func twice() throws {
        let once = try projected(["parts", "footprints"])
        #expect(try projected(["parts", "_borrows/parts"], of: once) == projected(["parts"]))
        #expect(try projected(Set(Self.names), of: projected([])) == projected([]))
    }

    @Test("How many blocks are visible is told, and what stood in the buffer stays")
    func count() throws {
        try content.withView { bytes in
            let view = try CommitView(bytes)
            for (names, expected) in [([], 0), (["parts"], 1), (Self.names, 3)] {
                var buffer = ByteBuffer()
                buffer.append("before")
                let count = try view.appendProjection(to: &buffer) { names.contains($0.text) }
                #expect(count == expected)
                #expect(try Array(buffer.array.dropFirst(6)) == projected(Set(names)))
                #expect(Array(buffer.array.prefix(6)) == Array("before".utf8))
            }
        }
    }

    @Test("A commit whose projection throws leaves the buffer as it was")
    func throwing() throws {
        struct Stop: Error {}
        try content.withView { bytes in
            var buffer = ByteBuffer()
            let view = try CommitView(bytes)
            #expect(throws: Stop.self) {
                try view.appendProjection(to: &buffer) { name in
                    if name.equals("footprints") { throw Stop() }
                    return true
                }
            }
            let count = buffer.count
            #expect(count == 0)
        }
    }

    @Test("A withheld block that is taken out, or in another's place, is noticed")
    func tampered() throws {
        let nothing = try projected([])
        var fewer = Array(nothing.dropLast(24))
        fewer[2] = 2
        var swapped = nothing
        let (one, two) = (nothing.count - 48, nothing.count - 24)
        swapped.replaceSubrange(one..<two, with: nothing[two...])
        swapped.replaceSubrange(two..., with: nothing[one..<two])
        for content in [fewer, swapped] {
            _ = content.withView { bytes in
                #expect(throws: ContentError.hashMismatch(offset: 96)) {
                    try CommitView(bytes).verify(after: Samples.chainBefore)
                }
            }
        }
    }
}
