// Devices in replies: what is logged of them, and what the server has seen of them since it runs.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// What is told of one device.
///
/// Shape: `{"id","name","user","app","appVersion","schemas":{tree: version},"confirmed",
/// "firstSeen","lastSeen"?,"connected","position"?,"lag"?,"keysLeft":{tree: count},"borrows"}`.
public struct DeviceDocument {
    /// What is logged of it.
    public let record: DeviceRecord
    /// Ids it has left, by tree; trees without are left out.
    public let keysLeft: [(tree: TreeName, count: UInt64)]
    /// How many borrows it has, those it waits for too.
    public let borrowCount: Int
    /// Whether a mirror of it is connected.
    public let isConnected: Bool
    /// When something of it was last seen, in milliseconds since 1970; nil since the server runs.
    public let lastSeen: Int64?
    /// The last commit it was sent; nil when it was not connected since the server runs.
    public let position: Position?
    /// Commits after that one.
    public let lag: UInt64?

    /// Tells of a device.
    public init(
        _ record: DeviceRecord,
        keysLeft: [(tree: TreeName, count: UInt64)],
        borrowCount: Int,
        isConnected: Bool,
        lastSeen: Int64?,
        position: Position?,
        lag: UInt64?
    ) {
        self.record = record
        self.keysLeft = keysLeft
        self.borrowCount = borrowCount
        self.isConnected = isConnected
        self.lastSeen = lastSeen
        self.position = position
        self.lag = lag
    }

    /// Appends the document.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"id\":")
        buffer.appendJSONString(record.id)
        buffer.append(",\"name\":")
        buffer.appendJSONString(record.name)
        buffer.append(",\"user\":")
        buffer.appendJSONString(record.user)
        buffer.append(",\"app\":")
        buffer.appendJSONString(record.app)
        buffer.append(",\"appVersion\":")
        buffer.appendJSONString(record.appVersion)
        buffer.append(",\"schemas\":{")
        let schemas = record.schemaVersions.sorted { $0.key < $1.key }
        for (index, entry) in schemas.enumerated() {
            buffer.append(text: (index > 0 ? "," : "") + "\"\(entry.key)\":\"\(entry.value)\"")
        }
        buffer.append("},\"confirmed\":")
        buffer.append(decimal: record.confirmedDeviceSeq)
        buffer.append(",\"firstSeen\":")
        buffer.appendTime(record.firstSeen)
        if let lastSeen {
            buffer.append(",\"lastSeen\":")
            buffer.appendTime(lastSeen)
        }
        buffer.append(isConnected ? ",\"connected\":true" : ",\"connected\":false")
        if let position, let lag {
            buffer.append(",\"position\":")
            buffer.appendQuoted(position)
            buffer.append(",\"lag\":")
            buffer.append(decimal: lag)
        }
        buffer.append(",\"keysLeft\":{")
        for (index, entry) in keysLeft.enumerated() {
            buffer.append(text: (index > 0 ? "," : "") + "\"\(entry.tree)\":\(entry.count)")
        }
        buffer.append("},\"borrows\":")
        buffer.append(decimal: borrowCount)
        buffer.append("}")
    }
}
