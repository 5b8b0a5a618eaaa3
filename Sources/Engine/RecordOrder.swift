// The order of a sorted list, and a record's place in it.
public import HoldfastBasics
public import HoldfastRecords

/// An order by the value of one field; records that are equal there are in the order of keys.
///
/// Records without the value come last, whichever way the order goes. Texts are told apart by
/// their first 256 bytes, so that a place fits a cursor.
public struct RecordOrder: Hashable, Sendable {
    /// Where a record stands in the order.
    public struct Place: Hashable, Sendable {
        /// The form of the field's value; nil without one.
        public let form: [UInt8]?
        /// The record.
        public let key: RecordKey

        /// Names a place.
        public init(form: [UInt8]?, key: RecordKey) {
            self.form = form
            self.key = key
        }
    }

    let path: FieldPath
    let isDescending: Bool
    private let defaultForm: [UInt8]?

    /// How much of a text decides.
    ///
    /// Unit: bytes.
    public static let formByteCountMax = 256

    /// Reads an order.
    ///
    /// - Parameters:
    ///   - text: The name of a field, with `-` before it for a descending order.
    ///   - descriptor: The tree's current version; nil for a tree without schema.
    /// - Throws: When there is no such field, or its values have no order.
    public init(_ text: String, in descriptor: Descriptor?) throws(QueryError) {
        isDescending = text.utf8.first == UInt8(ascii: "-")
        let path = try FieldPath(isDescending ? String(text.dropFirst()) : text, in: descriptor)
        guard path.type.isScalar else {
            throw QueryError("\(path.type.word) has no order: sort by a single value.")
        }
        self.path = path
        defaultForm = path.defaultValue.flatMap { value in
            value.withView { ValueForm.form($0, of: path.type) }.map(Self.cut)
        }
    }

    /// The place of a record.
    ///
    /// - Parameters:
    ///   - effect: Its version, which stands.
    ///   - key: Its key.
    ///   - scratch: Memory of the caller's, which is overwritten.
    /// - Returns: The place.
    public func place(
        of effect: EffectView,
        _ key: RecordKey,
        _ scratch: inout ByteBuffer
    ) -> Place {
        guard let value = path.value(in: effect.value) else {
            return Place(form: defaultForm, key: key)
        }
        scratch.removeAll()
        guard ValueForm.append(value, of: path.type, to: &scratch) else {
            return Place(form: nil, key: key)
        }
        let count = min(scratch.count, Self.formByteCountMax)
        return Place(form: scratch.view[0..<count].array, key: key)
    }

    private static func cut(_ form: [UInt8]) -> [UInt8] { Array(form.prefix(formByteCountMax)) }

    /// Whether a place comes before another.
    public func precedes(_ a: Place, _ b: Place) -> Bool {
        guard let x = a.form, let y = b.form else {
            if (a.form == nil) != (b.form == nil) { return a.form != nil }
            return a.key < b.key
        }
        let order = x.withView { x in y.withView { x.compare($0) } }
        guard order != 0 else { return a.key < b.key }
        return isDescending ? order > 0 : order < 0
    }
}

/// The first few records of an order, gathered from all.
///
/// Memory: as many places as it may hold.
public struct FirstPlaces {
    /// The order.
    private let order: RecordOrder
    /// How many are kept.
    private let countMax: Int
    /// Only what comes after it is kept.
    private let after: RecordOrder.Place?
    /// A heap whose first place is the last of those kept.
    private var heap: [RecordOrder.Place] = []
    /// Whether more came than are kept.
    public private(set) var hasMore = false

    /// Begins with none.
    public init(_ countMax: Int, by order: RecordOrder, after: RecordOrder.Place? = nil) {
        precondition(countMax > 0, "a list shows something")
        self.countMax = countMax
        self.order = order
        self.after = after
    }

    /// Takes a place, and lets go of the last when there are too many.
    ///
    /// Complexity: the logarithm of how many are kept, where it is one of them.
    public mutating func add(_ place: RecordOrder.Place) {
        if let after, !order.precedes(after, place) { return }
        guard heap.count == countMax else {
            heap.append(place)
            siftUp(heap.count - 1)
            return
        }
        hasMore = true
        guard order.precedes(place, heap[0]) else { return }
        heap[0] = place
        siftDown(0)
    }

    /// The places in order.
    public var sorted: [RecordOrder.Place] { heap.sorted(by: order.precedes) }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard order.precedes(heap[parent], heap[child]) else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var last = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && order.precedes(heap[last], heap[child]) {
                last = child
            }
            guard last != parent else { return }
            heap.swapAt(parent, last)
            parent = last
        }
    }
}
