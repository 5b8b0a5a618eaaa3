// What comes over the wire, and system records in the log.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire

/// What decoders of bodies and messages make of any bytes.
enum WireTargets {
    /// A mirror's message with its kind, or a body.
    static func wire(_ input: [UInt8]) throws {
        try input.withView { view in
            try up(view)
            try down(view)
            try bodies(view)
            try records(view)
        }
    }

    private static func up(_ view: ByteView) throws {
        guard let message = try taken(MirrorFault.self, { try MirrorUp(view) }) else { return }
        var bytes = ByteBuffer()
        message.append(to: &bytes)
        let again = try taken(MirrorFault.self) { try MirrorUp(bytes.view) }
        try demand(again == message, "a mirror's message is read as it was written")
    }

    private static func down(_ view: ByteView) throws {
        guard let message = try taken(MirrorFault.self, { try MirrorDown(view) }) else { return }
        if case .unknown = message { return }
        var bytes = ByteBuffer()
        message.append(to: &bytes)
        let again = try taken(MirrorFault.self) { try MirrorDown(bytes.view) }
        try demand(again == message, "a server's message is read as it was written")
    }

    private static func bodies(_ view: ByteView) throws {
        let id = UniqueID(high: 0x0198_C5F2_7B1E_7C3A, low: 0x9D55_0000_0000_0001)
        _ = try taken(ShapeRefusal.self) {
            try ChangeRequest(view) { id }.checkRevisions { _ in true }
        }
        let change = try taken(ShapeRefusal.self) { try MirrorChange.stored(view) }
        if let change {
            var bytes = ByteBuffer()
            change.append(to: &bytes)
            let again = try taken(ShapeRefusal.self) { try MirrorChange.stored(bytes.view) }
            try demand(again == change, "a stored change is read as it was written")
        }
        let definition = try taken(ShapeRefusal.self) { try RequestBody.treeDefinition(view) }
        if let definition {
            let again = try definition.json.withView { json in
                try taken(FormError.self) { try TreeDefinition(json: json) }
            }
            try demand(again == definition, "a definition is read as it was written")
        }
        _ = try taken(ShapeRefusal.self) { try RequestBody.value(view) }
        _ = try taken(ShapeRefusal.self) { try RequestBody.release(view) }
        _ = try taken(ShapeRefusal.self) { try RequestBody.revise(view) }
        _ = try taken(ShapeRefusal.self) { try RequestBody.state(view) }
        _ = try taken(ShapeRefusal.self) { try FeedStart(view) }
        _ = try taken(ShapeRefusal.self) { try ProblemDocument(view) }
        _ = try taken(ShapeRefusal.self) { try SnapshotDocument(view) }
        _ = try taken(ShapeRefusal.self) { try ListCursor(view, parameters: []) }
        _ = try taken(ShapeRefusal.self) { try KeyChoice.id(path: view, kind: .id) }
        _ = try taken(ShapeRefusal.self) { try KeyChoice.id(path: view, kind: .name) }
        _ = try taken(ShapeRefusal.self) { try RevisionSelection(parameter: view) }
    }

    private static func records(_ view: ByteView) throws {
        let key = RecordKey(name: "0198c5f2-7b1e-7c3a-9d55-000000000001")
        if let borrow = try taken(FormError.self, { try BorrowRecord(key: key, json: view) }) {
            let again = try borrow.json.withView { json in
                try taken(FormError.self) { try BorrowRecord(key: key, json: json) }
            }
            try demand(again == borrow, "a borrow is read as it was written")
        }
        if let device = try taken(FormError.self, { try DeviceRecord(key: key, json: view) }) {
            let again = try device.json.withView { json in
                try taken(FormError.self) { try DeviceRecord(key: key, json: json) }
            }
            try demand(again == device, "a device is read as it was written")
        }
        _ = try taken(FormError.self) { try RangeRecord(key: key, json: view) }
    }
}
