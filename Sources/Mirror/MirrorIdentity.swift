// Who a mirror is: pinned when it is made, and compared at every opening.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// What a mirror's directory is a copy of, and whose it is.
struct MirrorIdentity: Hashable, Sendable {
    /// The database.
    var databaseID: UniqueID
    /// Its application.
    var application: String
    /// The epoch its copy began in.
    var epoch: Epoch
    /// Id of the device: it holds borrows and creates ids in its own ranges.
    var device: String
    /// Name of the device for people.
    var deviceName: String?
    /// Who uses it.
    var user: String
    /// The program.
    var app: String
    /// Version of the program.
    var appVersion: String
    /// The trees that are copied; nil for all.
    var trees: Set<TreeName>?
    /// Trees the program writes; nil for all.
    var usedTrees: Set<TreeName>?

    /// Who proposes changes.
    var caller: Caller { Caller(user: user, device: device, app: app) }

    /// Whether the program creates records of a tree.
    func uses(_ tree: TreeName) -> Bool {
        (trees?.contains(tree) ?? true) && (usedTrees?.contains(tree) ?? true)
    }
}
