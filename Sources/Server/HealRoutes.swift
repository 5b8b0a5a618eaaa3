// Healing: how a restored server goes on without the commits that came after its backup, and what
// mirrors are told meanwhile.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// POST of `/v1/heal`: the commits after the backup are given up, and writes are taken.
    func heal(_ call: Call, _ connection: Connection) throws(RequestRefusal) {
        try Parameters.check(target, ["discard"])
        guard try Parameters.flag(target, "discard") else {
            throw RequestRefusal(
                .badParameter,
                "Say discard=true to give up the commits after the restored backup.",
                field: "discard"
            )
        }
        try shaped { () throws(ShapeRefusal) in try RequestBody.nothing(call.body) }
        connection.wait(call.route)
        let waiting = LoopBound(connection, to: loop)
        let (store, logger) = (self.store, shared.logger)
        let isTaken = shared.compactor.run {
            let result = Result { () throws(StoreError) in try store.discardLost() }
            if case .success(let position) = result {
                logger.log(.warning, "healing.discarded", ["position": "\(position)"])
            }
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
        case .failure(.readOnly(let why)): render(Refusal(.readOnly, why))
        case .failure(let error):
            render(Refusal(.internalError, "The healing did not end: \(error)"))
        }
        connection.answer()
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
