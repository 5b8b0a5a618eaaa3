// The set hash of a tree: the sum modulo 2^128 of one hash per confirmed record. A mirror and its
// server compare it at exactly one seq. The contract and its test vectors stand in FORMAT.md.
public import HoldfastBasics
public import HoldfastRecords

/// The hash of one record, as it enters its tree's sum.
public enum TreeHash {
    private static let seeds: (UInt64, UInt64) = (0x5155_4F52_554D_0001, 0x5155_4F52_554D_0002)

    /// The name of a block, taken once for all its records.
    struct Block {
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
        let checksum = value.value
        return Hash128(
            high: lane(block.lanes.0, effect, seq, checksum),
            low: lane(block.lanes.1, effect, seq, checksum)
        )
    }

    private static func lane(
        _ begun: FoldHash,
        _ effect: EffectView,
        _ seq: UInt64,
        _ checksum: UInt64
    ) -> UInt64 {
        var hash = begun
        if let number = effect.number {
            hash.combine(number)
        } else {
            hash.combine(effect.name)
        }
        let (kind, number) = effect.state.stored
        hash.combine(UInt64(effect.revision) << 32 | UInt64(number))
        hash.combine(
            UInt64(kind) << 32 | UInt64(effect.schema.major) << 16 | UInt64(effect.schema.minor)
        )
        hash.combine(seq)
        hash.combine(checksum)
        return hash.value
    }
}
