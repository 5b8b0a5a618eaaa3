import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import Testing

/// Bytes placed so that reading one beyond their end is a fault of the process, not a wrong answer.
final class GuardedBytes {
    private let base: UnsafeMutableRawPointer
    private let pageByteCount = 4096
    private let length: Int

    init(maxByteCount: Int) {
        length = (maxByteCount / pageByteCount + 2) * pageByteCount
        base = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        mprotect(base + length - pageByteCount, pageByteCount, PROT_NONE)
    }

    deinit { munmap(base, length) }

    func withCopy<T>(of bytes: [UInt8], _ body: (ByteView) -> T) -> T {
        let start = base + length - pageByteCount - bytes.count
        bytes.withUnsafeBytes { source in
            if let from = source.baseAddress {
                start.copyMemory(from: from, byteCount: source.count)
            }
        }
        return body(ByteView(UnsafeRawBufferPointer(start: start, count: bytes.count)))
    }
}

/// Everything that reads documents, on bytes that are none.
private func readEverything(_ bytes: ByteView) {
    _ = UTF8Validator.isValid(bytes)
    _ = try? JSONNormalizer.normalized(bytes)
    var walker = JSONScanner(bytes)
    walk(&walker, depth: 0)
    let name = Array("tags".utf8)
    _ = name.withView { try? JSONScanner.member(named: $0, in: bytes) }
    let decoder = RecordDecoder()
    _ = try? decoder.decode(Part.self, from: bytes)
    _ = try? decoder.decode(AnyValue.self, from: bytes)
    _ = try? decoder.decode([String: [Int]].self, from: bytes)
    _ = try? decoder.decode([Double].self, from: bytes)
    _ = try? decoder.decode(Shape.self, from: bytes)
    _ = JSONPrinter.pretty(bytes)
    _ = try? JSONMergePatch.apply(patch: bytes, to: bytes)
    let other = Array("{\"id\":1,\"tags\":[{\"a\":1}]}".utf8)
    other.withView { other in
        _ = try? JSONDifference.apply(differenceFrom: other, to: bytes, onto: bytes)
        _ = try? JSONDifference.apply(differenceFrom: bytes, to: other, onto: bytes)
        _ = try? JSONMergePatch.apply(patch: other, to: bytes)
    }
}

private func walk(_ scanner: inout JSONScanner, depth: Int) {
    guard depth < 200, let kind = try? scanner.peekKind() else { return }
    switch kind {
    case .object:
        guard (try? scanner.enterObject()) != nil else { return }
        while let name = try? scanner.nextMember() {
            _ = name.text
            let before = scanner.offset
            walk(&scanner, depth: depth + 1)
            if scanner.offset == before { return }
        }
    case .array:
        guard (try? scanner.enterArray()) != nil else { return }
        while (try? scanner.nextElement()) == true {
            let before = scanner.offset
            walk(&scanner, depth: depth + 1)
            if scanner.offset == before { return }
        }
    case .string: _ = (try? scanner.readString())?.text
    case .number:
        let number = try? scanner.readNumber()
        _ = (number?.integer(Int64.self), number?.double, number?.float)
    case .true, .false: _ = try? scanner.readBool()
    case .null: _ = try? scanner.readNull()
    }
}

@Suite struct DamageTests {
    @Test(
        "A document cut at any byte is refused by the normaliser and read by nobody beyond its end"
    )
    func truncation() throws {
        let memory = GuardedBytes(maxByteCount: 8192)
        let document = try RecordEncoder().encode(Part.sample(3))
        for length in 0..<document.count {
            let cut = Array(document.prefix(length))
            memory.withCopy(of: cut) { bytes in
                #expect(throws: JSONError.self) { try JSONNormalizer.normalized(bytes) }
                #expect(throws: (any Error).self) {
                    try RecordDecoder().decode(Part.self, from: bytes)
                }
                readEverything(bytes)
            }
        }
        memory.withCopy(of: document) { bytes in
            #expect((try? RecordDecoder().decode(Part.self, from: bytes)) == Part.sample(3))
            readEverything(bytes)
        }
    }

    @Test("Random documents cut anywhere crash nothing")
    func truncatedRandom() {
        let memory = GuardedBytes(maxByteCount: 65_536)
        let maker = DocumentMaker(seed: 21)
        for _ in 0..<400 {
            let document = Array(maker.spread(maker.document()).utf8.prefix(60_000))
            memory.withCopy(of: Array(document.prefix(maker.below(document.count + 1)))) {
                readEverything($0)
            }
        }
    }

    @Test(
        "Random flips of bytes crash nothing, and what the normaliser passes Foundation reads too"
    )
    func flips() throws {
        let memory = GuardedBytes(maxByteCount: 65_536)
        let maker = DocumentMaker(seed: 22)
        let interesting =
            Array("\"\\{}[],:0-9eE.+ntfu \u{0}\u{1F}".utf8) + [0x80, 0xC0, 0xED, 0xFF]
        for round in 0..<2500 {
            var bytes =
                round % 2 == 0
                ? try RecordEncoder().encode(Part.sample(maker.below(100)))
                : Array(maker.document().utf8.prefix(60_000))
            for _ in 0...maker.below(4) where !bytes.isEmpty {
                let at = maker.below(bytes.count)
                switch maker.below(4) {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: maker.random.next())
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(interesting[maker.below(interesting.count)], at: at)
                default: bytes[at] = interesting[maker.below(interesting.count)]
                }
            }
            memory.withCopy(of: bytes) { view in
                readEverything(view)
                // Foundation refuses numbers beyond every double, which are kept here.
                guard let normal = try? JSONNormalizer.normalized(view) else { return }
                if !bytes.contains(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
                    #expect(oracle(bytes) != nil, "\(String(decoding: bytes, as: UTF8.self))")
                }
                #expect((try? normal.withView { try JSONNormalizer.normalized($0) }) == normal)
            }
        }
    }
}
