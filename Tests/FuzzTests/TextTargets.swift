// JSON, HTTP and WebSocket frames.
import HoldfastBasics
import HoldfastHTTP
import HoldfastJSONCoding

/// What decoders of text make of any bytes.
enum TextTargets {
    // MARK: JSON

    /// A record with what typed trees have.
    private struct Item: Codable, Equatable {
        enum Kind: String, Codable { case open, done }
        struct Inner: Codable, Equatable {
            var x: Double?
            var y: [Int8]?
        }
        var a: String?
        var b: Int?
        var c: [String: Inner]?
        var d: Kind?
        var e: [[Bool]]?
        var f: UInt64?
        var g: Float?
    }

    /// Any JSON value by trying.
    private enum Value: Codable {
        case null, bool(Bool), number(Double), text(String)
        case array([Value]), object([String: Value])

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if value.decodeNil() {
                self = .null
            } else if let bool = try? value.decode(Bool.self) {
                self = .bool(bool)
            } else if let number = try? value.decode(Double.self) {
                self = .number(number)
            } else if let text = try? value.decode(String.self) {
                self = .text(text)
            } else if let array = try? value.decode([Value].self) {
                self = .array(array)
            } else {
                self = .object(try value.decode([String: Value].self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .null: try value.encodeNil()
            case .bool(let bool): try value.encode(bool)
            case .number(let number): try value.encode(number)
            case .text(let text): try value.encode(text)
            case .array(let array): try value.encode(array)
            case .object(let object): try value.encode(object)
            }
        }
    }

    private static func normalized(_ text: [UInt8]) throws -> [UInt8]? {
        try taken(JSONError.self) { try text.withView { try JSONNormalizer.normalized($0) } }
    }

    /// One document, or two with a zero byte between.
    static func json(_ input: [UInt8]) throws {
        let texts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            .map { Array($0) }
        var documents: [[UInt8]] = []
        for text in texts {
            try scan(text)
            guard let document = try normalized(text) else { continue }
            documents.append(document)
            try demand(normalized(document) == document, "a normal form is its own")
            try document.withView { view in
                _ = try CanonicalForm.bytes(view)
                let pretty = Array(JSONPrinter.pretty(view).utf8)
                try demand(normalized(pretty) == document, "printing adds white space alone")
            }
            try typed(document)
        }
        guard documents.count == 2 else { return }
        try documents[0].withView { one in
            try documents[1].withView { other in
                let patched = try taken(JSONError.self) {
                    try JSONMergePatch.apply(patch: one, to: other)
                }
                if let patched { try demand(normalized(patched) == patched, "a patch is normal") }
                let result = try taken(JSONError.self) {
                    try JSONDifference.apply(differenceFrom: one, to: other, onto: one)
                }
                if let result {
                    try demand(result == documents[1] || one == other, "old becomes new")
                }
                let merged = try taken(JSONError.self) {
                    try JSONDifference.apply(differenceFrom: one, to: one, onto: other)
                }
                if let merged { try demand(merged == documents[1], "no change changes nothing") }
            }
        }
    }

    /// The scanner over bytes that nobody has checked.
    private static func scan(_ text: [UInt8]) throws {
        try text.withView { view in
            var scanner = JSONScanner(view)
            _ = try taken(JSONError.self) {
                while !scanner.isAtEnd { _ = try scanner.skipValue() }
            }
        }
    }

    private static func typed(_ document: [UInt8]) throws {
        let decoder = RecordDecoder()
        let encoder = RecordEncoder()
        if let value = try? decoder.decode(Value.self, from: document) {
            let encoded = try encoder.encode(value)
            try demand(normalized(encoded) == encoded, "what is encoded is normal")
        }
        guard let item = try? decoder.decode(Item.self, from: document) else { return }
        let encoded = try encoder.encode(item)
        try demand(normalized(encoded) == encoded, "what is encoded is normal")
        try demand(decoder.decode(Item.self, from: encoded) == item, "there and back")
    }

    // MARK: HTTP

