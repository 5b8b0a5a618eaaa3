import HoldfastBasics
import HoldfastHTTP
import Testing

/// Plays one direction of a connection; `isFinal` steps are shown as text.
private func decode(
    _ pieces: [[UInt8]],
    _ role: WebSocketDecoder.Role = .server,
    limit: Int = 1 << 20
) -> [String] {
    var decoder = WebSocketDecoder(role: role, messageByteCountMax: limit)
    var (events, rest): ([String], [UInt8]) = ([], [])
    for piece in pieces {
        rest += piece
        var offset = 0
        rest.withView { bytes in
            stepping: while true {
                switch decoder.step(bytes, &offset) {
                case .needsMore: break stepping
                case .message(let bytes, let isText):
                    let shown = bytes.count > 100 ? "\(bytes.count)" : bytes.text
                    events.append((isText ? "text " : "binary ") + shown)
                case .ping(let bytes): events.append("ping " + bytes.text)
                case .pong(let bytes): events.append("pong " + bytes.text)
                case .close(let code, let reason):
                    events.append("close \(code?.rawValue ?? 0) " + reason.text)
                case .violation(let violation):
                    if events.last?.hasPrefix("!") != true {
                        events.append("!\(violation.code.rawValue)")
                    }
                    break stepping
                }
            }
        }
        rest.removeFirst(offset)
    }
    return events
}

private func frame(
    _ opcode: WebSocketOpcode,
    _ payload: [UInt8],
    isFinal: Bool = true,
    mask: UInt32? = 0xA1B2_C3D4
) -> [UInt8] {
    var out = ByteBuffer()
    payload.withView {
        out.appendFrame(opcode, $0, isFinal: isFinal, mask: mask.map { WebSocketMask($0) })
    }
    return out.array
}
private func frame(_ opcode: WebSocketOpcode, _ text: String, isFinal: Bool = true) -> [UInt8] {
    frame(opcode, Array(text.utf8), isFinal: isFinal)
}

@Suite struct WebSocketTests {
    private struct Case {
        let name: String
        let bytes: [UInt8]
        let expected: [String]
        init(_ name: String, _ bytes: [UInt8], _ expected: String...) {
            self.name = name
            self.bytes = bytes
            self.expected = expected
        }
    }

    private let mask: [UInt8] = [0, 0, 0, 0]

