// The whole HTTP surface on one screen: which function answers what.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords

extension LoopServer {
    /// Answers a call into the loop's reply.
    ///
    /// - Returns: What produces the body, when it is long.
    func answer(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        switch (call.route, call.isRead) {
        case (.about, _): try readAbout(call)
        case (.contract, _): try readContract(call)
        case (.trees, _): try listTrees(call)
        case (.tree, true): try readTree(call)
        case (.tree, false): try defineTree(call)
        case (.records, true): return try listRecords(call, connection)
        case (.records, false):
            if call.method == .delete { return try deleteRecords(call, connection) }
            try createRecord(call)
        case (.record, true): try readRecord(call)
        case (.record, false): try writeRecord(call)
        case (.release, _), (.revise, _), (.state, _): try changeLifecycle(call)
        case (.history, _): try readHistory(call)
        case (.change, _): try readChange(call)
        case (.undo, _): return try undo(call, connection)
        case (.changes, true): return try readChanges(call, connection)
        case (.changes, false): try submitChange(call)
        case (.borrows, _): try listBorrows(call)
        case (.borrow, true): try readBorrow(call)
        case (.borrow, false):
            if call.method == .patch { try patchBorrow(call) } else { try takeBorrow(call) }
        case (.borrowReturn, _), (.borrowCancel, _), (.borrowSeize, _): try endBorrow(call)
        case (.borrowRecall, _), (.borrowSetHolder, _): try moveBorrow(call)
        case (.ranges, true): try listRanges(call)
        case (.ranges, false): try reserveRange(call)
        case (.snapshot, true): try readSnapshot(call)
        case (.snapshot, false): try makeSnapshot(call, connection)
        case (.heal, _): try heal(call, connection)
        case (.tokens, true): try listTokens(call)
        case (.tokens, false): try createToken(call)
        case (.token, _):
            if call.method == .patch { try patchToken(call) } else { try revokeToken(call) }
        case (.tickets, _): try makeTicket(call)
        case (.devices, _): try listDevices(call)
        case (.ownDevice, _): try readOwnDevice(call)
        case (.ownToken, _): try readOwnToken(call)
        case (.device, _): try forgetDevice(call)
        case (.part, _): return try readPart(call)
        case (.live, _): try readLive(call)
        case (.ready, _): try readReady(call)
        case (.metrics, _): try readMetrics(call)
        case (.viewer, _): try readViewer(call)
        case (.file, true): return try readFile(call, connection)
        case (.file, false), (.files, _):
            throw RequestRefusal(.badRequest, "The bytes of a file are taken as they come.")
        case (.feed, _), (.mirror, _):
            throw RequestRefusal(.upgradeRequired, "\(call.route.rawValue) is a WebSocket.")
        }
        return nil
    }
}
