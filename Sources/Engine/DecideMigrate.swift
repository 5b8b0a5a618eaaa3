// The rules of rewriting what an older major version wrote.
internal import HoldfastRecords

extension Draft {
    /// Rewrites a record by a newer schema.
    ///
    /// Whoever has borrowed it is not asked, and keeps it: it is the same record in another form,
    /// and an edit of the form it had is stale, or too old.
    mutating func migrate(_ tree: TreeState, _ write: WriteOperation) throws(Refused) {
        guard let key = write.key, let expects = write.expects, expects != .absent,
            write.borrow == nil, write.hold == nil
        else {
            throw Refused(
                .badBody,
                "A migration names the record and the version that it rewrites (expects), and "
                    + "neither borrow nor hold.",
                field: "migrate"
            )
        }
        try checkKey(tree, key)
        let record = try existing(tree, key)
        try checkIsDraft(tree, key, record)
        try checkExpectation(tree, key, record, expects)
        guard let next = write.schema ?? tree.validator.current, record.schema != .none,
            record.schema.major < next.major
        else {
            throw Refused(
                .badBody,
                "Record \(key) was not written by an older major version than this one. Write it "
                    + "without migrate.",
                field: "migrate"
            )
        }
        try replace(tree, key, record, write, .put, value: write.value)
    }
}
