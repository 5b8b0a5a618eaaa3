// TLS on real sockets with real certificates: the server's end.
import Glibc
import HoldfastBasics
import HoldfastNetworking
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct TLSTests {
    private static let files = TestCertificates.shared

    private static func acceptor(
        _ pair: TestCertificates.Pair = files.server,
        clientAuthorities: String? = nil
    ) throws -> TLSAcceptor {
        try TLSAcceptor(
            TLSFiles(certificate: pair.certificate, key: pair.key),
            clientAuthorities: clientAuthorities
        )
    }

    private static func options(_ acceptor: TLSAcceptor) -> Listener.Options {
        var options = Listener.Options()
        options.tls = acceptor
        return options
    }

    private static func trusting(_ files: TLSFiles? = nil) throws -> TLSContext {
        try TLSContext.client(authorities: Self.files.authority, files)
    }

    private static func echo(_ text: String, _ client: TLSClient) -> Bool {
        client.send(text) && client.receiveText(text.utf8.count) == text
    }

    @Test("What is sent comes back, however much it is, and both sides end in order")
    func echo() throws {
        let service = try Service(Self.options(Self.acceptor()))
        let port = service.listener.address.port
        let clients = try (0..<10).map { _ in try TLSClient(port: port, Self.trusting()) }
        for (index, client) in clients.enumerated() { #expect(Self.echo("hello \(index)", client)) }
        #expect(clients[0].version == "TLSv1.3")
        var bytes = [UInt8](repeating: 0, count: 3 << 20)
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 31 >> 3) }
        // Sent in parts that the sockets hold, or both sides would wait for the other to read.
        for start in stride(from: 0, to: bytes.count, by: 64 << 10) {
            let part = Array(bytes[start..<min(start + (64 << 10), bytes.count)])
            #expect(clients[1].send(part))
            #expect(clients[1].receive(part.count).bytes == part)
        }
        for client in clients {
            client.endOutput()
            #expect(client.receive() == ([], .ended))
        }
        #expect(service.closed(10) == Array(repeating: .asked, count: 10))
        service.stop()
        #expect(service.record.withLock { $0.opened } == 10)
    }

    @Test("A request that comes in one packet with the end of the handshake is answered")
    func early() throws {
        let service = try Service(Self.options(Self.acceptor()))
        for _ in 0..<3 {
            let client = try TLSClient(
                port: service.listener.address.port,
                Self.trusting(),
                first: "hello"
            )
            #expect(client.receiveText(5) == "hello")
        }
        service.stop()
    }

    @Test("A client that has ended its side still gets its answer; one that was cut gets none")
    func halfClosed() throws {
        let service = try Service(Self.options(Self.acceptor())) { probe, _ in
            let record = probe.record
            probe.onReceived = { _, bytes in
                record.signal { $0.lines.append(bytes.text) }
                return bytes.count
            }
            probe.onInputEnded = { stream in
                stream.write { $0.append("goodbye") }
                stream.finish()
            }
        }
        let port = service.listener.address.port
        let client = try TLSClient(port: port, Self.trusting())
        client.send("that was all")
        client.endOutput()
        let (bytes, end) = client.receive()
        #expect(String(decoding: bytes, as: UTF8.self) == "goodbye")
        #expect(end == .ended)
        #expect(service.closed(1) == [.asked])
        let other = try TLSClient(port: port, Self.trusting())
        other.send("not all")
        service.record.wait(until: { $0.lines.contains("not all") }) { _ in }
        other.cut()
        #expect(service.closed(2) == [.asked, .insecure(.truncated)])
        #expect(other.receive().bytes == [])
        service.stop()
    }

    @Test("Lines that came in one record are delivered though the stream pauses after each")
    func pausing() throws {
        let worker = try EventLoop()
        let service = try Service(Self.options(Self.acceptor())) { probe, _ in
            probe.onReceived = { stream, bytes in
                guard let end = bytes.firstIndex(of: 10) else { return 0 }
                let line = bytes[0..<end].text
                stream.pauseReading()
                let bound = LoopBound(stream, to: stream.loop)
                worker.execute {
                    bound.execute { stream in
                        stream.write { $0.append(text: line + ".") }
                        stream.resumeReading()
                    }
                }
                return end + 1
            }
        }
        let client = try TLSClient(port: service.listener.address.port, Self.trusting())
        let lines = (0..<8000).map { "line \($0)" }
        let expected = lines.map { $0 + "." }.joined()
        // More than one read takes, and with its end in the same moment.
        client.send(lines.map { $0 + "\n" }.joined())
        #expect(client.receiveText(expected.utf8.count) == expected)
        service.stop()
        worker.stop()
        worker.join()
    }

    @Test("A client that does not read costs bounded memory, and the loop serves others")
    func backPressure() throws {
        let reply = 64 << 10
        let service = try Service(Self.options(Self.acceptor())) { probe, stream in
            let record = probe.record
            probe.onReceived = { stream, bytes in
                var used = 0
                while used < bytes.count, stream.canTakeOutput {
                    stream.write { $0.append([UInt8](repeating: bytes[used], count: reply)) }
                    used += 1
                }
                let unsent = stream.unsentByteCount
                record.signal { seen in
                    seen.peak = max(seen.peak, unsent)
                    if used < bytes.count { seen.heldBack += 1 }
                }
                return used
            }
        }
        let port = service.listener.address.port
        let requests = (0..<400).map { UInt8(97 + $0 % 26) }
        let slow = try TLSClient(port: port, Self.trusting())
        slow.send(requests)
        service.record.wait(until: { $0.heldBack > 0 }) { _ in }
        for _ in 0..<5 {
            let other = try TLSClient(port: port, Self.trusting())
            other.send("z")
            #expect(other.receive(reply).bytes == [UInt8](repeating: 122, count: reply))
        }
        for request in requests {
            let isRight = slow.receive(reply).bytes == [UInt8](repeating: request, count: reply)
            #expect(isRight)
            if !isRight { break }
        }
        #expect(service.record.withLock { $0.peak } <= Limits.outputByteCountHigh + reply)
        service.stop()
    }

    @Test("Silence, noise and half a handshake end in time, and hold up nobody")
    func hostile() throws {
        let failures = Condition(0)
        var options = Self.options(try Self.acceptor())
        options.handshakeMilliseconds = 500
        options.plainFarewell = Array("use https".utf8)
        options.noteInsecure = { failures.signal { $0 += 1 } }
        let service = try Service(options)
        let silent = (0..<50).map { _ in service.client }
        let half = (0..<50).map { _ in service.client }
        // The start of a record that announces a ClientHello.
        for client in half { client.send([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) }
        let plain = service.client
        plain.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        #expect(plain.receiveText() == "use https")
        let noise = service.client
        noise.send((0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 17) })
        // What it gets, if anything, is an alert.
        #expect(noise.receive().count < 16)
        for _ in 0..<5 {
            let port = service.listener.address.port
            #expect(Self.echo("hello", try TLSClient(port: port, Self.trusting())))
        }
        for client in silent + half { #expect(client.receive() == []) }
        failures.wait(until: { $0 == 102 }) { _ in }
        // Only those who came through ever had an owner.
        #expect(service.record.withLock { $0.opened } == 5)
        service.stop()
    }

    @Test("A handshake under way does not outlive its listener")
    func listenerEnds() throws {
        let service = try Service(Self.options(Self.acceptor()))
        let open = try TLSClient(port: service.listener.address.port, Self.trusting())
        #expect(Self.echo("here", open))
        let shaking = service.client
        shaking.send([22, 3, 1])
        waitUntil { service.listener.connectionCount == 2 }
        service.listener.close()
        #expect(shaking.receive() == [])
        waitUntil { service.listener.connectionCount == 1 }
        #expect(Self.echo("still here", open))
        service.stop()
    }

    @Test("A renewed certificate is shown to who comes, a broken one is not taken")
    func reload() throws {
        try withFolder { folder in
            try copy(Self.files.server, to: folder)
            let pair = TestCertificates.Pair(
                certificate: folder + "/certificate",
                key: folder + "/key"
            )
            let acceptor = try Self.acceptor(pair)
            let service = try Service(Self.options(acceptor))
            let port = service.listener.address.port
            let before = try TLSClient(port: port, Self.trusting())
            #expect(Self.echo("before", before))
            try copy(Self.files.stranger, to: folder)
            try acceptor.reload()
            #expect(throws: TLSError.self) { try TLSClient(port: port, Self.trusting()) }
            let other = try TLSContext.client(authorities: Self.files.otherAuthority)
            #expect(Self.echo("after", try TLSClient(port: port, other)))
            #expect(Self.echo("still", before))
            // The certificate is there, and the key is still the other's.
            try copy(Self.files.renewed, to: folder, isWhole: false)
            #expect(throws: TLSError.otherKey(certificate: pair.certificate, key: pair.key)) {
                try acceptor.reload()
            }
            try write("nothing", to: pair.certificate)
            #expect(
                throws: TLSError.badFile(pair.certificate, reason: "it holds no such PEM block")
            ) { try acceptor.reload() }
            #expect(Self.echo("kept", try TLSClient(port: port, other)))
            service.stop()
        }
    }

    @Test("Where certificates are asked of clients, who has none or a stranger's is refused")
    func mutual() throws {
        let acceptor = try Self.acceptor(clientAuthorities: Self.files.authority)
        let service = try Service(Self.options(acceptor))
        let port = service.listener.address.port
        func files(_ pair: TestCertificates.Pair) -> TLSFiles {
            TLSFiles(certificate: pair.certificate, key: pair.key)
        }
        // With TLS 1.3 a client learns of it when it first reads.
        let nobody = try TLSClient(port: port, Self.trusting())
        nobody.send("hello")
        #expect(nobody.receive() == ([], .failed(.clientCertificateMissing)))
        let stranger = try TLSClient(port: port, Self.trusting(files(Self.files.stranger)))
        stranger.send("hello")
        #expect(stranger.receive() == ([], .failed(.refusedByPeer("unknown ca"))))
        let known = try TLSClient(port: port, Self.trusting(files(Self.files.client)))
        #expect(Self.echo("hello", known))
        #expect(service.record.withLock { $0.opened } == 1)
        service.stop()
    }

    private func copy(
        _ pair: TestCertificates.Pair,
        to folder: String,
        isWhole: Bool = true
    ) throws {
        mkdir(folder, 0o700)
        try write(read(pair.certificate), to: folder + "/certificate")
        if isWhole { try write(read(pair.key), to: folder + "/key") }
    }

    private func read(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }

    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fputs(text, file) >= 0)
    }
}
