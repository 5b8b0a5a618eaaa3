// What the product itself writes, as inputs to begin with.
import HoldfastBasics
import HoldfastHTTP
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport

@testable import HoldfastCommitLog

enum CorpusSeeds {
    /// Inputs for every target.
    static func all() throws -> [(target: FuzzTarget, inputs: [[UInt8]])] {
        let (disk, forgetful) = (try stock(), try stock(forgets: true))
        func files(
            _ folder: String,
            _ suffix: String = "",
            of disk: SimulatedDisk
        ) throws -> [[UInt8]] {
            try disk.names(in: folder).filter { $0.hasSuffix(suffix) }
                .compactMap { disk.bytes(folder + "/" + $0) }
                .map { [1] + $0.prefix(6000) }
        }
        let log = try small()
        return [
            (.frame, try frames(disk)),
            (.segment, log + (try files("log", ".seg", of: disk))),
            (.part, try files("parts", of: disk) + files("parts", of: forgetful)),
            (.manifest, try files("manifest", of: disk) + files("manifest", of: forgetful)),
            (.json, json.map { Array($0.utf8) }),
            (.http, http.map { Array($0.utf8) }),
            (.webSocket, webSocket()),
            (.wire, wire.map { Array($0.utf8) }),
            (.view, try ViewTargets.seeds()),
        ]
    }

    /// A database with parts of records and removals; with used keys and changes where it forgets.
    private static func stock(forgets: Bool = false) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let options = LogOptions(segmentByteCount: 4096, growByteCount: 512)
        let bench = try StoreBench(disk, options: options)
        let life = try StockLife(bench, seed: 1)
        for _ in 0..<120 { try life.step() }
        bench.sync()
        let sizes = PartSizes(least: 500, most: 4096, mask: 3)
        if forgets {
            bench.time.advance(milliseconds: 1)
            try life.compact(forgettingBefore: bench.time.wallMilliseconds(), sizes: sizes)
        } else {
            try bench.store.checkpoint(sizes: sizes)
        }
        try bench.store.close()
        return disk
    }

    /// Logs of commits that are no more than bytes: small, and one with a torn tail.
    private static func small() throws -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        for count in [0, 1, 3, 8] {
            let disk = SimulatedDisk()
            let driver = try LogDriver(disk, seed: UInt64(count) + 1)
            for _ in 0..<count { driver.append(byteCount: 24) }
            try driver.flush()
            let bytes = disk.bytes(Segment.path(firstSeq: 1)) ?? []
            inputs.append([1] + bytes)
            inputs.append([0] + bytes.dropLast(700))
            try driver.close()
            inputs.append([1] + (disk.bytes(Segment.path(firstSeq: 1)) ?? []))
        }
        return inputs
    }

    private static func frames(_ disk: SimulatedDisk) throws -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        for name in try disk.names(in: "log") where name.hasSuffix(".seg") {
            let bytes = disk.bytes("log/" + name) ?? []
            bytes.withView { view in
                var offset = 96
                while offset + FrameLayout.markByteCount <= view.count, inputs.count < 30 {
                    switch FrameLayout.look(view, at: offset, salt: nil) {
                    case .nothing: return
                    case .mark:
                        inputs.append([1] + view[offset..<offset + 40].array)
                        offset += 40
                    case .commit(let byteCount):
                        inputs.append([3] + view[offset..<offset + byteCount].array)
                        offset += byteCount
                    }
                }
            }
        }
        return inputs
    }

    private static let json = [
        #"{"a":"x","b":1,"c":{"k":{"x":1.5,"y":[1,-2]}},"d":"open","e":[[true],[]],"f":9,"g":0.1}"#,
        "[null,true,-0.1e-7,\"\\u0041\\ud83d\\ude39\\n\",{\"\":[]}]", "\"\u{1F600}é\"", "0",
        " [ 1 , 2 ] ",
        "{\"a\":{\"b\":1,\"c\":null},\"d\":[1,2,3]}\u{0}{\"a\":{\"c\":2},\"d\":[1,3]}",
        "[1,2,3,4]\u{0}[2,3,9]", "{\"a\":1}\u{0}{\"a\":null,\"b\":[]}",
        "18446744073709551615", "1.7976931348623157e308",
    ]

    private static let http = [
        "GET /v1/trees/parts/7?at=1.2&x=%20 HTTP/1.1\r\nHost: a\r\nIf-Match: \"1\"\r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /v1/changes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        "GET /v1/feed HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\u{1}",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
    ]

    private static func webSocket() -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        for mask in [nil, WebSocketMask(0xA1B2_C3D4)] {
            for (opcode, isFinal) in [
                (WebSocketOpcode.text, true), (.binary, false), (.ping, true), (.pong, true),
            ] {
                var out = ByteBuffer()
                Array("hällo".utf8).withView {
                    out.appendFrame(opcode, $0, isFinal: isFinal, mask: mask)
                    if !isFinal { out.appendFrame(.continuation, $0, isFinal: true, mask: mask) }
                }
                inputs.append(out.array)
            }
            var close = ByteBuffer()
            [UInt8](repeating: 65, count: 300).withView {
                close.appendFrame(.text, $0, isFinal: true, mask: mask)
            }
            [3, 232, 98, 121, 101].withView {
                close.appendFrame(.close, $0, isFinal: true, mask: mask)
            }
            inputs.append(close.array)
        }
        return inputs
    }

    private static let put =
        #"{"put":{"tree":"parts","key":{"id":7,"revision":1},"expects":"absent","value":{"a":[1]}}}"#
    private static let change =
        #"{"id":"0198c5f2-7b1e-7c3a-9d55-000000000001","why":"x","operations":["# + put
        + #",{"borrow":{"tree":"parts","key":{"name":"R","revision":0},"borrow":"0198c5f2-7b1e-7c3a-9d55-000000000002","queue":true}}]}"#

    private static let wire = [
        change, "\u{2}" + change, "\u{3}{\"through\":9}", #"{"number":1}"#, #"{"hold":null}"#,
        #"{"keys":"id","versioned":true,"borrow":"optional","transitions":[{"from":{"draft":0},"to":{"draft":1}}],"schema":{"version":"1.0","fields":[{"name":"n","type":"string","unique":true}]}}"#,
        #"{"tree":"parts","key":{"id":1,"revision":0},"kind":"kept","state":"held","order":3,"user":"a","device":"d","takenAt":"2026-01-01T00:00:00.000Z","note":""}"#,
        #"{"name":"front","user":"a","app":"s","appVersion":"1","schemas":{"parts":"1.0"},"confirmed":0,"firstSeen":"2026-01-01T00:00:00.000Z"}"#,
        #"{"start":{"position":"1.0123456789abc","trees":["parts"]}}"#, "7.2", "R%200805",
        #"{"type":"about:blank","status":409,"code":"borrowed","detail":"x"}"#,
        "\u{11}\u{3}\u{0}\u{0}\u{0}abc",
    ]
}
