// Healing: how a restored server takes back the commits that came after its backup, or goes on
// without them, and what mirrors are told meanwhile.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// POST of `/v1/heal`: commits after the backup are taken back, or given up.
    func heal(_ call: Call, _ connection: Connection) throws(RequestRefusal) {
        try Parameters.check(target, ["discard"])
        guard try !Parameters.flag(target, "discard") else {
            return try discardLost(call, connection)
        }
        guard !call.body.isEmpty else {
            throw RequestRefusal(
                .badParameter,
                "Send commits that came after the restored backup, or say discard=true to give them "
                    + "up.",
                field: "discard"
            )
        }
        try requireType(call, "application", "octet-stream")
        let tail = try shaped { () throws(ShapeRefusal) in try HealingTail(call.body) }
        let store = self.store
        heal(call, connection) { () throws(StoreError) in
            try store.handBack(tail.contents, of: tail.lineage, leadingTo: tail.hashes)
        }
    }

    private func discardLost(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) {
        try shaped { () throws(ShapeRefusal) in try RequestBody.nothing(call.body) }
        let (store, logger) = (self.store, shared.logger)
        heal(call, connection) { () throws(StoreError) in
            let position = try store.discardLost()
            logger.log(.warning, "healing.ended", ["position": "\(position)"])
            return position
        }
    }

    /// Runs what waits for the disk on the compactor's thread, and answers.
    private func heal(
        _ call: Call,
        _ connection: Connection,
        _ body: @escaping @Sendable () throws(StoreError) -> Position
    ) {
        connection.wait(call.route)
        let waiting = LoopBound(connection, to: loop)
        let isTaken = shared.compactor.run {
            let result = Result { () throws(StoreError) in try body() }
            waiting.execute { $0.server.answerHealing(result, $0) }
        }
        if !isTaken { answerHealing(.failure(.readOnly("The server stops.")), connection) }
    }

    private func answerHealing(_ result: Result<Position, StoreError>, _ connection: Connection) {
        reply.reset()
        switch result {
        case .success(let position):
            reply.position = position
            reply.json()
            HealingReply.append(position, to: &reply.body)
        case .failure(let error): render(Self.refusal(of: error))
        }
        connection.answer()
    }

    private static func refusal(of error: StoreError) -> Refusal {
        switch error {
        case .readOnly(let why): Refusal(.readOnly, why)
        case .notHealing:
            Refusal(.notHealing, "This server was not restored, or its healing has ended.")
        case .gap(let expected, let found):
            Refusal(.diverged, "Commit \(expected) comes next here, not \(found).")
        case .diverged(let seq):
            Refusal(
                .diverged,
                "The commits are of another history: it parts from this server's at commit \(seq) "
                    + "or before."
            )
        case .otherEpoch(let seq):
            Refusal(.diverged, "Commit \(seq) is of an epoch that its log does not name.")
        case .badContent(let seq, let cause):
            Refusal(.badBody, "Commit \(seq) is damaged (\(cause)); none was taken.")
        case .unfoldable(let seq, let cause):
            Refusal(.badBody, "Commit \(seq) does not follow (\(cause)); none was taken.")
        case .otherRecords(let block):
            Refusal(
                .diverged,
                "All commits are here, but the records of \(block) are others than in the log they "
                    + "came of. Run holdfast verify on both; the server stays healing."
            )
        case .log, .otherApplication, .tooManyPins, .busy:
            Refusal(.internalError, "The healing did not end: \(error)")
        }
    }
}

extension Store {
    /// What a mirror is told while the database is healing; nil when it is not.
    ///
    /// One that has commits which the database lacks is noted and told to the operator.
    func healingDetail(of hello: MirrorHello, _ logger: Logger) -> String? {
        guard let healing = read(\.healing) else { return nil }
        if let have = hello.have, have.position.seq > healing.restored.seq,
            have.position.epoch == healing.restored.epoch,
            noteAhead(hello.device, at: have.position)
        {
            logger.log(
                .warning,
                "healing.mirror.ahead",
                [
                    "device": hello.device, "user": hello.user, "position": "\(have.position)",
                    "restored": "\(healing.restored)",
                ]
            )
        }
        return "The server was restored to \(healing.restored) and is healing. What is here stays; "
            + "the mirror goes on when `holdfast heal` has ended that."
    }
}