    @Test("every rule of RFC 6455 is kept, however the bytes are cut")
    func rules() {
        let after = frame(.text, "after")
        let cases: [Case] = [
            Case("text", frame(.text, "hello"), "text hello"),
            Case("empty text", frame(.text, ""), "text "),
            Case("binary", frame(.binary, "x"), "binary x"),
            Case(
                "fragments",
                frame(.text, "a", isFinal: false)
                    + frame(.continuation, "b", isFinal: false) + frame(.continuation, ""),
                "text ab"
            ),
            Case(
                "ping between fragments",
                frame(.text, "a", isFinal: false) + frame(.ping, "p")
                    + frame(.continuation, "b") + frame(.pong, ""),
                "ping p",
                "text ab",
                "pong "
            ),
            Case("two messages", frame(.text, "a") + frame(.binary, "b"), "text a", "binary b"),
            Case(
                "close",
                frame(.close, [0x03, 0xE8] + Array("bye".utf8)) + after,
                "close 1000 bye"
            ),
            Case("close without code", frame(.close, "") + after, "close 0 "),
            Case(
                "close between fragments",
                frame(.text, "a", isFinal: false)
                    + frame(.close, [0x0F, 0xA0]) + after,
                "close 4000 "
            ),
            Case("half a code", frame(.close, [0x03]) + after, "!1002"),
            Case("close reason not UTF-8", frame(.close, [0x03, 0xE8, 0xC3]) + after, "!1007"),
            Case("RSV1", [0xC1, 0x80] + mask + after, "!1002"),
            Case("RSV2", [0xA1, 0x80] + mask + after, "!1002"),
            Case("RSV3", [0x91, 0x80] + mask + after, "!1002"),
            Case("opcode 3", [0x83, 0x80] + mask + after, "!1002"),
            Case("opcode 11", [0x8B, 0x80] + mask + after, "!1002"),
            Case("not masked", frame(.text, Array("a".utf8), mask: nil) + after, "!1002"),
            Case("fragmented ping", [0x09, 0x80] + mask + after, "!1002"),
            Case("ping of 126", [0x89, 0xFE, 0, 126] + mask + after, "!1002"),
            Case("nothing to continue", frame(.continuation, "a") + after, "!1002"),
            Case("begun twice", frame(.text, "a", isFinal: false) + after, "!1002"),
            Case("16-bit length of 125", [0x82, 0xFE, 0, 125] + mask + after, "!1002"),
            Case(
                "64-bit length of 65535",
                [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + mask + after,
                "!1002"
            ),
            Case(
                "64-bit length, highest bit",
                [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0] + mask + after,
                "!1002"
            ),
            Case("above the limit", [0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0] + mask, "!1009"),
            Case("not UTF-8", frame(.text, [0x61, 0xFF]) + after, "!1007"),
            Case("surrogate", frame(.text, [0xED, 0xA0, 0x80]) + after, "!1007"),
            Case("cut character", frame(.text, [0xC3]) + after, "!1007"),
            Case(
                "cut character in fragments",
                frame(.text, [0xC3], isFinal: false)
                    + frame(.continuation, "") + after,
                "!1007"
            ),
            Case("binary is not checked", frame(.binary, [0x61]), "binary a"),
        ]
        for row in cases {
            #expect(decode([row.bytes]) == row.expected, "\(row.name)")
            #expect(decode(row.bytes.map { [$0] }) == row.expected, "\(row.name), byte by byte")
        }
    }

    @Test("close codes: those that may be sent are taken, the others refused")
    func closeCodes() {
        for code in UInt16(0)...5100 {
            let isGood =
                (1000...1003).contains(code) || (1007...1014).contains(code)
                || (3000...4999).contains(code)
            let bytes = frame(.close, [UInt8(code >> 8), UInt8(code & 255)])
            #expect(decode([bytes]) == [isGood ? "close \(code) " : "!1002"])
        }
    }

    @Test("text cut at every byte, into fragments and into pieces, is the same text")
    func fragmentedText() {
        let text = "aé€𝄞\u{10FFFF}\u{7FF}\u{800}\u{D7FF}\u{E000}z"
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            for second in cut...bytes.count {
                let frames =
                    frame(.text, Array(bytes[..<cut]), isFinal: false)
                    + frame(.continuation, Array(bytes[cut..<second]), isFinal: false)
                    + frame(.continuation, Array(bytes[second...]))
                #expect(decode([frames]) == ["text " + text])
            }
        }
        #expect(decode(frame(.text, bytes).map { [$0] }) == ["text " + text])
    }

    @Test("invalid UTF-8 is reported at its first wrong byte, before the frame ends")
    func failsFast() {
        let whole = frame(.text, [0xCE, 0xBA, 0xF4, 0x90, 0x80, 0x80, 0x61])
        #expect(decode([Array(whole[..<9])]) == [])
        #expect(decode([Array(whole[..<10])]) == ["!1007"])
    }

