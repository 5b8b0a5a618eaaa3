// The gate through which every document enters: checks it and drops its white space, in one pass.
//
// Invariants of a normalised document: one value of RFC 8259, UTF-8, no white space outside
// strings, every token byte for byte as it came, no member named twice, no lone surrogate, no
// deeper than the limit. Whatever is stored, indexed or decoded later relies on them for its
// meaning (never for memory safety: the readers check their own bounds).
//
// Unsafe, with this argument: `at` and `run` stay between `start` and `end`, each read is preceded
// by a comparison with `end`; the output holds as many bytes as the input and gets each of them
// once at most.
public import HoldfastBasics

/// Checks JSON text and brings it into the form in which it is stored.
public enum JSONNormalizer {
    /// Longest text: offsets have 31 bits.
    public static let byteCountMax = Int(Int32.max)

    /// Checks a text and appends it without its white space.
    ///
    /// Number tokens and escapes stay as they are written: `1.0` stays `1.0`, `\u0041` stays so.
    /// Member names are compared by their bytes after unescaping.
    ///
    /// - Parameters:
    ///   - input: The text; not the output's own memory.
    ///   - output: Gets the document; unchanged when the text is refused.
    ///   - depthMax: Containers inside one another, the outermost being 1.
    /// - Throws: What is wrong first, and where.
    ///
    /// Complexity: one pass; objects of more than 64 members are sorted by name.
    ///
    /// Source: RFC 8259.
    public static func normalize(
        _ input: ByteView,
        into output: inout ByteBuffer,
        depthMax: Int = Limits.depthMax
    ) throws(JSONError) {
        guard input.count <= byteCountMax else { throw .tooLong(byteCountMax: byteCountMax) }
        var failure: JSONError?
        output.appendUnsafe(input.count) { memory in
            pass(input, memory, depthMax, &failure)
        }
        if let failure { throw failure }
    }

    /// Checks a text and gives it without its white space.
    ///
    /// - Parameters:
    ///   - input: The text.
    ///   - depthMax: Containers inside one another, the outermost being 1.
    /// - Returns: The document.
    /// - Throws: What is wrong first, and where.
    public static func normalized(
        _ input: ByteView,
        depthMax: Int = Limits.depthMax
    ) throws(JSONError) -> [UInt8] {
        guard input.count <= byteCountMax else { throw .tooLong(byteCountMax: byteCountMax) }
        var failure: JSONError?
        let bytes = [UInt8](unsafeUninitializedCapacity: input.count) { memory, count in
            count = pass(input, UnsafeMutableRawBufferPointer(memory), depthMax, &failure)
        }
        if let failure { throw failure }
        return bytes
    }

    /// Small documents find all their room on the stack (1 KiB each is the compiler's limit).
    private static func pass(
        _ input: ByteView,
        _ memory: UnsafeMutableRawBufferPointer,
        _ depthMax: Int,
        _ failure: inout JSONError?
    ) -> Int {
        guard input.count > 0, let room = memory.baseAddress else {
            failure = .empty
            return 0
        }
        let out = room.assumingMemoryBound(to: UInt8.self)
        return withUnsafeTemporaryAllocation(of: MemberNames.Entry.self, capacity: 64) { names in
            withUnsafeTemporaryAllocation(of: NormalizerPass.Level.self, capacity: 32) { levels in
                var pass = NormalizerPass(input, out, names, levels, depthMax)
                do throws(JSONError) {
                    try pass.document()
                    return pass.out - out
                } catch {
                    failure = error
                    return 0
                }
            }
        }
    }
}

/// One pass over one text.
struct NormalizerPass: ~Copyable {
    /// An open container.
    struct Level: BitwiseCopyable {
        let isObject: Bool
        var scope: MemberNames.Scope
    }

    private let start: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private var at: UnsafePointer<UInt8>
    /// Beginning of what has been checked and not copied yet.
    private var run: UnsafePointer<UInt8>
    private(set) var out: UnsafeMutablePointer<UInt8>
    private var names: MemberNames
    private var levels: PlainStack<Level>
    private let depthMax: Int

