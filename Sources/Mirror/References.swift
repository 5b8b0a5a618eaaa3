// The records a value refers to, as its schema says.
//
// Text that only reads like a key refers to nothing, and the same key in another tree is another
// record: what depends on a change is decided by this.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStore

/// A record another one refers to from inside its value.
struct Reference: Hashable {
    var tree: TreeName
    /// `12.0`, as it stands in the value: names compare by their bytes.
    var text: [UInt8]

    init(_ tree: TreeName, _ text: String) {
        self.tree = tree
        self.text = Array(text.utf8)
    }
}

extension MirrorCore {
    /// The pending changes a change builds on: those it names, and those that make a record which
    /// one of its values refers to.
    ///
    /// - Parameter change: A change that is about to be kept.
    /// - Returns: Their ids, each once.
    func requirements(of change: Change) -> [UniqueID] {
        var requires = change.requires
        guard outbox.hasMakers else { return requires }
        for operation in change.operations {
            switch operation {
            case .put(let write), .patch(let write):
                let schemas = store.read { $0.state.tree(write.tree)?.declaration.schemas ?? [] }
                guard
                    let schema = schemas.last(where: { $0.version == write.schema })
                        ?? schemas.last
                else { continue }
                let references = write.value.withView { schema.references(in: $0) }
                for maker in Set(references.compactMap { outbox.maker(of: $0) }).sorted()
                where maker != change.id && !requires.contains(maker) { requires.append(maker) }
            default: continue
            }
        }
        return requires
    }
}

extension Descriptor {
    /// The records a value refers to; null and members the schema does not know refer to none.
    ///
    /// - Parameter value: A normalised document.
    /// - Returns: Each once; of a value that does not fit, what stands before the misfit.
    func references(in value: ByteView) -> Set<Reference> {
        guard fields.contains(where: { $0.type.mayRefer }) else { return [] }
        var found: Set<Reference> = []
        var scanner = JSONScanner(value)
        do throws(JSONError) {
            try Self.gather(fields, &scanner, &found)
        } catch {
            // The engine refuses such a value, whatever it refers to.
        }
        return found
    }

    private static func gather(
        _ fields: [Field],
        _ scanner: inout JSONScanner,
        _ found: inout Set<Reference>
    ) throws(JSONError) {
        try members(&scanner) { (name, scanner) throws(JSONError) in
            guard let field = fields.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
                try scanner.skipValue()
                return
            }
            try gather(field.type, &scanner, &found)
        }
    }

    private static func gather(
        _ type: FieldType,
        _ scanner: inout JSONScanner,
        _ found: inout Set<Reference>
    ) throws(JSONError) {
        guard type.mayRefer else {
            try scanner.skipValue()
            return
        }
        if try scanner.readNull() { return }
        switch type {
        case .key(let tree):
            if let text = try scanner.readString().text {
                found.insert(Reference(tree, text))
            }
        case .array(let element):
            try scanner.enterArray()
            while try scanner.nextElement() { try gather(element, &scanner, &found) }
        case .structure(let fields): try gather(fields, &scanner, &found)
        case .dictionary(let element):
            try members(&scanner) { (_, scanner) throws(JSONError) in
                try gather(element, &scanner, &found)
            }
        case .payloadEnum(let cases, _):
            try members(&scanner) { (name, scanner) throws(JSONError) in
                let payload = cases.first { $0.name.utf8.elementsEqual(name.utf8) }
                try gather(payload?.fields ?? [], &scanner, &found)
            }
        default: try scanner.skipValue()
        }
    }

    private static func members(
        _ scanner: inout JSONScanner,
        _ body: (String, inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) {
        try scanner.enterObject()
        while let name = try scanner.nextMember() { try body(name.text ?? "", &scanner) }
    }
}

extension FieldType {
    /// Whether a value of this type can refer to records.
    fileprivate var mayRefer: Bool {
        switch self {
        case .key: true
        case .array(let element), .dictionary(let element): element.mayRefer
        case .structure(let fields): fields.contains { $0.type.mayRefer }
        case .payloadEnum(let cases, _):
            cases.contains { $0.fields.contains { $0.type.mayRefer } }
        default: false
        }
    }
}