    @Test("payloads of every size and mask arrive as they were, masked and not")
    func roundTrip() {
        let random = SeededRandom(seed: 3)
        let sizes = Array(0...140) + [1000, 65_535, 65_536, 1 << 20]
        for size in sizes {
            let payload = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let key = UInt32(truncatingIfNeeded: random.next())
            for (role, mask) in [(WebSocketDecoder.Role.server, key), (.client, nil)] {
                let bytes = frame(.binary, payload, mask: mask)
                let cut = Int(random.next() % UInt64(bytes.count + 1))
                var decoder = WebSocketDecoder(role: role)
                var (received, offset): ([UInt8]?, Int) = (nil, 0)
                bytes.withView { bytes in
                    if case .message(let message, _) = decoder.step(bytes[0..<cut], &offset) {
                        received = message.array
                    }
                    let rest = bytes.suffix(from: offset)
                    var offset = 0
                    if case .message(let message, _) = decoder.step(rest, &offset) {
                        received = message.array
                    }
                }
                #expect(received == payload, "seed 3, size \(size), cut \(cut)")
            }
        }
    }

    @Test("the limit holds for a message, not for its frames")
    func messageLimit() {
        let half = frame(.binary, [UInt8](repeating: 1, count: 150), isFinal: false)
        let fits = frame(.continuation, [UInt8](repeating: 1, count: 50))
        let tooMuch = frame(.continuation, [UInt8](repeating: 1, count: 51))
        #expect(decode([half + fits + half + fits], limit: 200) == ["binary 200", "binary 200"])
        #expect(decode([half + tooMuch], limit: 200) == ["!1009"])
    }

    @Test("a server's masked frame is refused by a client")
    func clientRole() {
        #expect(decode([frame(.text, "a")], .client) == ["!1002"])
        #expect(decode([frame(.text, Array("a".utf8), mask: nil)], .client) == ["text a"])
    }

    private func handshake(_ fields: [String], method: String = "GET") -> Result<String, HTTPError>
    {
        let lines = ["Host: a", "Connection: Upgrade", "Upgrade: websocket"] + fields
        let text = "\(method) /v1/feed HTTP/1.1\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        return Array(text.utf8).withView { bytes in
            var offset = 0
            guard case .head(let head) = parser.step(bytes, &offset) else {
                return .failure(.malformedRequestLine)
            }
            do throws(HTTPError) {
                let made = try WebSocketHandshake(head, subprotocols: ["feed.v2", "feed.v1"])
                var out = ByteBuffer()
                out.appendUpgrade(made, date: HTTPDate(milliseconds: 0))
                return .success(out.view.text)
            } catch { return .failure(error) }
        }
    }

    @Test("the handshake of RFC 6455 is answered as it says, with the best subprotocol")
    func handshakes() throws {
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        let version = "Sec-WebSocket-Version: 13"
        let plain = try handshake([key, version]).get()
        #expect(plain.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        #expect(plain.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(!plain.contains("protocol:"))
        let offered = "Sec-WebSocket-Protocol: x, feed.v1"
        let chosen = try handshake([key, version, offered, "Sec-WebSocket-Protocol: feed.v2"]).get()
        #expect(chosen.contains("\r\nsec-websocket-protocol: feed.v2\r\n"))

        #expect(handshake([key, "Sec-WebSocket-Version: 8"]) == .failure(.webSocketVersion))
        #expect(handshake([key]) == .failure(.badHandshake))
        #expect(handshake([version]) == .failure(.badHandshake))
        #expect(handshake([version, "Sec-WebSocket-Key: short"]) == .failure(.badHandshake))
        #expect(handshake([key, version], method: "POST") == .failure(.badHandshake))
        let repeated = HTTPError.fieldRepeated(name: "sec-websocket-key")
        #expect(handshake([key, key, version]) == .failure(repeated))
    }

    @Test("SHA-1 and base64 give the published values")
    func primitives() {
        let digest = Array("abc".utf8).withView { SHA1.digest($0) }
        let text = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(text == "a9993e364706816aba3e25717850c26c9cd0d89d")
        let rows = [
            "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==",
            "fooba": "Zm9vYmE=", "foobar": "Zm9vYmFy", "\u{7f}~>": "f34+",
        ]
        for (plain, encoded) in rows {
            #expect(Array(plain.utf8).withView { Base64.encode($0) } == Array(encoded.utf8))
        }
    }
}
