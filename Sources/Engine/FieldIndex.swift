// The values of one field declared `indexed`, in their order, with the ids that carry them.
//
// An entry is one string of bytes: a mark (a value, or none), the value's form, the id. Forms that
// differ in length are escaped and ended, so that entries compare as value, then id. How many live
// revisions of the id carry the value is the entry's payload.
//
// Invariants:
// - every live revision of the walked part of the tree is counted in exactly one entry; nothing of
//   the rest is;
// - long texts stand by their beginnings: an entry never leaves out a record, but may name one
//   whose value differs behind.
internal import HoldfastBasics
internal import HoldfastRecords

/// The index of one field of one tree.
///
/// Confined by the owner of its `EngineState`.
final class FieldIndex {
    /// The field.
    let path: FieldPath
    /// Entries and their counts.
    private let entries: NameIndex
    private let isFixed: Bool
    private let isNumbered: Bool
    private let defaultForm: [UInt8]?
    private var scratch = ByteBuffer(capacity: 64)
    private var form = ByteBuffer(capacity: 64)
    /// The last key that was walked over; nil before the first, and when all were.
    private var walked: RecordKey?
    /// Whether the whole tree stands in it.
    private(set) var isWhole = false

    private static let value: UInt8 = 1
    static let none: UInt8 = 2

    init(_ path: FieldPath, _ kind: KeyKind) {
        self.path = path
        isFixed = path.type.formByteCount != nil
        isNumbered = kind == .id
        defaultForm = path.defaultValue.flatMap { value in
            value.withView { ValueForm.form($0, of: path.type) }
        }
        // Room for four of the longest entries, as nodes ask: an escaped form and a name.
        entries = NameIndex(
            nodeByteCountMax: 4864,
            nameByteCountMax: 2 * RecordOrder.formByteCountMax + Limits.nameByteCountMax + 8
        )
    }

    /// Memory in use, in bytes.
    var byteCount: Int { entries.byteCount }

    // MARK: Keeping in step

    /// A revision stands now.
    func add(_ effect: EffectView) {
        guard covers(effect) else { return }
        enter(effect)
    }

    /// A revision stands no longer.
    func remove(_ effect: EffectView) {
        guard covers(effect) else { return }
        write(effect)
        let entry = scratch.view
        guard let count = entries.location(entry, revision: 0)?.rawValue else { return }
        if count > 1 {
            entries.set(entry, revision: 0, Location(rawValue: count - 1))
        } else {
            entries.remove(entry, revision: 0)
        }
    }

    private func enter(_ effect: EffectView) {
        write(effect)
        let entry = scratch.view
        if let before = entries.set(entry, revision: 0, Location(rawValue: 1)) {
            entries.set(entry, revision: 0, Location(rawValue: before.rawValue + 1))
        }
    }

    private func covers(_ effect: EffectView) -> Bool {
        if isWhole { return true }
        guard let walked else { return false }
        return effect.key <= walked
    }

    /// Walks over the next entries of the tree.
    ///
    /// - Returns: Whether there are more.
    func grow(_ index: RecordIndex, _ source: any EffectSource, entryCountMax: Int) -> Bool {
        guard !isWhole else { return false }
        var count = 0
        var last: RecordKey?
        index.scan(from: walked, inclusive: false) { _, _, _, location in
            source.withEffect(at: location) { effect, _ in
                if effect.isSet { enter(effect) }
                count += 1
                if count == entryCountMax { last = effect.key }
            }
            return count < entryCountMax
        }
        walked = last
        isWhole = last == nil
        return !isWhole
    }

    // MARK: Entries

    /// Makes the entry of a revision.
    private func write(_ effect: EffectView) {
        scratch.removeAll()
        form.removeAll()
        if let value = path.value(in: effect.value) {
            if ValueForm.append(value, of: path.type, to: &form) {
                appendStart(form.view, to: &scratch)
            } else {
                scratch.append(Self.none)
            }
        } else if let defaultForm {
            defaultForm.withView { appendStart($0, to: &scratch) }
        } else {
            scratch.append(Self.none)
        }
        if let number = effect.number {
            scratch.append(integer: number.bigEndian)
        } else {
            scratch.append(effect.name)
        }
    }

    /// What the entries of one value begin with.
    private func appendStart(_ form: ByteView, to buffer: inout ByteBuffer) {
        append(form, to: &buffer)
        guard !isFixed else { return }
        buffer.append(0)
        buffer.append(1)
    }

    /// The mark and a form as far as it decides, escaped when forms differ in length.
    private func append(_ form: ByteView, to buffer: inout ByteBuffer) {
        buffer.append(Self.value)
        guard !isFixed else { return buffer.append(form) }
        for index in 0..<min(form.count, RecordOrder.formByteCountMax) {
            buffer.append(form[index])
            if form[index] == 0 { buffer.append(UInt8.max) }
        }
    }

    /// The id of an entry.
    private func id(_ entry: ByteView) -> RecordID {
        let offset = idOffset(entry)
        guard isNumbered else { return .name(entry.suffix(from: offset).array) }
        return .number(UInt64(bigEndian: entry.integer(UInt64.self, at: offset)))
    }

