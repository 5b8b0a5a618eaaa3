// TLS on real sockets with real certificates: the client's end.
import HoldfastBasics
import HoldfastNetworking
import HoldfastTestSupport
import Testing

private let certificates = TestCertificates.shared

@Suite(.serialized) struct TLSConnectorTests {
    /// Connects, sends a secret when the connection stands, and gives what came of it.
    private static func connect(
        to host: String,
        _ port: UInt16,
        _ security: TLSContext
    ) throws -> Result<String, NetworkError> {
        let loop = try EventLoop()
        let outcome = Condition<Result<String, NetworkError>?>(nil)
        let record = Record(Seen())
        loop.execute {
            let probe = Probe(record)
            probe.onReceived = { stream, bytes in
                let text = bytes.text
                outcome.signal { $0 = .success(text) }
                stream.close()
                return bytes.count
            }
            Connector.connect(
                to: host,
                port: port,
                on: loop,
                deadlineMilliseconds: 10_000,
                security: security,
                handler: probe
            ) { result in
                switch result {
                case .success(let stream): stream.write { $0.append("secret") }
                case .failure(let error): outcome.signal { $0 = .failure(error) }
                }
            }
        }
        let found = outcome.wait(until: { $0 != nil }) { $0 }
        loop.stop()
        loop.join()
        return try #require(found)
    }

    /// A server with a certificate, which records what it is sent.
    private static func service(_ pair: TestCertificates.Pair) throws -> Service {
        var options = Listener.Options()
        options.tls = try TLSAcceptor(TLSFiles(certificate: pair.certificate, key: pair.key))
        return try Service(options) { probe, _ in
            let record = probe.record
            probe.onReceived = { stream, bytes in
                record.signal { $0.lines.append(bytes.text) }
                stream.write(bytes)
                return bytes.count
            }
        }
    }

    @Test("A server that shows who it is gets what is sent, by name and by address")
    func good() throws {
        let service = try Self.service(certificates.server)
        let context = try TLSContext.client(authorities: certificates.authority)
        for host in ["localhost", "127.0.0.1"] {
            #expect(
                try Self.connect(to: host, service.listener.address.port, context)
                    == .success("secret")
            )
        }
        service.stop()
    }

    @Test(
        "Nothing is sent to a server whose certificate does not verify",
        arguments: [
            (certificates.expired, "localhost", TLSError.expired),
            (
                certificates.elsewhere, "localhost",
                .otherHost("localhost", names: "elsewhere.example")
            ),
            (
                certificates.elsewhere, "127.0.0.1",
                .otherHost("127.0.0.1", names: "elsewhere.example")
            ),
            (
                certificates.stranger, "localhost",
                .unknownAuthority("unable to get local issuer certificate")
            ),
        ] as [(TestCertificates.Pair, String, TLSError)]
    )
    func refused(pair: TestCertificates.Pair, host: String, error: TLSError) throws {
        let service = try Self.service(pair)
        let port = service.listener.address.port
        let context = try TLSContext.client(authorities: certificates.authority)
        #expect(
            try Self.connect(to: host, port, context)
                == .failure(.insecure("\(host):\(port)", error))
        )
        service.stop()
        #expect(service.record.withLock { $0.lines } == [])
    }

    @Test("A server of this machine's own is not among those the system trusts")
    func system() throws {
        let service = try Self.service(certificates.server)
        let port = service.listener.address.port
        guard
            case .failure(.insecure(_, .unknownAuthority)) = try Self.connect(
                to: "localhost",
                port,
                TLSContext.client()
            )
        else {
            Issue.record("trusted")
            return
        }
        service.stop()
        #expect(service.record.withLock { $0.lines } == [])
    }

    @Test("A server that speaks no TLS, or nothing at all, has its own error")
    func notTLS() throws {
        let plain = try Service { probe, _ in
            probe.onReceived = { stream, bytes in
                stream.write { $0.append("HTTP/1.1 400 Bad Request\r\n\r\n") }
                return bytes.count
            }
        }
        let port = plain.listener.address.port
        let context = try TLSContext.client(authorities: certificates.authority)
        #expect(
            try Self.connect(to: "127.0.0.1", port, context)
                == .failure(.insecure("127.0.0.1:\(port)", .notTLS))
        )
        plain.stop()
        let leaving = try Service { _, stream in stream.close() }
        let other = leaving.listener.address.port
        #expect(
            try Self.connect(to: "127.0.0.1", other, context)
                == .failure(.insecure("127.0.0.1:\(other)", .truncated))
        )
        leaving.stop()
    }

    @Test("Files that cannot be used are named with the reason")
    func files() throws {
        let files = certificates
        #expect(throws: TLSError.badFile("/nowhere", reason: "No such file or directory")) {
            try TLSContext.client(authorities: "/nowhere")
        }
        #expect(
            throws: TLSError.otherKey(
                certificate: files.server.certificate,
                key: files.client.key
            )
        ) {
            try TLSContext.server(
                TLSFiles(certificate: files.server.certificate, key: files.client.key)
            )
        }
        #expect(
            throws: TLSError.badFile(files.server.key, reason: "it holds no such PEM block")
        ) {
            try TLSContext.server(
                TLSFiles(certificate: files.server.key, key: files.server.key)
            )
        }
    }
}
