// A copy of more trees is filled from the server's log before it takes the present one's place:
// what is shown meanwhile never goes back.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A copy that follows the server on a link of its own until it has all that was there when the
/// link began.
///
/// Confined to its owner; outlives links.
final class CopyFilling {
    let copy: RenewedCopy
    /// The server's head when it said welcome; nil before.
    private var awaited: UInt64?

    init(_ copy: RenewedCopy) { self.copy = copy }

    /// Whether it can be gone on with: it is of the wanted trees, and of what the server has.
    func fits(_ server: ServerDocument, _ trees: Set<TreeName>?) -> Bool {
        copy.identity.trees == trees && copy.store.lineage == server.lineage
            && copy.store.read(\.confirmedHead) >= server.oldest.seq
    }

    /// Introduces the copy in the mirror's name.
    func hello(_ identity: MirrorIdentity, settled: UInt64) -> MirrorHello {
        awaited = nil
        let (position, chain) = copy.store.read { ($0.confirmedPosition, $0.confirmedChain) }
        var identity = identity
        identity.trees = copy.identity.trees
        return MirrorHello(
            identity,
            have: position.seq == 0 ? nil : MirrorHave(position: position, chain: chain),
            settled: settled
        )
    }

    /// Takes a message.
    ///
    /// - Returns: Whether all is here.
    /// - Throws: `StoreError` when what came cannot be taken.
    func take(_ message: MirrorDown) throws(StoreError) -> Bool {
        switch message {
        case .welcome(let welcome): awaited = welcome.head.seq
        case .commits(let contents):
            _ = try copy.store.ingest(contents)
            // Nobody else writes it yet.
            copy.store.syncStep()
        default: return false
        }
        return awaited.map { copy.store.read(\.confirmedHead) >= $0 } ?? false
    }
}

extension MirrorHello {
    /// Introduces a mirror.
    ///
    /// - Parameters:
    ///   - mirror: Who it is, and the trees of its copy.
    ///   - have: The last commit of the copy; nil for none.
    ///   - settled: Up to which number the outcomes of its changes are known for ever.
    init(_ mirror: MirrorIdentity, have: MirrorHave?, settled: UInt64) {
        self.init(
            databaseID: mirror.databaseID,
            application: mirror.application,
            device: mirror.device,
            deviceName: mirror.deviceName,
            user: mirror.user,
            app: mirror.app,
            appVersion: mirror.appVersion,
            trees: mirror.trees,
            have: have,
            settled: settled
        )
    }
}
