// Commits as the feed and the list of changes give them, whole and filtered.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

/// A commit as it is written, nothing left out.
func commitText(_ view: CommitView, _ before: CommitMessage.Before? = nil) throws -> String {
    try written { buffer in
        let isPassed = try CommitMessage.append(view, before: before, to: &buffer)
        #expect(isPassed)
    }
}

@Suite struct CommitMessageTests {
    @Test("The contract's commit comes out of its bytes in the log")
    func example() throws {
        try withView(Sample.commit) { view in
            let text = try commitText(view)
            let expected =
                #"{"seq":48213,"chain":"\#(view.chain)","# + Sample.commitHead + #","effects":["#
                + Sample.setJSON + "," + Sample.removeJSON + "]}"
            #expect(text == expected)
            let message = try written { buffer in
                let isMessage = try FeedMessages.appendCommit(view, to: &buffer)
                #expect(isMessage)
            }
            #expect(message == #"{"commit":"# + expected + "}")
        }
    }

    @Test("What is empty is left out, a job is named, names are escaped")
    func variants() throws {
        var commit = Sample.commit
        commit.app = ""
        commit.why = ""
        commit.jobID = Sample.databaseID
        commit.user = "a\"b"
        let image = Sample.image("7", .plain, .none)
        let effect = Effect(
            key: RecordKey(name: "p\\q"),
            label: .create,
            previousSeq: 0,
            image: image
        )
        commit.blocks = [Sample.block("bins", [effect])]
        try withView(commit) { view in
            let text = try commitText(view)
            let expected =
                #"{"seq":48213,"chain":"\#(view.chain)","#
                + #""id":"0193c2a2-11d8-7e64-b3a5-92c41f7e0d43","at":"2026-11-20T10:04:31.900Z","#
                + #""by":"a\"b","device":"PC-07","job":"0193c29f-0000-7abc-8def-0123456789ab","#
                + #""effects":[{"set":{"tree":"bins","key":{"name":"p\\q","revision":0},"#
                + #""label":"create","state":"plain","value":7}}]}"#
            #expect(text == expected)
        }
    }

