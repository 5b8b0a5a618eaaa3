// The rules of put, patch and delete.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

extension Draft {
    mutating func put(_ write: WriteOperation) throws(Refused) {
        let tree = try tree(write.tree)
        try checkSize(write.value)
        guard !write.isMigration else { return try migrate(tree, write) }
        guard let key = write.key, write.expects != .absent else {
            try create(tree, write)
            return
        }
        guard write.hold == nil else {
            throw Refused(
                .badBody,
                "hold keeps a record that is made; one that stands is borrowed by itself.",
                field: "hold"
            )
        }
        try checkKey(tree, key)
        try checkIsConditional(write.expects, write.borrow)
        let record = try existing(tree, key)
        try checkReplace(tree, key, record, write.expects, write.borrow)
        try replace(tree, key, record, write, .put, value: write.value)
    }

    mutating func patch(_ write: WriteOperation) throws(Refused) {
        let tree = try tree(write.tree)
        guard let key = write.key else {
            throw Refused(.badKey, "A patch must name the record it changes.")
        }
        try checkKey(tree, key)
        try checkIsConditional(write.expects, write.borrow)
        let record = try existing(tree, key)
        try checkReplace(tree, key, record, write.expects, write.borrow)
        let merged: [UInt8]
        do {
            merged = try value(of: record).withView { base in
                try write.value.withView { try JSONMergePatch.apply(patch: $0, to: base) }
            }
        } catch {
            throw Refused(.badJSON, "The patch cannot be merged: \(error).")
        }
        try checkSize(merged)
        try replace(tree, key, record, write, .patch, value: merged)
    }

    mutating func delete(_ target: RecordOperation) throws(Refused) {
        let tree = try tree(target.tree)
        try checkKey(tree, target.key)
        try checkIsConditional(target.expects, target.borrow)
        let record = try existing(tree, target.key)
        try checkReplace(tree, target.key, record, target.expects, target.borrow)
        self.record(tree, target.key, .delete, nil)
        for id in line(tree, target.key) { removeBorrow(id, of: tree, .end) }
        setLine(tree, target.key, [])
        results.append(.deleted(tree.name, target.key))
    }

    mutating func replace(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ write: WriteOperation,
        _ label: Label,
        value: [UInt8]
    ) throws(Refused) {
        let schema = try checkValue(tree, value, write.schema)
        let image = PostImage(
            state: record.state,
            schema: schema,
            created: record.created,
            value: value
        )
        self.record(tree, key, label, image)
        results.append(.changed(tree.name, key))
    }

    // MARK: Checks

    func checkSize(_ value: [UInt8]) throws(Refused) {
        guard value.count <= Limits.valueByteCountMax else {
            throw Refused(
                .tooLarge,
                "A value may have \(Limits.valueByteCountMax) bytes; this one has \(value.count)."
            )
        }
    }

    func checkKey(_ tree: TreeState, _ key: RecordKey) throws(Refused) {
        guard key.id.kind == tree.declaration.keys else {
            let kind = tree.declaration.keys == .id ? "numbers" : "names"
            throw Refused(.badKey, "Keys of tree \(tree.name) are \(kind).")
        }
        if case .number(let number) = key.id, !(1...Limits.numberMax).contains(number) {
            throw Refused(.badKey, "Ids run from 1 to \(Limits.numberMax).")
        }
        guard tree.declaration.isVersioned || key.revision == 0 else {
            throw Refused(.badKey, "Tree \(tree.name) is not versioned; its revision is always 0.")
        }
    }

    /// The live record of a key.
    func existing(_ tree: TreeState, _ key: RecordKey) throws(Refused) -> LiveRecord {
        switch standing(tree, key) {
        case .live(let record): return record
        case .absent:
            throw Refused(.notFound, "There is no record \(key.id.text) in \(tree.name).")
        case .deleted(let location):
            throw Refused(
                .deleted,
                "Record \(key.id.text) of \(tree.name) was deleted.",
                ended: ending(at: location)
            )
        }
    }

    /// What every change of a live record's value must fulfil.
    mutating func checkReplace(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(Refused) {
        try checkIsDraft(tree, key, record)
        try checkTurn(tree, key, record, expects, borrow)
    }

    func checkIsDraft(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord
    ) throws(Refused) {
        guard !record.state.isReleased else {
            throw Refused(
                .released,
                "Record \(key) is released and never changes. Revise it to go on.",
                current: reference(tree, record)
            )
        }
    }

    /// A change of what stands names what it saw, or its borrow; asked before what stands is told.
    func checkIsConditional(
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(Refused) {
        guard expects != nil || borrow != nil else {
            throw Refused(
                .preconditionRequired,
                "Name the version you read (If-Match, expects) or your borrow, so that nobody's "
                    + "work is overwritten."
            )
        }
    }

    /// The version or the borrow under which a record may be changed.
    mutating func checkTurn(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(Refused) {
        if let borrow {
            try checkHolds(tree, key, borrow)
        } else if let holder = self.holder(tree, key) {
            throw Refused(
                .borrowed,
                "Record \(key) is borrowed by \(holder.user) on \(holder.device). Borrow it, or "
                    + "wait in line.",
                borrow: facts(holder, of: tree),
                current: reference(tree, record)
            )
        }
        try checkExpectation(tree, key, record, expects)
    }

    func checkExpectation(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ expects: Expectation?
    ) throws(Refused) {
        let holds: Bool
        switch expects {
        case nil: holds = true
        case .absent: holds = false
        case .version(let version): holds = version == state.position(of: record.seq)
        case .change(let id): holds = id == record.changeID
        }
        guard holds else {
            throw Refused(
                .stale,
                "Record \(key) changed since you read it. Read it again and repeat your change.",
                current: reference(tree, record)
            )
        }
    }

    func reference(_ tree: TreeState, _ record: LiveRecord) -> RecordReference? {
        record.location.map { RecordReference(tree: tree.name, location: $0) }
    }

    /// Checks a value against the schema version it names and gives that version.
    func checkValue(
        _ tree: TreeState,
        _ value: [UInt8],
        _ schema: SchemaVersion?
    ) throws(Refused) -> SchemaVersion {
        let validator = tree.validator
        // A mirror's preview leaves it to the authority, which may have the file by then.
        let namesFiles = context.keepsFiles && validator.mayNameFiles
        if validator.takesAnything(writtenWith: schema) {
            if namesFiles { try checkFiles(value) }
            return .none
        }
        let refusal = value.withView { validator.validate($0, writtenWith: schema) }
        if let refusal { throw Refused(refusal) }
        if namesFiles { try checkFiles(value) }
        return schema ?? validator.current ?? .none
    }
}
