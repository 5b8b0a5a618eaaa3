// Plays a connection for the parser: bytes arrive in pieces, each time in other memory.
import HoldfastBasics
import HoldfastHTTP

/// What a connection made of its bytes, as text, so that a failing row shows itself.
func outcome(
    _ pieces: [[UInt8]],
    stream: Bool = false,
    limit: Int? = nil,
    parser: consuming RequestParser = RequestParser()
) -> [String] {
    var parser = parser
    var (events, rest, content): ([String], [UInt8], [UInt8]) = ([], [], [])
    var isRefused = false
    for piece in pieces {
        rest += piece
        var offset = 0
        rest.withView { bytes in
            stepping: while true {
                switch parser.step(bytes, &offset) {
                case .needsMore: break stepping
                case .wantsContinue: continue
                case .head:
                    if let limit { parser.accept(.whole(byteCountMax: limit)) }
                    if stream { parser.accept(.stream) }
                case .content(let part): content += part.array
                case .complete(let request):
                    events.append(describe(request, content))
                    content = []
                case .refused(let error):
                    if !isRefused { events.append("\(error.status.rawValue)") }
                    isRefused = true
                    break stepping
                }
            }
        }
        rest.removeFirst(offset)
    }
    return events
}

private func describe(_ request: Request, _ streamed: [UInt8]) -> String {
    var text = request.head.methodText.text + " " + request.head.target.text
    let body = request.body.array + streamed
    if !body.isEmpty { text += " [" + String(decoding: body, as: UTF8.self) + "]" }
    if !request.head.keepsAlive { text += " close" }
    if request.head.wantsWebSocket { text += " websocket" }
    if !request.head.target.equals("*") {
        do throws(HTTPError) {
            _ = try RequestTarget(request.head.target)
        } catch {
            text += " target:\(error.status.rawValue)"
        }
    }
    return text
}

/// The bytes cut everywhere into two, and into single ones; long ones are cut at fewer places.
func cuts(_ bytes: [UInt8]) -> [[[UInt8]]] {
    let stride = bytes.count > 1000 ? 3001 : 1
    var all = [[bytes], bytes.map { [$0] }]
    for place in Swift.stride(from: 1, to: bytes.count, by: stride) {
        all.append([Array(bytes[..<place]), Array(bytes[place...])])
    }
    return all
}

/// A request from its lines.
func message(_ line: String, _ fields: String..., body: String = "") -> String {
    line + "\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
}