    @Test("Before stands with the effect of its ordinal, over all blocks")
    func before() throws {
        try withView(Self.mixed) { view in
            var asked: [Int] = []
            let text = try commitText(view) { ordinal in
                asked.append(ordinal)
                return ordinal == 6 ? Array(#"{"old":1}"#.utf8) : nil
            }
            // Number 3 is a token's, which nobody is shown.
            #expect(asked == [0, 1, 2, 4, 5, 6, 7, 8])
            let marked = text.firstRange(of: #""value":1,"before":{"old":1}}}"#)
            let last = text.firstRange(of: #""tree":"parts""#)
            #expect(text.ranges(of: "before").count == 1)
            #expect(try #require(marked).upperBound <= #require(last).lowerBound)
        }
    }

    /// Effects on every kind of block.
    static let mixed: Commit = {
        func effect(_ key: RecordKey) -> Effect {
            Effect(key: key, label: .put, previousSeq: 0, image: Sample.image("1", .plain))
        }
        var commit = Sample.commit
        commit.blocks = [
            Sample.block("_borrows/bins", [effect(RecordKey(name: "b1"))]),
            Sample.block("_borrows/parts", [effect(RecordKey(name: "pre:b2"))]),
            Sample.block("_devices", [effect(RecordKey(name: "PC"))]),
            Sample.block("_tokens", [effect(RecordKey(name: "secret"))]),
            Sample.block("_trees", [effect(RecordKey(name: "parts"))]),
            Sample.block("bins", [effect(RecordKey(name: "pre:a")), effect(RecordKey(name: "z"))]),
            Sample.block("parts", [effect(RecordKey(number: 1)), effect(RecordKey(number: 2))]),
        ]
        return commit
    }()

    static let filters: [(CommitFilter, [String])] = [
        (.all, ["b1", "pre:b2", "PC", "parts", "pre:a", "z", "1", "2"]),
        (CommitFilter(trees: [Sample.tree("parts")]), ["pre:b2", "1", "2"]),
        (
            CommitFilter(trees: [Sample.tree("bins"), .trees]),
            ["b1", "parts", "pre:a", "z"]
        ),
        (CommitFilter(trees: [.borrows]), ["b1", "pre:b2"]),
        (CommitFilter(trees: [.devices]), ["PC"]),
        (CommitFilter(trees: [.tokens]), []),
        (CommitFilter(trees: []), []),
        (CommitFilter(prefix: Array("pre:".utf8)), ["pre:a"]),
        (CommitFilter(trees: [Sample.tree("parts")], prefix: Array("pre:".utf8)), []),
        (CommitFilter(prefix: Array("pre:a and longer".utf8)), []),
    ]

    @Test("A filter lets its part through, as a whole or not at all", arguments: filters.indices)
    func filter(_ index: Int) throws {
        let (filter, expected) = Self.filters[index]
        try withView(Self.mixed) { view in
            var buffer = ByteBuffer()
            buffer.append("before ")
            let isMessage = try FeedMessages.appendCommit(view, filter, to: &buffer)
            #expect(isMessage == !expected.isEmpty)
            if !isMessage { #expect(buffer.view.text == "before ") }
            let keys = buffer.view.text.matches(of: /"key":\{"(?:name|id)":"?([^",]+)/)
                .map { String($0.1) }
            #expect(keys == expected)
        }
    }

    @Test("Whoever takes everything gets every commit, also one without effects to show")
    func dense() throws {
        var commit = Sample.commit
        commit.blocks = [
            Sample.block(
                "_tokens",
                [Effect(key: RecordKey(name: "t"), label: .delete, previousSeq: 1, image: nil)]
            )
        ]
        try withView(commit) { view in
            let text = try commitText(view)
            #expect(text.hasSuffix(#""effects":[]}"#))
        }
    }

    @Test("A damaged commit throws and leaves nothing behind")
    func damaged() throws {
        var encoder = CommitEncoder()
        var bytes = ByteBuffer()
        _ = encoder.encode(Sample.commit, after: .zero, into: &bytes)
        bytes.truncate(to: bytes.count - 3)
        let view = try CommitView(bytes.view)
        var buffer = ByteBuffer()
        buffer.append("x")
        #expect(throws: ContentError.self) {
            _ = try FeedMessages.appendCommit(view, to: &buffer)
        }
        #expect(buffer.view.text == "x")
    }

    @Test("Every label is written by its name")
    func labels() throws {
        for label in Label.allCases {
            var commit = Sample.commit
            let effect = Effect(key: Sample.part, label: label, previousSeq: 0, image: nil)
            commit.blocks = [Sample.block("parts", [effect])]
            try withView(commit) { view in
                let text = try commitText(view)
                #expect(text.contains("\"label\":\"\(label.name)\""))
            }
        }
    }

    @Test("The other messages of the feed are the contract's")
    func messages() throws {
        let hello = try written {
            FeedMessages.appendHello(
                databaseID: Sample.databaseID,
                head: Sample.position(48213),
                chain: Sample.chain,
                oldest: 0,
                heartbeatSeconds: 15,
                to: &$0
            )
        }
        #expect(
            hello
                == #"{"hello":{"databaseID":"0193c29f-0000-7abc-8def-0123456789ab","#
                + #""epoch":"7t3k9x2m4q8wr","head":48213,"#
                + #""chain":"5f0d1c9be2a84736a1b0c9d8e7f60512","oldest":0,"heartbeatSeconds":15}}"#
        )
        #expect(
            try written { FeedMessages.appendStarted(seq: 48190, to: &$0) }
                == #"{"started":{"seq":48190}}"#
        )
        #expect(
            try written { FeedMessages.appendHead(seq: 48213, chain: Sample.chain, to: &$0) }
                == #"{"head":{"seq":48213,"chain":"5f0d1c9be2a84736a1b0c9d8e7f60512"}}"#
        )
        #expect(
            try written { FeedMessages.appendCatchingUp(lag: 23, to: &$0) }
                == #"{"catchingUp":{"lag":23}}"#
        )
        #expect(try written { FeedMessages.appendLive(to: &$0) } == #"{"live":{}}"#)
        #expect(
            try written { FeedMessages.appendBye(code: 4409, detail: "Load \"all\".", to: &$0) }
                == #"{"bye":{"code":4409,"detail":"Load \"all\"."}}"#
        )
    }
}
