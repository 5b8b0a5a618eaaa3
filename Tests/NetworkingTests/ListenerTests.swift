import Glibc
import HoldfastBasics
import HoldfastNetworking
import Testing

/// Descriptors of this process, and how many of them are sockets.
private func descriptorCounts() -> (all: Int, sockets: Int) {
    var counts = (all: 0, sockets: 0)
    for descriptor in Int32(0)..<4096 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { continue }
        counts.all += 1
        if status.st_mode & S_IFMT == S_IFSOCK { counts.sockets += 1 }
    }
    return counts
}

private func setDescriptorLimit(_ count: Int) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = rlim_t(count)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

@Suite(.serialized) struct ListenerTests {
    @Test("the loops of a listener share its port and its connections")
    func severalLoops() throws {
        let loops = Lock<Set<ObjectIdentifier>>([])
        let service = try Service(loopCount: 2) { _, stream in
            loops.withLock { _ = $0.insert(ObjectIdentifier(stream.loop)) }
        }
        let clients = (0..<100).map { _ in service.client }
        for client in clients {
            client.send("x")
            #expect(client.receiveText(1) == "x")
        }
        #expect(loops.withLock { $0.count } == 2)
        #expect(service.listener.connectionCount == 100)
        service.stop()
        #expect(service.listener.connectionCount == 0)
    }

    @Test("two listeners do not share a port")
    func portInUse() throws {
        let service = try Service(loopCount: 2)
        let address = service.listener.address
        #expect(address.port != 0)
        #expect(throws: NetworkError.addressInUse(address)) {
            _ = try Listener(on: address, loops: service.loops) { _ in Probe(service.record) }
        }
        service.stop()
        let loop = try EventLoop()
        let record = Record(Seen())
        _ = try Listener(on: address, loops: [loop]) { _ in Probe(record) }
        loop.stop()
        loop.join()
    }

    @Test("an address of another machine is refused with the errno")
    func foreignAddress() throws {
        let loop = try EventLoop()
        let address = try SocketAddress("192.0.2.1:0")
        #expect(throws: NetworkError.cannotListen(address, errno: EADDRNOTAVAIL)) {
            _ = try Listener(on: address, loops: [loop]) { _ in Probe(Record(Seen())) }
        }
        loop.stop()
        loop.join()
    }

    @Test("IPv6 works where the machine has it")
    func versionSix() throws {
        let loop = try EventLoop()
        let address = try SocketAddress("[::1]:0")
        let record = Record(Seen())
        do throws(NetworkError) {
            let listener = try Listener(on: address, loops: [loop]) { _ in Probe(record) }
            #expect(listener.address.description.hasPrefix("[::1]:"))
        } catch {
            let isMissing =
                error == .cannotListen(address, errno: EADDRNOTAVAIL)
                || error == .cannotListen(address, errno: EAFNOSUPPORT)
            #expect(isMissing, "\(error)")
            print("SKIPPED: this machine has no IPv6")
        }
        loop.stop()
        loop.join()
    }

    @Test("above the limit nobody is accepted, and who waits gets in when there is room")
    func limit() throws {
        var options = Listener.Options()
        options.room = ConnectionRoom(countMax: 2)
        options.pauseMilliseconds = 10
        let service = try Service(options)
        let first = service.client
        let third: Client
        do {
            let second = service.client
            for client in [first, second] {
                client.send("x")
                #expect(client.receiveText(1) == "x")
            }
            third = service.client
            third.send("z")
            waitUntil { service.listener.pauseCount >= 2 }
            #expect(service.listener.connectionCount == 2)
        }
        #expect(third.receiveText(1) == "z")
        let fourth = service.client
        fourth.send("y")
        let count = service.listener.pauseCount
        waitUntil { service.listener.pauseCount > count }
        #expect(service.listener.connectionCount == 2)
        options.room.setCountMax(3)
        #expect(fourth.receiveText(1) == "y")
        service.stop()
    }

    @Test("a closed listener accepts no more, and open connections go on")
    func close() throws {
        let service = try Service()
        let client = service.client
        client.send("x")
        #expect(client.receiveText(1) == "x")
        service.listener.close()
        let closed = Condition(false)
        service.loops[0].execute { closed.signal { $0 = true } }
        closed.wait(until: { $0 }) { _ in }
        client.send("y")
        #expect(client.receiveText(1) == "y")
        let record = service.record
        let again = try Listener(on: service.listener.address, loops: service.loops) { _ in
            Probe(record)
        }
        #expect(again.address == service.listener.address)
        service.stop()
    }

    @Test("a thousand connections and a loop's end leave no descriptor and no stream behind")
    func leaks() async {
        await #expect(processExitsWith: .success) {
            let before = descriptorCounts()
            let service = try Service(loopCount: 2)
            for _ in 0..<10 {
                let clients = (0..<100).map { _ in service.client }
                for (index, client) in clients.enumerated() {
                    client.send("x")
                    #expect(client.receiveText(1) == "x")
                    if index % 2 == 0 { client.endOutput() }
                }
            }
            #expect(service.closed(1000).count == 1000)
            #expect(service.listener.connectionCount == 0)
            for loop in service.loops {
                let count = Condition(-1)
                loop.execute { count.signal { $0 = loop.streamCount } }
                #expect(count.wait(until: { $0 >= 0 }) { $0 } == 0)
            }
            service.stop()
            for _ in 0..<50 {
                let loop = try EventLoop()
                loop.stop()
                loop.join()
            }
            let after = descriptorCounts()
            #expect(after.sockets == before.sockets)
            // The runtime may open one of its own meanwhile, but not one per loop.
            #expect(after.all < before.all + 50)
        }
    }

    @Test("out of descriptors a loop rests, serves those it has, and goes on when there are some")
    func descriptorsExhausted() async {
        await #expect(processExitsWith: .success) {
            let service = try Service()
            let first = service.client
            first.send("a")
            #expect(first.receiveText(1) == "a")
            let waiting = (0..<8).map { _ in Client() }
            let (highest, plenty) = (Int(waiting.map(\.descriptor).max() ?? 0), 512)
            setDescriptorLimit(highest + 3)
            for client in waiting {
                client.connect(service.listener.address.port)
                client.send("b")
            }
            waitUntil { service.listener.pauseCount >= 2 }
            #expect(service.listener.connectionCount < 9)
            first.send("c")
            #expect(first.receiveText(1) == "c")
            setDescriptorLimit(plenty)
            for client in waiting { #expect(client.receiveText(1) == "b") }
            #expect(service.listener.connectionCount == 9)
            service.stop()
        }
    }
}
