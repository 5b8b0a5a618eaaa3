// The peer that keeps keys over HTTP durably: etcd by its JSON gateway.
internal import Foundation

/// A running etcd of one member.
final class EtcdProcess: MeasuredServer {
    let name = "etcd gateway"
    let port: UInt16
    let processes: [ChildProcess]

    /// Starts it; nil where it is not installed.
    init?(_ folder: ScratchFolder) throws {
        guard let path = ChildProcess.find("etcd") else { return nil }
        port = try MeasuredPort.free()
        let own = "http://127.0.0.1:\(port)"
        let data = folder.fresh("etcd")
        processes = [
            try ChildProcess(
                path,
                [
                    "--data-dir", data, "--listen-client-urls", own, "--advertise-client-urls", own,
                    "--listen-peer-urls", "http://127.0.0.1:\(try MeasuredPort.free())",
                    "--logger", "zap", "--log-level", "error", "--log-outputs", data + ".log",
                ]
            )
        ]
        try awaitAnswer(on: port, to: "POST", "/v3/kv/range", body: #"{"key":"AAAA"}"#)
    }

    /// A key and a value as the gateway wants them; a number is Base64 already.
    static func pair(_ number: String, _ record: String) -> String {
        #"{"key":"\#(number)","value":"\#(Data(record.utf8).base64EncodedString())"}"#
    }

    /// A transaction that sets records under numbers.
    static func transaction(_ numbers: [String], _ record: String) -> String {
        let puts = numbers.map { #"{"requestPut":\#(pair($0, record))}"# }
        return #"{"success":[\#(puts.joined(separator: ","))]}"#
    }
}