    init(
        _ input: ByteView,
        _ output: UnsafeMutablePointer<UInt8>,
        _ lentNames: UnsafeMutableBufferPointer<MemberNames.Entry>,
        _ lentLevels: UnsafeMutableBufferPointer<Level>,
        _ depthMax: Int
    ) {
        let cursor = JSONCursor(input)
        start = cursor.start
        end = cursor.end
        at = start
        run = start
        out = output
        names = MemberNames(text: input, lent: lentNames)
        levels = PlainStack(lent: lentLevels)
        self.depthMax = depthMax
    }

    private var offset: Int { at - start }

    /// Checks the whole text and copies it.
    mutating func document() throws(JSONError) {
        if end - at >= 3, at[0] == 0xEF, at[1] == 0xBB, at[2] == 0xBF { throw .byteOrderMark }
        skipSpace()
        guard at < end else { throw .empty }
        repeat { try value() } while try goesOn()
        skipSpace()
        guard at == end else { throw .trailingBytes(offset: offset) }
        copyRun()
    }

    /// Reads a scalar, an empty container, or the opening of containers up to the first scalar.
    @inline(__always)
    private mutating func value() throws(JSONError) {
        while true {
            guard at < end else { throw .unexpectedEnd(offset: offset) }
            switch at.pointee {
            case ASCII.quote:
                at += 1
                _ = try string()
                return
            case ASCII.brace:
                if try open(isObject: true, end: ASCII.braceEnd) { return }
                try name()
            case ASCII.bracket:
                if try open(isObject: false, end: ASCII.bracketEnd) { return }
            case ASCII.minus, 48...57: return try number()
            case ASCII.t: return try literal(0x6575_7274, skipping: 0)
            case ASCII.f: return try literal(0x6573_6C61, skipping: 1)
            case ASCII.n: return try literal(0x6C6C_756E, skipping: 0)
            default: throw .unexpectedByte(offset: offset, byte: at.pointee)
            }
        }
    }

    /// After a value: closes what ends here; true when another value is due.
    @inline(__always)
    private mutating func goesOn() throws(JSONError) -> Bool {
        while levels.count > 0 {
            skipSpace()
            guard at < end else { throw .unexpectedEnd(offset: offset) }
            let byte = at.pointee
            let isObject = levels[levels.count &- 1].isObject
            if byte == ASCII.comma {
                at += 1
                skipSpace()
                if isObject { try name() }
                return true
            }
            guard byte == (isObject ? ASCII.braceEnd : ASCII.bracketEnd) else {
                throw .unexpectedByte(offset: offset, byte: byte)
            }
            at += 1
            if isObject, let twice = names.end(levels[levels.count &- 1].scope) {
                throw .duplicateMember(offset: twice - 1)
            }
            levels.truncate(to: levels.count &- 1)
        }
        return false
    }

    /// Opens a container; true when it is empty and thereby closed again.
    @inline(__always)
    private mutating func open(isObject: Bool, end closing: UInt8) throws(JSONError) -> Bool {
        guard levels.count < depthMax else { throw .tooDeep(offset: offset, depthMax: depthMax) }
        at += 1
        skipSpace()
        if at < end, at.pointee == closing {
            at += 1
            return true
        }
        levels.append(Level(isObject: isObject, scope: names.scope))
        return false
    }

    /// Reads a member's name and its colon, and the space around them.
    @inline(__always)
    private mutating func name() throws(JSONError) {
        guard at < end else { throw .unexpectedEnd(offset: offset) }
        guard at.pointee == ASCII.quote else {
            throw .unexpectedByte(offset: offset, byte: at.pointee)
        }
        at += 1
        let first = offset
        let isEscaped = try string()
        let place = first..<offset - 1
        let top = levels.count &- 1
        guard names.add(place, isEscaped: isEscaped, to: &levels[top].scope) else {
            throw .duplicateMember(offset: first - 1)
        }
        skipSpace()
        guard at < end else { throw .unexpectedEnd(offset: offset) }
        guard at.pointee == ASCII.colon else {
            throw .unexpectedByte(offset: offset, byte: at.pointee)
        }
        at += 1
        skipSpace()
    }

