// Creations of records over HTTP, each acknowledged when it is on the disk.
internal import Foundation

/// `put_durable_rps`, `put_durable_rps_per_core`, `batch100_durable_records_per_s`.
///
/// 64 connections, one commit a request, of one record or of a hundred. Redis syncs its log before
/// it answers, as etcd does; so does a bare server, which does nothing else.
enum PutMeasure {
    private static let batchCount = 100

    static func run(_ context: Context) throws {
        let server = try ServerProcess(data: context.folder.fresh("put"))
        defer { server.stop() }
        try server.makeTree()
        let webdis = try WebdisProcess(context.folder)
        defer { webdis?.stop() }
        let etcd = try EtcdProcess(context.folder)
        defer { etcd?.stop() }
        let bare = try BareServer(
            loops: ProcessInfo.processInfo.activeProcessorCount,
            body: "",
            file: context.folder.fresh("put.bare")
        )
        defer { bare.stop() }
        try one(server, webdis, etcd, bare).run(context)
        try batch(server, webdis, etcd).run(context)
    }

    private static func one(
        _ server: ServerProcess,
        _ webdis: WebdisProcess?,
        _ etcd: EtcdProcess?,
        _ bare: BareServer
    ) -> Contest {
        let number = LoadRequest.number
        var contest = Contest(
            figures: [
                .perSecond("put_durable_rps"), .perProcessorSecond("put_durable_rps_per_core"),
            ],
            unit: "requests/s",
            ours: Contest.Entry(
                server,
                LoadRequest(
                    "PUT",
                    "/v1/records/bench/\(number)",
                    headers: ["If-None-Match: *"],
                    body: Sample.record
                )
            )
        )
        contest.enter(
            webdis.map { webdis in
                Contest.Entry(
                    webdis,
                    LoadRequest("PUT", "/SET/\(number)", body: Sample.record),
                    reply: #"[true,"OK"]"#
                )
            },
            else: "redis or webdis"
        )
        contest.enter(
            etcd.map { etcd in
                let pair = EtcdProcess.pair(number, Sample.record)
                return Contest.Entry(
                    etcd,
                    LoadRequest("POST", "/v3/kv/put", body: pair),
                    reply: #""revision":"#
                )
            },
            else: "etcd"
        )
        let request = LoadRequest("PUT", "/\(number)", body: Sample.record)
        contest.peers.append(Contest.Entry(bare, request))
        return contest
    }

    private static func batch(
        _ server: ServerProcess,
        _ webdis: WebdisProcess?,
        _ etcd: EtcdProcess?
    ) -> Contest {
        let numbers = Array(repeating: LoadRequest.number, count: batchCount)
        let puts = numbers.map { number in
            #"{"put":{"tree":"bench","key":{"name":"b\#(number)","revision":0},"#
                + #""expects":"absent","value":\#(Sample.record)}}"#
        }
        var contest = Contest(
            figures: [.perSecond("batch100_durable_records_per_s")],
            unit: "records/s",
            weight: Double(batchCount),
            ours: Contest.Entry(
                server,
                LoadRequest(
                    "POST",
                    "/v1/changes",
                    body: #"{"operations":[\#(puts.joined(separator: ","))]}"#
                ),
                reply: #""position":"#
            )
        )
        contest.enter(
            webdis.map { webdis in
                let command = WebdisProcess.set(numbers.map { "b" + $0 }, Sample.record)
                return Contest.Entry(
                    webdis,
                    LoadRequest("POST", "/", body: command),
                    reply: #"[true,"OK"]"#
                )
            },
            else: "redis or webdis"
        )
        contest.enter(
            etcd.map { etcd in
                // Other keys than those of single records, and Base64 as well.
                let body = EtcdProcess.transaction(numbers.map { $0 + "bbbb" }, Sample.record)
                return Contest.Entry(
                    etcd,
                    LoadRequest("POST", "/v3/kv/txn", body: body),
                    reply: #""succeeded":true"#
                )
            },
            else: "etcd"
        )
        return contest
    }
}
