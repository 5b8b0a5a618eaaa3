// How the values of indexes compare: as everywhere, texts by their UTF-8 bytes.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding

/// A value of an ordered index.
///
/// Texts are equal and ordered by UTF-8 bytes, other values as their type says.
struct IndexValue<V: Comparable & Sendable>: Comparable, Sendable {
    /// The value.
    let value: V

    /// Wraps a value.
    init(_ value: V) { self.value = value }

    static func == (a: IndexValue, b: IndexValue) -> Bool {
        guard let x = a.value as? String, let y = b.value as? String else {
            return a.value == b.value
        }
        return x.utf8.elementsEqual(y.utf8)
    }

    static func < (a: IndexValue, b: IndexValue) -> Bool {
        guard let x = a.value as? String, let y = b.value as? String else {
            return a.value < b.value
        }
        return x.utf8.lexicographicallyPrecedes(y.utf8)
    }
}

/// The bytes by which the values of unique fields compare: the engine's.
enum IndexBytes {
    private static let encoder = RecordEncoder()

    /// The bytes of a value.
    ///
    /// - Parameter value: What a unique field holds.
    /// - Returns: The bytes under which the engine's unique index has it; nil for a value that is
    ///   not indexed: null, arrays and objects, and what cannot be encoded.
    static func bytes<V: Encodable>(of value: V) -> [UInt8]? {
        if let text = value as? String { return Array(text.utf8) }
        do {
            return try encoder.encode(value).withView { token in
                var bytes: [UInt8]?
                try UniqueFields.lend(token) { bytes = $0.array }
                return bytes
            }
        } catch {
            // A number that is not finite, say: no stored record carries it.
            return nil
        }
    }
}
