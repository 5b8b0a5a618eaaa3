// The rules of `_devices`: a device is known from its first hello on, and what it confirms of its
// changes' outcomes only grows. These commits are the system's; no operation asks for them.
public import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// What is known of a device; nil when it was never seen.
    public func device(_ id: String) -> DeviceRecord? {
        let key = RecordKey(name: id)
        guard let tree = tree(.devices), let location = location(tree, key) else { return nil }
        return source.withEffect(at: location) { effect, _ in
            guard effect.isSet else { return nil }
            do throws(FormError) {
                return try DeviceRecord(key: key, json: effect.value)
            } catch {
                return nil
            }
        }
    }

    /// All devices, by id.
    ///
    /// - Throws: `badSystemRecord` for a record this version cannot read.
    public func devices() throws(ApplyError) -> [DeviceRecord] {
        try systemRecords(.devices) { key, value throws(FormError) in
            try DeviceRecord(key: key, json: value)
        }
    }

    /// Decides what becomes of a device that is to be forgotten.
    ///
    /// Its ids stay its own: they are never given to anybody else, and a device that comes back
    /// goes on with them. How far it had confirmed its outcomes is forgotten, and with it that what
    /// its changes did must be remembered until it has: from then on the horizon alone counts.
    ///
    /// The state is not touched: the caller logs the commit and then applies it.
    ///
    /// - Parameters:
    ///   - id: The device.
    ///   - isForced: Whether borrows that it holds or waits for are taken away; each as by `seize`,
    ///     with that right and a reason.
    ///   - change: Its id, digest and reason; it has no operations.
    ///   - context: Who asks, and when.
    /// - Returns: A commit, or why there is none: `notFound`, `borrowed`, `forbidden`,
    ///   `reasonRequired`.
    public func decideRemoval(
        ofDevice id: String,
        isForced: Bool,
        _ change: Change,
        _ context: DecisionContext
    ) -> Decision {
        decideAlone(change, context) { draft throws(Refused) in
            guard context.rights?.hasEverywhere(.admin) ?? true else {
                throw Refused(.forbidden, "Devices are forgotten by whoever has 'admin' on *.")
            }
            guard device(id) != nil else {
                throw Refused(.notFound, "There is no device \(id).")
            }
            try draft.forget(id, isForced: isForced)
        }
    }

    /// Decides what becomes of a device's introduction.
    ///
    /// The state is not touched: the caller logs the commit and then applies it.
    ///
    /// - Parameters:
    ///   - introduction: What the device says of itself; when it was seen first is not its to say.
    ///   - isProven: Whether its user is, by a token: nobody else's device is taken over then.
    ///   - now: The clock, in milliseconds since 1970.
    ///   - random: Gives the change id and salts.
    /// - Returns: A commit; `unchanged` when all of that is known; a refusal of a device that
    ///   cannot be one.
    public func decideDevice(
        _ introduction: DeviceRecord,
        isProven: Bool = false,
        now: Int64,
        random: any RandomSource
    ) -> Decision {
        guard !introduction.id.hasPrefix("_"),
            Array(introduction.id.utf8).withView({ RecordID($0, kind: .name) }) != nil
        else {
            return .refused(Refusal(.badKey, "A device is named by text that may be a key."))
        }
        let texts = [
            introduction.id, introduction.name, introduction.user, introduction.app,
            introduction.appVersion,
        ]
        guard texts.allSatisfy({ $0.utf8.count <= Limits.identityByteCountMax }) else {
            return .refused(
                Refusal(
                    .tooLarge,
                    "What a device says of itself may have \(Limits.identityByteCountMax) bytes "
                        + "each."
                )
            )
        }
        let change = Change(id: .version7(milliseconds: now, random: random), operations: [])
        let context = DecisionContext(caller: .system, now: now, random: random)
        var draft = Draft(state: self, change: change, context: context)
        let known = device(introduction.id)
        if isProven, let known, known.user != introduction.user, known.user != Caller.unnamed.user {
            return .refused(
                Refusal(
                    .forbidden,
                    "Device \(introduction.id) is \(known.user)'s. Use a folder of your own."
                )
            )
        }
        var record = introduction
        record.firstSeen = known?.firstSeen ?? draft.at
        record.confirmedDeviceSeq = max(
            known?.confirmedDeviceSeq ?? 0,
            introduction.confirmedDeviceSeq
        )
        guard record != known else { return .unchanged([]) }
        draft.system(.devices, about: nil, RecordKey(name: record.id), .device, record.json)
        guard let commit = draft.commit() else { return .unchanged([]) }
        return .commit(commit, [])
    }
}

extension Draft {
    fileprivate mutating func forget(_ device: String, isForced: Bool) throws(Refused) {
        let borrows = state.allTrees
            .flatMap { tree in tree.borrows.map { (tree, $0) } }
            .filter { $0.1.device == device }
            .sorted { $0.1.id < $1.1.id }
        if let (tree, first) = borrows.first, !isForced {
            throw Refused(
                .borrowed,
                "Device \(device) has \(borrows.count) of the borrows, \(first.id) for one. Have them "
                    + "returned, or take them away by force=true and a reason.",
                borrow: facts(first, of: tree)
            )
        }
        for (_, borrow) in borrows { try seize(borrow.id) }
        let key = RecordKey(name: device)
        system(.devices, about: nil, key, .delete, nil)
        results.append(.deleted(.devices, key))
    }
}
