import HoldfastBasics
import HoldfastRecords
import Testing

private let noon: Int64 = 1_795_168_800_123

private func id(_ number: UInt64) -> UniqueID {
    UniqueID(high: 0x0198_C5F2_7B1E_7C3A, low: 0x9D55_0000_0000_0000 | number)
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite struct SystemRecordsJSONTests {
    private func borrow(_ tree: TreeName) -> BorrowRecord {
        BorrowRecord(
            id: id(1),
            tree: tree,
            key: RecordKey(number: 12),
            kind: .held,
            state: .queued,
            order: 48_213,
            user: "anna",
            device: "PC-12",
            takenAt: noon,
            grantedAt: nil,
            dueAt: nil,
            termSeconds: nil,
            note: "shelf \"4\"",
            recalled: nil
        )
    }

    @Test("a borrow is written in the form of the table")
    func borrowForm() throws {
        let parts = try #require(TreeName("parts"))
        #expect(
            text(borrow(parts).json) == """
                {"tree":"parts","key":{"id":12,"revision":0},"kind":"held","state":"queued",\
                "order":48213,"holder":{"user":"anna","device":"PC-12"},\
                "takenAt":"2026-11-20T10:00:00.123Z","note":"shelf \\"4\\""}
                """
        )
    }

    @Test("a borrow is read as it was written, whatever is set")
    func borrowRoundTrip() throws {
        let parts = try #require(TreeName("parts"))
        var full = borrow(parts)
        full.key = RecordKey(name: "pre:\u{e9}\"/ 1.2", revision: 3)
        full.kind = .leased
        full.state = .granted
        full.grantedAt = noon + 1
        full.dueAt = noon + 2
        full.termSeconds = 30
        full.recalled = BorrowRecord.Recall(by: "ben", at: noon + 3, note: "")
        for record in [borrow(parts), full] {
            let key = RecordKey(record.id)
            #expect(try record.json.withView { try BorrowRecord(key: key, json: $0) } == record)
        }
    }

    @Test("members nobody knows yet are passed over, null is as left out")
    func newerBorrow() throws {
        let parts = try #require(TreeName("parts"))
        let json = text(borrow(parts).json).dropLast() + ",\"dueAt\":null,\"later\":{\"a\":[]}}"
        let read = try Array(json.utf8).withView {
            try BorrowRecord(key: RecordKey(id(1)), json: $0)
        }
        #expect(read == borrow(parts))
    }

    @Test("a borrow that does not fit is refused with its path")
    func badBorrows() throws {
        let parts = try #require(TreeName("parts"))
        let good = text(borrow(parts).json)
        let rows = [
            ("\"held\"", "\"lent\"", "kind"), ("\"queued\"", "1", "state"),
            ("48213", "-1", "order"), ("\"anna\"", "null", "holder.user"),
            ("10:00:00.123Z", "10:00", "takenAt"), ("{\"id\":12", "{\"id\":0", "key.id"),
            (",\"revision\":0", "", "key.revision"), ("\"tree\":\"parts\",", "", "tree"),
            ("\"user\":\"anna\",", "", "holder.user"),
            ("{\"id\":12", "{\"name\":\"..\"", "key.name"),
            ("{\"id\":12,", "{", "key"),
        ]
        for (from, to, path) in rows {
            let bytes = Array(good.replacing(from, with: to).utf8)
            let error = #expect(throws: FormError.self) {
                try bytes.withView { try BorrowRecord(key: RecordKey(id(1)), json: $0) }
            }
            #expect(error?.path == path)
        }
        #expect(throws: FormError.self) {
            try Array(good.utf8).withView {
                try BorrowRecord(key: RecordKey(name: "no uuid"), json: $0)
            }
        }
    }

    @Test("a range and a device are read as they were written")
    func otherRoundTrips() throws {
        let parts = try #require(TreeName("parts"))
        let range = RangeRecord(
            id: id(2),
            tree: parts,
            device: "PC-12",
            first: 5000,
            end: Limits.numberMax + 1,
            at: noon
        )
        #expect(
            try range.json.withView { try RangeRecord(key: RecordKey(range.id), json: $0) } == range
        )
        #expect(
            text(range.json) == """
                {"tree":"parts","device":"PC-12","first":5000,"end":9007199254740992,\
                "at":"2026-11-20T10:00:00.123Z"}
                """
        )
        var device = DeviceRecord(
            id: "dev/1",
            name: "Anna's PC",
            user: "anna",
            app: "stockroom",
            appVersion: "1.2",
            confirmedDeviceSeq: 7,
            firstSeen: noon
        )
        let key = RecordKey(name: device.id)
        #expect(try device.json.withView { try DeviceRecord(key: key, json: $0) } == device)
        device.schemaVersions = [parts: SchemaVersion(1, 2), .trees: SchemaVersion(1, 0)]
        #expect(try device.json.withView { try DeviceRecord(key: key, json: $0) } == device)
        #expect(
            text(device.json).contains("\"schemaVersions\":{\"_trees\":\"1.0\",\"parts\":\"1.2\"}")
        )
    }

    @Test("a range ends where it begins or later")
    func rangeOrder() throws {
        let json =
            "{\"tree\":\"parts\",\"device\":\"d\",\"first\":9,\"end\":8,"
            + "\"at\":\"2026-11-20T10:00:00.123Z\"}"
        let error = #expect(throws: FormError.self) {
            try Array(json.utf8).withView { try RangeRecord(key: RecordKey(id(1)), json: $0) }
        }
        #expect(error?.path == "end")
    }
}

