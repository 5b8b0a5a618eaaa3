// SHA-256 by libcrypto. Source: FIPS 180-4.
internal import CHoldfastOpenSSL

/// 128 bits, compared and printed as a whole: chain, block hash, tree hash, request digest.
public struct Hash128: Hashable, Sendable, CustomStringConvertible {
    /// The first 8 bytes, big-endian.
    public var high: UInt64
    /// The last 8 bytes, big-endian.
    public var low: UInt64

    /// Puts two halves together.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All bits zero: the chain before the first commit, an empty set's hash.
    public static let zero = Hash128(high: 0, low: 0)

    /// The sum modulo 2^128.
    public static func &+ (a: Hash128, b: Hash128) -> Hash128 {
        let (low, carry) = a.low.addingReportingOverflow(b.low)
        return Hash128(high: a.high &+ b.high &+ (carry ? 1 : 0), low: low)
    }

    /// The difference modulo 2^128.
    public static func &- (a: Hash128, b: Hash128) -> Hash128 {
        let (low, borrow) = a.low.subtractingReportingOverflow(b.low)
        return Hash128(high: a.high &- b.high &- (borrow ? 1 : 0), low: low)
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { hexadecimal(high) + hexadecimal(low) }

    /// Reads 32 hexadecimal digits of lower case; anything else is nil.
    public init?(_ text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 32 else { return nil }
        var halves: [UInt64] = [0, 0]
        for (index, digit) in digits.enumerated() {
            let value: UInt8
            switch digit {
            case 48...57: value = digit - 48
            case 97...102: value = digit - 87
            default: return nil
            }
            halves[index / 16] = halves[index / 16] << 4 | UInt64(value)
        }
        self.init(high: halves[0], low: halves[1])
    }
}

/// 16 hexadecimal digits of lower case.
public func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// A SHA-256 digest, 32 bytes.
public struct Digest256: Hashable, Sendable, CustomStringConvertible {
    /// The digest's bytes, 32 of them.
    public let bytes: [UInt8]

    /// Takes a digest that was written down.
    ///
    /// - Precondition: There are 32 bytes.
    public init(bytes: [UInt8]) {
        precondition(bytes.count == 32, "SHA-256 has 32 bytes")
        self.bytes = bytes
    }

    /// Reads a digest as `description` writes it.
    ///
    /// - Parameter text: 64 lower-case hexadecimal digits; anything else gives nil.
    public init?(_ text: ByteView) {
        guard text.count == 64 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for index in 0..<32 {
            guard let high = Self.digit(text[2 * index]), let low = Self.digit(text[2 * index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// 64 lower-case hexadecimal digits.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The first 16 bytes.
    public var truncated: Hash128 {
        bytes.withView { view in
            Hash128(
                high: UInt64(bigEndian: UInt64(littleEndian: view.integer(at: 0))),
                low: UInt64(bigEndian: UInt64(littleEndian: view.integer(at: 8)))
            )
        }
    }
}

/// SHA-256 taken piece by piece.
///
/// One value serves many messages, one after the other; libcrypto's context is made once.
@safe public struct SHA256: ~Copyable {
    private let context: OpaquePointer
    // Fetched once: looking a digest up by name costs more than hashing a small message.
    nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    /// Begins a message.
    public init() {
        guard let made = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        context = made
        start()
    }

    deinit { EVP_MD_CTX_free(context) }

    private func start() {
        let result = EVP_DigestInit_ex(context, Self.algorithm, nil)
        precondition(result == 1, "libcrypto has no SHA-256")
    }

    /// Takes the next bytes of the message.
    public mutating func update(_ bytes: ByteView) {
        guard bytes.count > 0 else { return }
        bytes.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    }

    /// Takes a 128-bit value, big-endian.
    public mutating func update(_ hash: Hash128) {
        withUnsafeBytes(of: (hash.high.bigEndian, hash.low.bigEndian)) { update(ByteView($0)) }
    }

    /// Ends the message, gives its digest and begins the next message.
    public mutating func finish() -> Digest256 {
        let bytes = [UInt8](unsafeUninitializedCapacity: 32) { memory, count in
            EVP_DigestFinal_ex(context, memory.baseAddress, nil)
            count = 32
        }
        start()
        return Digest256(bytes: bytes)
    }

    /// As `finish`, cut to the first 128 bits and without an allocation.
    public mutating func finishTruncated() -> Hash128 {
        let hash = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { memory in
            EVP_DigestFinal_ex(
                context,
                memory.baseAddress?.assumingMemoryBound(to: UInt8.self),
                nil
            )
            return Hash128(
                high: UInt64(bigEndian: memory.load(as: UInt64.self)),
                low: UInt64(bigEndian: memory.load(fromByteOffset: 8, as: UInt64.self))
            )
        }
        start()
        return hash
    }

    /// The digest of one message.
    public static func digest(_ bytes: ByteView) -> Digest256 {
        var hasher = SHA256()
        hasher.update(bytes)
        return hasher.finish()
    }
}

/// SHA-1, for the WebSocket handshake, which fixes it; never for security.
///
/// Source: FIPS 180-4; RFC 6455, section 1.3.
public enum SHA1 {
    /// The digest of one message, 20 bytes.
    public static func digest(_ bytes: ByteView) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 20) { memory, count in
            let result = bytes.withUnsafeBytes {
                EVP_Digest($0.baseAddress, $0.count, memory.baseAddress, nil, EVP_sha1(), nil)
            }
            precondition(result == 1, "libcrypto has no SHA-1")
            count = 20
        }
    }
}
