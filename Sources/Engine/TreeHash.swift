// The set hash of a tree: the sum modulo 2^128 of one hash per confirmed record. A mirror and its
// server compare it at exactly one seq. The contract and its test vectors stand in FORMAT.md.
public import HoldfastBasics
public import HoldfastRecords

/// The hash of one record, as it enters its tree's sum.
public enum TreeHash {
    private static let seeds: (UInt64, UInt64) = (0x5155_4F52_554D_0001, 0x5155_4F52_554D_0002)

    /// The name of a block, taken once for all its records.
    struct Block: Sendable {
        fileprivate private(set) var lanes = (FoldHash(seed: seeds.0), FoldHash(seed: seeds.1))

        init(_ name: ByteView) {
            lanes.0.combine(name)
            lanes.1.combine(name)
        }
    }

    /// Hashes a record of `block` as an effect set it.
    ///
    /// - Parameters:
    ///   - effect: The record's last effect.
    ///   - block: Name of the block that carried it.
    ///   - seq: Seq of the commit that carried it.
    /// - Returns: 128 bits; never zero in practice.
    public static func record(_ effect: EffectView, block: ByteView, seq: UInt64) -> Hash128 {
        record(effect, Block(block), seq: seq)
    }

    /// The same for a block whose name has been taken.
    static func record(_ effect: EffectView, _ block: Block, seq: UInt64) -> Hash128 {
        var value = FoldHash(seed: seeds.0)
        value.combine(effect.value)
        // Both lanes side by side: the processor works on two multiplications at once.
        var (high, low) = block.lanes
        if let number = effect.number {
            high.combine(number)
            low.combine(number)
        } else {
            high.combine(effect.name)
            low.combine(effect.name)
        }
        let (kind, number) = effect.state.stored
        let schema = effect.schema
        let words = (
            UInt64(effect.revision) << 32 | UInt64(number),
            UInt64(kind) << 32 | UInt64(schema.major) << 16 | UInt64(schema.minor),
            value.value
        )
        high.combine(words.0)
        low.combine(words.0)
        high.combine(words.1)
        low.combine(words.1)
        high.combine(seq)
        low.combine(seq)
        high.combine(words.2)
        low.combine(words.2)
        return Hash128(high: high.value, low: low.value)
    }
}
