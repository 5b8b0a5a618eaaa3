// The lines of a request's head: request line, fields, and what the fields mean for the message.
//
// A line is judged when its end has come, its length first, so that the verdict does not depend on
// how the bytes are cut. Source: RFC 9112, sections 3, 5, 6 and 9; RFC 9110, sections 7.2 and 10.1.
internal import HoldfastBasics

/// What the parser has learned of the head it is reading.
struct HeadFacts {
    /// Where the line being read begins.
    var line = 0
    /// How far line ends have been looked for.
    var scanned = 0
    /// Length of the head, once complete.
    var byteCount = 0
    var method = Slice()
    var knownMethod = HTTPMethod.other
    var target = Slice()
    var host = Slice()
    var hasRequestLine = false
    var hasAuthority = false
    var isVersion11 = true
    var hasHost = false
    /// -1 while there is no Content-Length.
    var contentLength = -1
    var isChunked = false
    var namesClose = false
    var namesKeepAlive = false
    var namesUpgrade = false
    var namesWebSocket = false
    var expectsContinue = false

    /// Source: RFC 9112, section 9.3.
    var keepsAlive: Bool { !namesClose && (isVersion11 || namesKeepAlive) }
}

extension RequestParser {
    /// Reads lines until the empty one.
    ///
    /// - Parameter message: From the first byte of the request line on.
    /// - Returns: Whether the head is complete.
    /// - Throws: The refusal of the first line that breaks a rule.
    mutating func readHead(_ message: ByteView) throws(HTTPError) -> Bool {
        while true {
            guard let end = message.firstIndex(of: ASCII.lineFeed, from: head.facts.scanned) else {
                head.facts.scanned = message.count
                // The line cannot end within the limit any more.
                if message.count >= headByteCountMax { throw lineTooLong }
                return false
            }
            if end >= headByteCountMax { throw lineTooLong }
            let start = head.facts.line
            guard end > start, message[end - 1] == ASCII.carriageReturn else {
                throw .bareLineFeed
            }
            head.facts.line = end + 1
            head.facts.scanned = end + 1
            if !head.facts.hasRequestLine {
                try readRequestLine(message, start, end - 1)
            } else if end - 1 == start {
                head.facts.byteCount = end + 1
                try judgeHead(message)
                return true
            } else {
                try readField(message, start, end - 1)
            }
        }
    }

    private var lineTooLong: HTTPError {
        head.facts.hasRequestLine
            ? .headTooLarge(limit: headByteCountMax) : .targetTooLong(limit: targetByteCountMax)
    }

    // MARK: Request line

    private mutating func readRequestLine(
        _ message: ByteView,
        _ start: Int,
        _ end: Int
    ) throws(HTTPError) {
        var index = start
        while index < end, ASCII.isToken(message[index]) { index &+= 1 }
        guard index > start, index < end, message[index] == ASCII.space else {
            throw .malformedRequestLine
        }
        head.facts.method = Slice(start..<index)
        head.facts.knownMethod = HTTPMethod(message[start..<index])
        let target = index + 1
        index = target
        while index < end, ASCII.isVisible(message[index]) {
            if message[index] == ASCII.hash { throw .badTarget }
            index &+= 1
        }
        guard index > target, index < end, message[index] == ASCII.space else {
            throw .malformedRequestLine
        }
        if index - target > targetByteCountMax {
            throw .targetTooLong(limit: targetByteCountMax)
        }
        try readVersion(message[index + 1..<end])
        try readTarget(message, target..<index)
        head.facts.hasRequestLine = true
    }

    private mutating func readVersion(_ version: ByteView) throws(HTTPError) {
        if version.equals("HTTP/1.1") { return }
        if version.equals("HTTP/1.0") {
            head.facts.isVersion11 = false
            return
        }
        guard version.count == 8, version[0..<5].equals("HTTP/"), ASCII.isDigit(version[5]),
            version[6] == UInt8(ascii: "."), ASCII.isDigit(version[7])
        else { throw .malformedRequestLine }
        throw .unsupportedVersion
    }

    /// Takes origin form, absolute form, and the asterisk of OPTIONS.
    ///
    /// Source: RFC 9112, section 3.2.
    private mutating func readTarget(
        _ message: ByteView,
        _ range: Range<Int>
    ) throws(HTTPError) {
        let (target, method) = (message[range], message[head.facts.method.range])
        if method.equals("CONNECT") { throw .tunnelRefused }
        head.facts.target = Slice(range)
        if target[0] == ASCII.slash { return }
        if target.equals("*"), method.equals("OPTIONS") { return }

        let scheme: Int
        if target.count >= 7, target[0..<7].equalsIgnoringCase("http://") {
            scheme = 7
        } else if target.count >= 8, target[0..<8].equalsIgnoringCase("https://") {
            scheme = 8
        } else {
            throw .badTarget
        }
        var end = scheme
        while end < target.count, target[end] != ASCII.slash, target[end] != ASCII.question {
            end += 1
        }
        guard end > scheme, Self.isHost(target[scheme..<end]) else { throw .badTarget }
        // "http://host?query" has no path to hand on.
        if end < target.count, target[end] == ASCII.question { throw .badTarget }
        head.facts.host = Slice(range.lowerBound + scheme..<range.lowerBound + end)
        head.facts.target = Slice(range.lowerBound + end..<range.upperBound)
        head.facts.hasAuthority = true
    }