@Suite struct RecordKeyJSONTests {
    private func read<T>(
        _ json: String,
        _ body: (inout FormReader) throws -> T
    ) throws -> T {
        try Array(json.utf8).withView { view in
            var reader = FormReader(view, isStrict: true)
            let value = try body(&reader)
            try reader.expectEnd()
            return value
        }
    }

    @Test("keys are read as they are written")
    func keys() throws {
        let keys = [
            RecordKey(number: 1), RecordKey(number: Limits.numberMax, revision: .max),
            RecordKey(name: "pre:demo:key"), RecordKey(name: "12", revision: 2),
            RecordKey(name: "a\"\\\u{e9}"),
        ]
        for key in keys {
            var buffer = ByteBuffer()
            key.appendJSON(to: &buffer)
            #expect(try read(buffer.view.text) { try $0.key() } == key)
        }
        var buffer = ByteBuffer()
        RecordKey(number: 12).appendJSON(to: &buffer)
        #expect(buffer.view.equals("{\"id\":12,\"revision\":0}"))
    }

    @Test("a key may leave its revision open where that is asked for")
    func openKeys() throws {
        for json in ["{\"id\":12}", "{\"revision\":null,\"id\":12}"] {
            let (id, revision) = try read(json) { try $0.openKey() }
            #expect(id == .number(12))
            #expect(revision == nil)
            #expect(throws: FormError.self) { try read(json) { try $0.key() } }
        }
    }

    @Test(
        "what is no key is refused",
        arguments: [
            "12", "\"12.0\"", "{}", "{\"id\":0,\"revision\":0}", "{\"id\":1.0,\"revision\":0}",
            "{\"id\":9007199254740992,\"revision\":0}", "{\"id\":1,\"name\":\"a\",\"revision\":0}",
            "{\"name\":\"\",\"revision\":0}", "{\"name\":\"a\\n\",\"revision\":0}",
            "{\"id\":1,\"revision\":4294967296}", "{\"id\":1,\"revision\":-1}",
            "{\"id\":1,\"revision\":0,\"x\":1}", "{\"name\":1,\"revision\":0}", "null",
        ]
    )
    func badKeys(json: String) {
        #expect(throws: FormError.self) { try read(json) { try $0.key() } }
    }

    @Test("states are read as they are written")
    func states() throws {
        for state in [RecordState.plain, .draft(0), .draft(.max), .released(7)] {
            var buffer = ByteBuffer()
            state.appendJSON(to: &buffer)
            #expect(try read(buffer.view.text) { try $0.state() } == state)
        }
    }

    @Test(
        "what is no state is refused",
        arguments: [
            "\"draft\"", "{}", "{\"draft\":-1}", "{\"draft\":1,\"released\":1}", "{\"plain\":0}",
            "{\"released\":4294967296}", "0", "[]", "{\"draft\":null}",
        ]
    )
    func badStates(json: String) {
        #expect(throws: FormError.self) { try read(json) { try $0.state() } }
    }
}