    /// The same bytes at once and cut come to the same, in both directions.
    static func http(_ input: [UInt8]) throws {
        for isStreaming in [false, true] {
            let whole = requests([input], isStreaming)
            for pieces in cuts(input) {
                let found = requests(pieces, isStreaming)
                try demand(found == whole, "cut it is \(found), whole \(whole)")
            }
        }
        let whole = responses([input])
        for pieces in cuts(input) {
            let found = responses(pieces)
            try demand(found == whole, "cut it is \(found), whole \(whole)")
        }
    }

    /// Single bytes where that is cheap, and three places.
    private static func cuts(_ bytes: [UInt8]) -> [[[UInt8]]] {
        var all: [[[UInt8]]] = bytes.count <= 256 ? [bytes.map { [$0] }] : []
        for part in 1...3 {
            let place = bytes.count * part / 4
            all.append([Array(bytes[..<place]), Array(bytes[place...])])
        }
        return all
    }

    /// What a step of a decoder of streams came to.
    private enum Step { case taken, needsMore, over }

    /// Feeds pieces as they come: what is not taken comes again, before the next piece.
    private static func feed(_ pieces: [[UInt8]], _ step: (ByteView, inout Int) -> Step) {
        var rest: [UInt8] = []
        for piece in pieces {
            rest += piece
            var (offset, last) = (0, Step.taken)
            rest.withView { bytes in
                while last == .taken { last = step(bytes, &offset) }
            }
            if last == .over { return }
            rest.removeFirst(offset)
        }
    }

    private static func requests(_ pieces: [[UInt8]], _ isStreaming: Bool) -> [String] {
        var parser = RequestParser()
        var (events, content): ([String], [UInt8]) = ([], [])
        feed(pieces) { bytes, offset in
            switch parser.step(bytes, &offset) {
            case .needsMore: return .needsMore
            case .wantsContinue: break
            case .head(let head):
                events.append(head.target.text)
                _ = try? RequestTarget(head.target)
                parser.accept(isStreaming ? .stream : .whole(byteCountMax: 1000))
            case .content(let part): content += part.array
            case .complete(let request):
                events.append("\(request.head.keepsAlive) \(request.body.array)")
                events.append("\(content)")
                content = []
            case .refused(let error):
                events.append("refused \(error.status.rawValue)")
                return .over
            }
            return .taken
        }
        return events
    }

    private static func responses(_ pieces: [[UInt8]]) -> [String] {
        var parser = ResponseParser(bodyByteCountMax: 1000)
        var events: [String] = []
        feed(pieces) { bytes, offset in
            switch parser.step(bytes, &offset) {
            case .needsMore: return .needsMore
            case .refused(let error):
                events.append("refused \(error)")
                return .over
            case let step: events.append("\(step)")
            }
            return .taken
        }
        return events
    }

    // MARK: WebSocket

    /// The same bytes at once and cut come to the same, in both roles.
    static func webSocket(_ input: [UInt8]) throws {
        for role in [WebSocketDecoder.Role.server, .client] {
            let whole = messages([input], role)
            for pieces in cuts(input) {
                let found = messages(pieces, role)
                try demand(found == whole, "cut it is \(found), whole \(whole)")
            }
        }
    }

    private static func messages(_ pieces: [[UInt8]], _ role: WebSocketDecoder.Role) -> [String] {
        var decoder = WebSocketDecoder(role: role, messageByteCountMax: 1000)
        var events: [String] = []
        feed(pieces) { bytes, offset in
            switch decoder.step(bytes, &offset) {
            case .needsMore: return .needsMore
            case .message(let bytes, let isText): events.append("\(isText) \(bytes.array)")
            case .ping(let bytes): events.append("ping \(bytes.array)")
            case .pong(let bytes): events.append("pong \(bytes.array)")
            case .close(let code, let reason):
                events.append("close \(code?.rawValue ?? 0) \(reason.array)")
            case .violation(let violation):
                events.append("violation \(violation.code.rawValue)")
                return .over
            }
            return .taken
        }
        return events
    }
}
