// Close codes of holdfast.mirror.v1, in the message `bye` and in the close frame after it.

/// Why a server ends a mirror's connection, as WebSocket close codes.
public enum MirrorEnd {
    /// A message that is none, or not in its place.
    public static let badMessage: UInt16 = 4001
    /// The token has ended, or was revoked.
    public static let authEnded: UInt16 = 4401
    /// The token's rights are others now, or do not go so far.
    public static let rightsChanged: UInt16 = 4403
    /// Nothing was read, or said, for too long.
    public static let stalled: UInt16 = 4408
    /// The histories differ.
    public static let diverged: UInt16 = 4409
    /// The log begins later.
    public static let compacted: UInt16 = 4410
    /// Another database, or another application's.
    public static let wrongDatabase: UInt16 = 4421
    /// Another version of the protocol.
    public static let otherProtocol: UInt16 = 4426
    /// The server stops.
    public static let restart: UInt16 = 1012
    /// The database is healing: later it may go on from where it is.
    public static let healing: UInt16 = 1013
}