    /// Whether bytes are made of the characters of a host with an optional port; a bracket opens
    /// an IPv6 address, and closes it.
    private static func isHost(_ bytes: ByteView) -> Bool {
        if bytes.firstIndex(of: UInt8(ascii: "[")) != nil {
            guard bytes[0] == UInt8(ascii: "["),
                let end = bytes.firstIndex(of: UInt8(ascii: "]")),
                end + 1 == bytes.count || bytes[end + 1] == UInt8(ascii: ":")
            else { return false }
        }
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if ASCII.isLetter(byte) || ASCII.isDigit(byte) { continue }
            switch byte {
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
                continue
            default: return false
            }
        }
        return true
    }

    // MARK: Fields

    private mutating func readField(
        _ message: ByteView,
        _ start: Int,
        _ end: Int
    ) throws(HTTPError) {
        let (nameEnd, value) = try FieldLine.split(message, start, end)
        guard fields.count < headerCountMax * FieldTable.entryByteCount else {
            throw .tooManyFields(limit: headerCountMax)
        }
        fields.appendField(name: start..<nameEnd, value: value)
        head.noteName(byteCount: nameEnd - start)
        let name = message[start..<nameEnd]
        // The lengths of the names that mean something to the parser.
        switch name.count {
        case 4 where name.equalsIgnoringCase("host"):
            try readHost(message, value)
        case 6 where name.equalsIgnoringCase("expect"):
            guard message[value].equalsIgnoringCase("100-continue"), !head.facts.expectsContinue
            else {
                throw .unknownExpectation
            }
            head.facts.expectsContinue = true
        case 7 where name.equalsIgnoringCase("upgrade"):
            FieldList.forEach(message[value]) { item in
                if item.equalsIgnoringCase("websocket") { head.facts.namesWebSocket = true }
            }
        case 10 where name.equalsIgnoringCase("connection"):
            try readConnection(message[value])
        case 14 where name.equalsIgnoringCase("content-length"):
            if head.facts.contentLength >= 0 { throw .contentLengthRepeated }
            head.facts.contentLength = try Self.contentLength(message[value])
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            if head.facts.isChunked { throw .transferCodingRepeated }
            guard message[value].equalsIgnoringCase("chunked") else {
                throw .unknownTransferCoding
            }
            head.facts.isChunked = true
        default:
            break
        }
    }

    private mutating func readHost(
        _ message: ByteView,
        _ value: Range<Int>
    ) throws(HTTPError) {
        if head.facts.hasHost { throw .hostRepeated }
        head.facts.hasHost = true
        guard Self.isHost(message[value]) else { throw .badHost }
        if head.facts.hasAuthority {
            guard message[head.facts.host.range].equalsIgnoringCase(message[value]) else {
                throw .badHost
            }
        } else {
            head.facts.host = Slice(value)
        }
    }

    private mutating func readConnection(_ value: ByteView) throws(HTTPError) {
        var isList = true
        FieldList.forEach(value) { item in
            if !item.isToken { isList = false }
            if item.equalsIgnoringCase("close") { head.facts.namesClose = true }
            if item.equalsIgnoringCase("keep-alive") { head.facts.namesKeepAlive = true }
            if item.equalsIgnoringCase("upgrade") { head.facts.namesUpgrade = true }
        }
        if !isList { throw .badConnection }
    }

    private static func contentLength(_ value: ByteView) throws(HTTPError) -> Int {
        if let length = value.decimal { return length }
        guard value.count > 18 else { throw .badContentLength }
        for index in 0..<value.count where !ASCII.isDigit(value[index]) {
            throw .badContentLength
        }
        throw .contentTooLarge(limit: 999_999_999_999_999_999)
    }

    /// What can only be said of the head as a whole.
    private func judgeHead(_ message: ByteView) throws(HTTPError) {
        if head.facts.isVersion11, !head.facts.hasHost { throw .hostMissing }
        if head.facts.isChunked {
            if !head.facts.isVersion11 { throw .transferCodingBefore11 }
            if head.facts.contentLength >= 0 { throw .contentLengthWithChunks }
        }
    }
}

/// The grammar of one header or trailer line.
enum FieldLine {
    /// Finds name and value of a line without its CRLF.
    ///
    /// - Returns: Where the name ends, and where the value stands without blanks around it.
    static func split(
        _ bytes: ByteView,
        _ start: Int,
        _ end: Int
    ) throws(HTTPError) -> (nameEnd: Int, value: Range<Int>) {
        var index = start
        while index < end, ASCII.isToken(bytes[index]) { index &+= 1 }
        // "Name :" ends here too, and so does a line that goes on from the one before.
        guard index > start, index < end, bytes[index] == ASCII.colon else {
            let isFolded =
                start < end && (bytes[start] == ASCII.space || bytes[start] == ASCII.tab)
            throw isFolded ? .foldedField : .malformedField
        }
        var (from, to) = (index + 1, end)
        while from < to, bytes[from] == ASCII.space || bytes[from] == ASCII.tab { from &+= 1 }
        while to > from, bytes[to &- 1] == ASCII.space || bytes[to &- 1] == ASCII.tab { to &-= 1 }
        var scan = from
        while scan < to {
            guard ASCII.isFieldContent(bytes[scan]) else { throw .controlCharacter }
            scan &+= 1
        }
        return (index, from..<to)
    }
}