    private func idOffset(_ entry: ByteView) -> Int {
        if isNumbered { return entry.count - 8 }
        guard entry[0] == Self.value else { return 1 }
        if let count = path.type.formByteCount { return 1 + count }
        var offset = 1
        while let zero = entry.firstIndex(of: 0, from: offset) {
            if entry[zero + 1] == 1 { return zero + 2 }
            offset = zero + 2
        }
        return entry.count
    }

    // MARK: Asking

    /// A stretch of entries.
    struct Stretch {
        /// What every entry begins with.
        var prefix: [UInt8]
        /// Where it begins.
        var first: [UInt8]
        /// What the last entries begin with; nil when the prefix alone ends it.
        var last: [UInt8]?
    }

    /// The entries of one value, from an id on.
    func stretch(of form: [UInt8], from first: RecordID?) -> Stretch {
        stretch(after: start(form, isWhole: true), from: first)
    }

    /// The entries of all values.
    var whole: Stretch { Stretch(prefix: [Self.value], first: [Self.value]) }

    /// What entries with a form, or one that begins so, begin with.
    func start(_ form: [UInt8], isWhole: Bool) -> [UInt8] {
        var start = ByteBuffer()
        form.withView { isWhole ? appendStart($0, to: &start) : append($0, to: &start) }
        return start.array
    }

    /// The entries of a value, or of those without one, from an id on.
    ///
    /// - Parameters:
    ///   - start: What its entries begin with.
    ///   - id: Where to begin.
    /// - Returns: The stretch.
    func stretch(after start: [UInt8], from id: RecordID?) -> Stretch {
        var first = ByteBuffer()
        first.append(start)
        switch id {
        case .number(let number) where isNumbered: first.append(integer: number.bigEndian)
        case .name(let name) where !isNumbered: first.append(name)
        default: break
        }
        return Stretch(prefix: start, first: first.array)
    }

    /// Runs `body` over a stretch, in the order of values, until it returns false.
    ///
    /// - Parameters:
    ///   - stretch: Which entries.
    ///   - body: Is given what entries of the value begin with, and the id; an id comes more than
    ///     once when its revisions differ.
    /// - Returns: Whether it came to the end.
    func forEach(_ stretch: Stretch, _ body: (ByteView, RecordID) -> Bool) -> Bool {
        var isEnd = true
        stretch.first.withView { first in
            stretch.prefix.withView { prefix in
                entries.scan(.forwards, from: .including(first, revision: 0), prefix: prefix) {
                    entry,
                    _,
                    _ in
                    if let last = stretch.last, Self.isBehind(entry, last) { return false }
                    isEnd = body(entry[0..<idOffset(entry)], id(entry))
                    return isEnd
                }
            }
        }
        return isEnd
    }

    /// The ids of a stretch, in the order of values, and whether these are all.
    func ids(_ stretch: Stretch, countMax: Int) -> (ids: [RecordID], isAll: Bool) {
        var ids: [RecordID] = []
        let isAll = forEach(stretch) { _, id in
            guard ids.count < countMax else { return false }
            ids.append(id)
            return true
        }
        return (ids, isAll)
    }

    /// What the entries of the last value before others begin with; nil before the first value.
    func lastStart(before end: [UInt8]) -> [UInt8]? {
        var start: [UInt8]?
        end.withView { end in
            [Self.value].withView { value in
                entries.scan(.backwards, from: .excluding(end, revision: 0), prefix: value) {
                    entry,
                    _,
                    _ in
                    start = entry[0..<idOffset(entry)].array
                    return false
                }
            }
        }
        return start
    }

    /// Whether an entry comes after all that begin so.
    private static func isBehind(_ entry: ByteView, _ start: [UInt8]) -> Bool {
        start.withView { start in
            let count = min(entry.count, start.count)
            return entry[0..<count].compare(start) > 0
        }
    }
}

extension TreeState {
    /// The index of a field, once it is whole.
    func index(of path: FieldPath) -> FieldIndex? {
        fieldIndexes.first { $0.isWhole && $0.path == path }
    }

    /// Takes the declaration's fields; indexes of what changed, or is not indexed any more, go.
    func declareIndexedFields() {
        indexedFields = FieldPath.indexed(declaration.current)
        fieldIndexes.removeAll { !indexedFields.contains($0.path) }
    }
}

extension EngineState {
    /// Walks on for the indexes of fields declared `indexed`, and makes those that are missing.
    ///
    /// Who never calls it, as a mirror, which has views, has none and pays nothing.
    ///
    /// - Parameter entryCountMax: How many records are looked at.
    /// - Returns: Whether there are more.
    public func growFieldIndexes(entryCountMax: Int) -> Bool {
        for tree in trees where !tree.isSystem {
            for path in tree.indexedFields
            where !tree.fieldIndexes.contains(where: { $0.path == path }) {
                tree.fieldIndexes.append(FieldIndex(path, tree.declaration.keys))
            }
            guard let index = tree.fieldIndexes.first(where: { !$0.isWhole }) else { continue }
            _ = index.grow(tree.index, source, entryCountMax: entryCountMax)
            return true
        }
        return false
    }
}