    /// Reads a string to behind its closing quote; true when it holds an escape.
    @inline(__always)
    private mutating func string() throws(JSONError) -> Bool {
        var isEscaped = false
        while true {
            while end - at >= 8 {
                let word = ByteScan.word(at)
                let hits = ByteScan.stops(word) | word & ByteScan.highs
                if hits != 0 {
                    at += hits.trailingZeroBitCount >> 3
                    break
                }
                at += 8
            }
            guard at < end else { throw .unexpectedEnd(offset: offset) }
            let byte = at.pointee
            if byte == ASCII.quote {
                at += 1
                return isEscaped
            }
            if byte == ASCII.backslash {
                isEscaped = true
                try escape()
            } else if byte < 0x20 {
                throw .controlCharacter(offset: offset)
            } else if byte < 0x80 {
                at += 1
            } else {
                try sequences()
            }
        }
    }

    @inline(never)
    private mutating func sequences() throws(JSONError) {
        while at < end, at.pointee >= 0x80 {
            let length = ByteScan.sequenceLength(at, end: end)
            guard length > 0 else { throw .invalidUTF8(offset: offset) }
            at += length
        }
    }

    @inline(never)
    private mutating func escape() throws(JSONError) {
        let place = offset
        guard end - at >= 2 else { throw .unexpectedEnd(offset: end - start) }
        let letter = at[1]
        at += 2
        guard letter == ASCII.u else {
            if ByteScan.plainEscape(letter) == nil { throw .badEscape(offset: place) }
            return
        }
        guard end - at >= 4, ByteScan.codeUnit(at) != nil else { throw .badEscape(offset: place) }
        guard ByteScan.scalar(&at, end: end) != nil else { throw .loneSurrogate(offset: place) }
    }

    @inline(__always)
    private mutating func number() throws(JSONError) {
        let place = offset
        if at.pointee == ASCII.minus { at += 1 }
        let leadsWithZero = at < end && at.pointee == 48
        let length = digits()
        guard length == 1 || length > 0 && !leadsWithZero else { throw .badNumber(offset: place) }
        if at < end, at.pointee == ASCII.point {
            at += 1
            guard digits() > 0 else { throw .badNumber(offset: place) }
        }
        if at < end, at.pointee | 0x20 == ASCII.e {
            at += 1
            if at < end, at.pointee == ASCII.plus || at.pointee == ASCII.minus { at += 1 }
            guard digits() > 0 else { throw .badNumber(offset: place) }
        }
    }

    @inline(__always)
    private mutating func digits() -> Int {
        let first = at
        while at < end, at.pointee &- 48 <= 9 { at += 1 }
        return at - first
    }

    /// Reads a literal whose last four letters are `letters`, after `skipping` ones already known.
    @inline(__always)
    private mutating func literal(_ letters: UInt32, skipping: Int) throws(JSONError) {
        guard end - at >= 4 + skipping, ByteScan.half(at + skipping) == letters else {
            throw .unexpectedByte(offset: offset, byte: at.pointee)
        }
        at += 4 + skipping
    }

    /// Passes white space, which ends the run that is to be copied.
    @inline(__always)
    private mutating func skipSpace() {
        if at < end, at.pointee <= ASCII.space { passSpace() }
    }

    @inline(never)
    private mutating func passSpace() {
        copyRun()
        while at < end {
            switch at.pointee {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default:
                run = at
                return
            }
        }
        run = at
    }

    @inline(__always)
    private mutating func copyRun() {
        let count = at - run
        out.update(from: run, count: count)
        out += count
        run = at
    }
}
