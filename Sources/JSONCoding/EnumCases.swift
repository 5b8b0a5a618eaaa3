// All cases of an enum without payload, for those that do not list them themselves.
//
// Reads the runtime's metadata of the type: word 0 is the kind (0x201 for enums), word 1 leads to
// the descriptor, which holds the number of cases with payload in the low 24 bits at byte 20 and of
// those without at byte 24. An enum without payload is stored as the number of its case.
//
// Unsafe, with this argument: metadata begins with its kind, whatever the type. Nothing else is
// read, and no value is made, before a self-test has shown on enums of this file that the layout is
// the one above; where it is not, no type has known cases.
//
// Source: swift/docs/ABI/TypeMetadata.rst; swift/include/swift/ABI/Metadata.h,
// TargetEnumDescriptor.

/// The cases of enums, from the runtime.
public enum EnumCases {
    /// All cases of an enum without payload, in the order of their declaration.
    ///
    /// - Parameter type: Any type.
    /// - Returns: Its values; nil when it is no enum, some case carries a payload, or the runtime's
    ///   metadata is not as expected.
    public static func all<T>(of type: T.Type) -> [T]? { isTrusted ? read(type) : nil }

    /// Whether a type is an enum, with or without payload.
    ///
    /// - Parameter type: Any type.
    /// - Returns: Whether it is; false also for optionals.
    public static func isEnum(_ type: Any.Type) -> Bool { kind(type) == enumKind }

    private static let enumKind: UInt = 0x201
    private static let caseCountMax = 1 << 16

    private static func kind(_ type: Any.Type) -> UInt {
        unsafeBitCast(type, to: UnsafePointer<UInt>.self).pointee
    }

    private static func read<T>(_ type: T.Type) -> [T]? {
        guard kind(type) == enumKind else { return nil }
        let metadata = unsafeBitCast(type, to: UnsafePointer<UInt>.self)
        guard let descriptor = UnsafeRawPointer(bitPattern: metadata[1]) else { return nil }
        let payloads = descriptor.loadUnaligned(fromByteOffset: 20, as: UInt32.self) & 0xFF_FFFF
        let count = Int(descriptor.loadUnaligned(fromByteOffset: 24, as: UInt32.self))
        let size = MemoryLayout<T>.size
        guard payloads == 0, (1...caseCountMax).contains(count) else { return nil }
        // As many bytes as the number of the last case needs.
        guard size == (count == 1 ? 0 : count <= 256 ? 1 : 2) else { return nil }
        return (0..<count).map { number in
            withUnsafeTemporaryAllocation(
                byteCount: max(MemoryLayout<T>.stride, 2),
                alignment: max(MemoryLayout<T>.alignment, 2)
            ) { memory in
                memory.storeBytes(of: UInt16(number).littleEndian, as: UInt16.self)
                return memory.baseAddress.map { $0.load(as: T.self) }
            }
        }.compactMap { $0 }
    }

    // MARK: Self-test

    private enum One { case only }
    private enum Three: String { case one, two = "second", three }
    private enum Mixed {
        case empty
        case full(Int)
    }
    private struct NoEnum { var value = 0 }

    /// Whether metadata has been found to be as expected.
    private static let isTrusted =
        kind(Three.self) == enumKind && kind(NoEnum.self) != enumKind
        && kind(Three?.self) != enumKind
        && read(One.self)?.count == 1
        && read(Three.self)?.map(\.rawValue) == ["one", "second", "three"]
        && read(Mixed.self) == nil && read(Bool.self) == nil
}
