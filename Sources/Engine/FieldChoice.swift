// Chosen members of a record's value.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Members of a document that are shown; the others are left out.
///
/// Members keep the order and the bytes in which they stand.
public struct FieldChoice: Hashable, Sendable {
    private var root = Node()

    /// A member that is shown whole, or in part.
    private final class Node: Hashable, Sendable {
        let isWhole: Bool
        let members: [[UInt8]: Node]

        init(isWhole: Bool = false, members: [[UInt8]: Node] = [:]) {
            self.isWhole = isWhole
            self.members = members
        }

        /// With one more path.
        func adding(_ path: ArraySlice<[UInt8]>) -> Node {
            guard let name = path.first else { return Node(isWhole: true) }
            if isWhole { return self }
            var members = self.members
            members[name] = (members[name] ?? Node()).adding(path.dropFirst())
            return Node(members: members)
        }

        static func == (a: Node, b: Node) -> Bool {
            a.isWhole == b.isWhole && a.members == b.members
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(isWhole)
            hasher.combine(members)
        }
    }

    /// Reads a choice.
    ///
    /// - Parameters:
    ///   - text: Names of fields, separated by commas.
    ///   - descriptor: The tree's current version; nil for a tree without schema, where any name
    ///     is taken and dots lead inwards.
    /// - Throws: When there is no such field.
    public init(_ text: String, in descriptor: Descriptor?) throws(QueryError) {
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard !name.isEmpty else {
                throw QueryError("Name fields, separated by commas, as number,stock.")
            }
            let names: [[UInt8]]
            if let descriptor {
                names = try FieldPath(String(name), in: descriptor).names
            } else {
                names = name.split(separator: ".", omittingEmptySubsequences: false)
                    .map { Array($0.utf8) }
            }
            root = root.adding(names[...])
        }
    }

    /// Appends the chosen members of a value as an object: empty when it has none of them.
    ///
    /// - Parameters:
    ///   - document: Normalised JSON.
    ///   - buffer: Gets the object.
    public func append(_ document: ByteView, to buffer: inout ByteBuffer) {
        guard Self.isObject(document) else { return buffer.append("{}") }
        Self.append(document, root, to: &buffer)
    }

    private static func isObject(_ document: ByteView) -> Bool {
        !document.isEmpty && document[0] == UInt8(ascii: "{")
    }

    private static func append(_ document: ByteView, _ node: Node, to buffer: inout ByteBuffer) {
        // Null, or what an older major version had there, is shown as it is.
        guard !node.isWhole, isObject(document) else { return buffer.append(document) }
        buffer.append("{")
        do throws(JSONError) {
            var scanner = JSONScanner(document)
            try scanner.enterObject()
            var isFirst = true
            while let name = try scanner.nextMember() {
                let value = try scanner.skipValue()
                guard let chosen = node.members[content(name)] else { continue }
                if !isFirst { buffer.append(",") }
                isFirst = false
                buffer.append("\"")
                buffer.append(name.raw)
                buffer.append("\":")
                append(value, chosen, to: &buffer)
            }
        } catch {
            // No normalised document has such bytes.
        }
        buffer.append("}")
    }

    private static func content(_ name: JSONString) -> [UInt8] {
        name.isEscaped ? name.unescaped : name.raw.array
    }
}
