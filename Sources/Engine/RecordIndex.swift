// The ordered index of one tree: key -> place of its last effect, tombstones included.
internal import HoldfastBasics
internal import HoldfastRecords

/// Where a record's last effect lies, by key, in order.
///
/// A deleted record stays with the place of its removal: pinned readers find its older versions
/// from there, and 410 finds who deleted it.
struct RecordIndex {
    private enum Storage {
        case numbers(NumberIndex)
        case names(NameIndex)
    }

    private let storage: Storage

    init(_ kind: KeyKind) {
        switch kind {
        case .id: storage = .numbers(NumberIndex())
        case .name: storage = .names(NameIndex())
        }
    }

    /// Entries, tombstones included.
    var count: Int {
        switch storage {
        case .numbers(let index): index.count
        case .names(let index): index.count
        }
    }

    /// Estimated memory in bytes.
    var byteCount: Int {
        switch storage {
        case .numbers(let index): index.byteCount
        case .names(let index): index.byteCount
        }
    }

    /// The place of a key's last effect; nil when the key was never used, or is of the other kind.
    func location(_ key: RecordKey) -> Location? {
        switch (storage, key.id) {
        case (.numbers(let index), .number(let number)):
            index.location(number, revision: key.revision)
        case (.names(let index), .name(let bytes)):
            bytes.withView { index.location($0, revision: key.revision) }
        default: nil
        }
    }

    /// The place of a key's last effect, its id given as text; nil also when that is no id.
    func location(text: ByteView, revision: UInt32) -> Location? {
        switch storage {
        case .numbers(let index):
            decimalNumber(text).flatMap { index.location($0, revision: revision) }
        case .names(let index): index.location(text, revision: revision)
        }
    }

    /// Sets a key's place, or removes its entry with nil; gives what stood there.
    @discardableResult
    func replace(_ effect: EffectView, with location: Location?) -> Location? {
        switch storage {
        case .numbers(let index):
            guard let number = effect.number else { return nil }
            guard let location else { return index.remove(number, revision: effect.revision) }
            return index.set(number, revision: effect.revision, location)
        case .names(let index):
            guard effect.number == nil else { return nil }
            guard let location else { return index.remove(effect.name, revision: effect.revision) }
            return index.set(effect.name, revision: effect.revision, location)
        }
    }

    /// Removes a key's entry.
    func remove(_ key: RecordKey) {
        switch (storage, key.id) {
        case (.numbers(let index), .number(let number)):
            index.remove(number, revision: key.revision)
        case (.names(let index), .name(let bytes)):
            _ = bytes.withView { index.remove($0, revision: key.revision) }
        default: return
        }
    }

    /// Whether any revision of an id was ever set.
    func holds(_ id: RecordID) -> Bool {
        switch (storage, id) {
        case (.numbers(let index), .number(let number)): index.holds(number)
        case (.names(let index), .name(let bytes)): bytes.withView { index.holds($0) }
        default: false
        }
    }

    /// Runs `body` over the revisions of an id, ascending, until it returns false.
    func forEachRevision(of id: RecordID, _ body: (UInt32, Location) throws -> Bool) rethrows {
        switch (storage, id) {
        case (.numbers(let index), .number(let number)):
            try index.forEachRevision(of: number, .forwards, body)
        case (.names(let index), .name(let bytes)):
            try bytes.withView { try index.forEachRevision(of: $0, .forwards, body) }
        default: return
        }
    }

    /// Runs `body` over entries in key order from a bound, until it returns false.
    ///
    /// - Parameters:
    ///   - bound: First key, or the key after which to begin; nil begins at the first.
    ///   - inclusive: Whether the bound itself is visited.
    ///   - body: Is given the id's number (nil in a name tree), name, revision and place.
    func scan(
        from bound: RecordKey?,
        inclusive: Bool,
        _ body: (UInt64?, ByteView, UInt32, Location) throws -> Bool
    ) rethrows {
        switch storage {
        case .numbers(let index):
            var start = ScanStart<UInt64>.edge
            if let bound, case .number(let number) = bound.id {
                start =
                    inclusive
                    ? .including(number, revision: bound.revision)
                    : .excluding(number, revision: bound.revision)
            }
            try index.scan(.forwards, from: start) { number, revision, location in
                try body(number, .empty, revision, location)
            }
        case .names(let index):
            if let bound, case .name(let bytes) = bound.id {
                try bytes.withView { name in
                    let start: ScanStart<ByteView> =
                        inclusive
                        ? .including(name, revision: bound.revision)
                        : .excluding(name, revision: bound.revision)
                    try index.scan(.forwards, from: start) { try body(nil, $0, $1, $2) }
                }
            } else {
                try index.scan(.forwards) { try body(nil, $0, $1, $2) }
            }
        }
    }
}
