// A descriptor compiled to flat tables, so that checking a value reads arrays and allocates
// nothing.
//
// Invariants:
// - every index in a node, shape or member lies inside the table it points into;
// - a name table is never more than half full, so that a probe for an unknown name ends;
// - nodes of nested types stand before the node that holds them: there are no cycles.
internal import HoldfastBasics
internal import HoldfastRecords

/// A compiled descriptor.
final class SchemaProgram: Sendable {
    /// What a value is checked as.
    enum Kind: UInt8, Sendable {
        case bool, signed, unsigned, float, double, string, date, uuid, data, url, decimal, key
        case digest, file, array, structure, dictionary, stringEnum, integerEnum, payloadEnum, any
    }

    /// One type.
    struct Node: Sendable {
        let kind: Kind
        /// Element's node, shape or range of integers, by kind.
        var index = 0
        /// Width of an integer.
        var bits = 0
    }

    /// The named parts of one type: members of an object, or cases of an enum.
    struct Shape: Sendable {
        let members: Range<Int>
        /// How many members may not be absent.
        let requiredCount: Int
        /// Where the name table begins in `slots`.
        let slots: Int
        /// Size of the name table minus one; a power of two minus one.
        let mask: Int
    }

    /// One named part.
    struct Member: Sendable {
        /// The name, unescaped, in `names`.
        let name: Range<Int>
        /// The node of its value; unused for cases without payload.
        let node: Int
        let isOptional: Bool
        let isRequired: Bool
    }

    let nodes: [Node]
    let shapes: [Shape]
    let members: [Member]
    let slots: [Int32]
    let names: [UInt8]
    let integers: [Int64]
    let ranges: [Range<Int>]
    /// The node of the whole value.
    let root: Int

    /// Compiles the object with a descriptor's fields.
    convenience init(_ descriptor: Descriptor) { self.init(.structure(descriptor.fields)) }

    /// Compiles one type.
    init(_ type: FieldType) {
        var builder = SchemaBuilder()
        root = builder.add(type)
        nodes = builder.nodes
        shapes = builder.shapes
        members = builder.members
        slots = builder.slots
        names = builder.names
        integers = builder.integers
        ranges = builder.ranges
    }

    /// The part of a shape with a name, or nil.
    func member(_ name: ByteView, of shape: Shape, names: ByteView) -> Int? {
        var probe = schemaNameHash(name) & shape.mask
        while true {
            let slot = Int(slots[shape.slots + probe])
            if slot < 0 { return nil }
            if names[members[slot].name] == name { return slot }
            probe = (probe + 1) & shape.mask
        }
    }

    /// Whether a value may have a member `$file`.
    var mayNameFiles: Bool {
        nodes.contains { $0.kind == .dictionary || $0.kind == .any }
            || members.indices.contains { name(of: $0) == "$file" }
    }

    /// Whether an integer is among the cases of an integer enum.
    func hasCase(_ value: Int64, of range: Range<Int>) -> Bool {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if integers[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low < range.upperBound && integers[low] == value
    }

    /// The name of a part.
    func name(of member: Int) -> String {
        String(decoding: names[members[member].name], as: UTF8.self)
    }
}

/// The hash by which name tables are probed.
private func schemaNameHash(_ name: ByteView) -> Int {
    var hash = FoldHash(seed: 0)
    hash.combine(name)
    return Int(truncatingIfNeeded: hash.value & 0x7FFF_FFFF)
}

/// Gathers the tables of a program.
private struct SchemaBuilder {
    typealias Node = SchemaProgram.Node
    typealias Member = SchemaProgram.Member

    var nodes: [Node] = []
    var shapes: [SchemaProgram.Shape] = []
    var members: [Member] = []
    var slots: [Int32] = []
    var names: [UInt8] = []
    var integers: [Int64] = []
    var ranges: [Range<Int>] = []

    mutating func add(_ type: FieldType) -> Int {
        let node: Node
        switch type {
        case .bool: node = Node(kind: .bool)
        case .int(let bits): node = Node(kind: .signed, bits: bits)
        case .uint(let bits): node = Node(kind: .unsigned, bits: bits)
        case .float: node = Node(kind: .float)
        case .double: node = Node(kind: .double)
        case .string: node = Node(kind: .string)
        case .date: node = Node(kind: .date)
        case .uuid: node = Node(kind: .uuid)
        case .data: node = Node(kind: .data)
        case .url: node = Node(kind: .url)
        case .decimal: node = Node(kind: .decimal)
        case .key: node = Node(kind: .key)
        case .any: node = Node(kind: .any)
        case .file: node = Node(kind: .file, index: addFile())
        case .array(let element): node = Node(kind: .array, index: add(element))
        case .dictionary(let element): node = Node(kind: .dictionary, index: add(element))
        case .structure(let fields): node = Node(kind: .structure, index: addShape(fields))
        case .stringEnum(let cases, _):
            node = Node(kind: .stringEnum, index: addShape(cases.map { part($0, node: 0) }))
        case .integerEnum(let cases, _):
            let start = integers.count
            integers += cases.sorted()
            ranges.append(start..<integers.count)
            node = Node(kind: .integerEnum, index: ranges.count - 1)
        case .payloadEnum(let cases, _):
            let parts = cases.map { part($0.name, node: add(.structure($0.fields))) }
            node = Node(kind: .payloadEnum, index: addShape(parts))
        }
        nodes.append(node)
        return nodes.count - 1
    }

    private mutating func add(_ node: Node) -> Int {
        nodes.append(node)
        return nodes.count - 1
    }

    private mutating func addShape(_ fields: [Field]) -> Int {
        addShape(
            fields.map { field in
                part(
                    field.name,
                    node: add(field.type),
                    isOptional: field.isOptional,
                    isRequired: !field.isOptional && field.defaultValue == nil
                )
            }
        )
    }

    /// A file reference has the same four members everywhere.
    private mutating func addFile() -> Int {
        let digest = add(Node(kind: .digest))
        let size = add(Node(kind: .unsigned, bits: 53))
        let text = add(Node(kind: .string))
        return addShape([
            part("$file", node: digest, isRequired: true),
            part("size", node: size, isRequired: true),
            part("type", node: text, isRequired: true),
            part("name", node: text, isRequired: true),
        ])
    }

    private mutating func part(
        _ name: String,
        node: Int,
        isOptional: Bool = false,
        isRequired: Bool = false
    ) -> Member {
        let start = names.count
        names += name.utf8
        return Member(
            name: start..<names.count,
            node: node,
            isOptional: isOptional,
            isRequired: isRequired
        )
    }

    /// Lays parts and their name table down; parts of nested types have been laid before.
    private mutating func addShape(_ parts: [Member]) -> Int {
        let first = members.count
        members += parts
        var size = 4
        while size < parts.count * 2 { size *= 2 }
        var table = [Int32](repeating: -1, count: size)
        for (index, part) in parts.enumerated() {
            var probe = names.withView { schemaNameHash($0[part.name]) } & (size - 1)
            while table[probe] >= 0 { probe = (probe + 1) & (size - 1) }
            table[probe] = Int32(first + index)
        }
        shapes.append(
            SchemaProgram.Shape(
                members: first..<members.count,
                requiredCount: parts.filter(\.isRequired).count,
                slots: slots.count,
                mask: size - 1
            )
        )
        slots += table
        return shapes.count - 1
    }
}
