// The first records of a sorted list, as the index of the field it is sorted by knows them.
internal import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// What a sorted list shows.
    public struct OrderedQuestion {
        /// The order.
        public var order: RecordOrder
        /// Only what comes after it is looked for; nil for all.
        public var after: RecordOrder.Place?
        /// What must pass.
        public var filter: RecordFilter
        /// Which revisions.
        public var revisions: RevisionChoice

        /// Asks.
        public init(
            _ order: RecordOrder,
            after: RecordOrder.Place?,
            _ filter: RecordFilter,
            _ revisions: RevisionChoice
        ) {
            self.order = order
            self.after = after
            self.filter = filter
            self.revisions = revisions
        }
    }

    /// The first places of an order, at the head.
    ///
    /// - Parameters:
    ///   - question: What is looked for.
    ///   - tree: In which tree.
    ///   - countMax: How many are gathered at most.
    ///   - lookCountMax: How many ids are looked at.
    ///   - includes: Whether an id is within the list's bounds.
    /// - Returns: The places, and whether these are all; nil when the field has no index.
    public func orderedPlaces(
        _ question: OrderedQuestion,
        in tree: TreeState,
        countMax: Int,
        lookCountMax: Int,
        includes: (RecordID) -> Bool
    ) -> (places: [RecordOrder.Place], isAll: Bool)? {
        let order = question.order
        guard let index = tree.index(of: order.path) else { return nil }
        var places: [RecordOrder.Place] = []
        var looked = 0
        var scratch = ByteBuffer(capacity: RecordOrder.formByteCountMax)
        let isAll = index.forEach(order, after: question.after) { start, id in
            guard looked < lookCountMax, places.count <= countMax else { return false }
            looked += 1
            guard includes(id) else { return true }
            forEachRevision(tree, of: id, question.revisions, at: head) { key, location in
                source.withEffect(at: location) { effect, _ in
                    guard question.filter.passes(effect, &scratch) else { return }
                    let place = order.place(of: effect, key, &scratch)
                    // Its other revisions may have other values.
                    let own = index.start(of: place.form)
                    guard own.withView({ $0 == start }),
                        question.after.map({ order.precedes($0, place) }) ?? true
                    else { return }
                    places.append(place)
                }
                return true
            }
            return true
        }
        guard places.count > countMax else { return (places, isAll) }
        return (Array(places.prefix(countMax)), false)
    }
}

extension FieldIndex {
    /// What the entries of a place's value begin with.
    func start(of form: [UInt8]?) -> [UInt8] {
        form.map { start($0, isWhole: true) } ?? [Self.none]
    }

    /// Runs `body` over ids in the order of their values, those without one last, until it returns
    /// false; ids of one value ascend, whichever way the order goes.
    ///
    /// - Parameters:
    ///   - order: An order by this field.
    ///   - place: Where to begin; ids before it may be shown again.
    ///   - body: Is given what entries of the value begin with, and the id.
    /// - Returns: Whether it came to the end.
    fileprivate func forEach(
        _ order: RecordOrder,
        after place: RecordOrder.Place?,
        _ body: (ByteView, RecordID) -> Bool
    ) -> Bool {
        let nothing = Stretch(prefix: [Self.none], first: [Self.none])
        guard let place else {
            return forEachValue(order, beyond: nil, body) && forEach(nothing, body)
        }
        guard let form = place.form else {
            return forEach(stretch(after: [Self.none], from: place.key.id), body)
        }
        let group = start(form, isWhole: true)
        return forEach(stretch(after: group, from: place.key.id), body)
            && forEachValue(order, beyond: group, body) && forEach(nothing, body)
    }

    /// The same over the values beyond one, or over all of them.
    private func forEachValue(
        _ order: RecordOrder,
        beyond group: [UInt8]?,
        _ body: (ByteView, RecordID) -> Bool
    ) -> Bool {
        guard order.isDescending else {
            var rest = whole
            if let group { rest.first = Self.successor(of: group) }
            return forEach(rest, body)
        }
        var end = group ?? [Self.none]
        while let before = lastStart(before: end) {
            guard forEach(Stretch(prefix: before, first: before), body) else { return false }
            end = before
        }
        return true
    }

    /// The smallest bytes after everything that begins so.
    private static func successor(of start: [UInt8]) -> [UInt8] {
        var bytes = start
        while bytes.last == UInt8.max { bytes.removeLast() }
        if let last = bytes.popLast() { bytes.append(last + 1) }
        return bytes
    }
}
