// What hands commits back to a restored server: there and back, and cut anywhere.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct HealingTailTests {
    private static let tail = HealingTail(
        lineage: [
            EpochStart(epoch: Epoch(rawValue: 1), firstSeq: 1),
            EpochStart(epoch: Epoch(rawValue: 0xFFFF_FFFF_FFFF_FFFF), firstSeq: 1 << 40),
        ],
        hashes: [
            BlockName(tree: .trees): Hash128(high: 1, low: 2),
            TreeName.borrows.block(about: .devices): .zero,
        ],
        contents: [[1], [], Array(repeating: 7, count: 300)]
    )

    private static func bytes(_ tail: HealingTail) -> [UInt8] {
        var buffer = ByteBuffer()
        tail.append(to: &buffer)
        return buffer.array
    }

    private static func refusal(_ bytes: [UInt8]) -> RefusalCode? {
        bytes.withView { view in
            do throws(ShapeRefusal) {
                _ = try HealingTail(view)
                return nil
            } catch {
                return error.refusal.code
            }
        }
    }

    @Test("A tail is read as it was written, with hashes and without")
    func thereAndBack() throws {
        var tail = Self.tail
        #expect(try Self.bytes(tail).withView { try HealingTail($0) } == tail)
        tail.hashes = nil
        #expect(try Self.bytes(tail).withView { try HealingTail($0) } == tail)
    }

    @Test("Cut anywhere but between two commits, a tail is none")
    func cut() {
        let whole = Self.bytes(Self.tail)
        let ends = [whole.count - 304, whole.count - 308]
        for count in 0..<whole.count {
            let isWhole = ends.contains(count)
            #expect((Self.refusal(Array(whole[0..<count])) == nil) == isWhole, "\(count)")
        }
    }

    @Test(
        "A head with other members, without epochs or beyond its body is refused",
        arguments: [
            ("{}", RefusalCode.badBody), ("{\"lineage\":[],\"more\":1}", .badBody),
            ("{\"lineage\":[{\"epoch\":\"x\",\"firstSeq\":1}]}", .badBody), ("{", .badJSON),
        ]
    )
    func head(_ text: String, _ code: RefusalCode) {
        let head = Array(text.utf8)
        let length = UInt8(head.count)
        #expect(Self.refusal([length, 0, 0, 0] + head + [1, 0, 0, 0, 1]) == code)
        #expect(Self.refusal([0xFF, 0xFF, 0xFF, 0xFF] + head) == .badBody)
    }
}
