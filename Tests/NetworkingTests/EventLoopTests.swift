import Glibc
import HoldfastBasics
import HoldfastNetworking
import Testing

@Suite(.serialized) struct EventLoopTests {
    @Test("work of many threads runs once, on the loop, in each thread's order")
    func execute() throws {
        let loop = try EventLoop()
        let seen = Condition<[[Int]]>(Array(repeating: [], count: 8))
        #expect(!loop.isCurrent)
        let workers = (0..<8).map { index in
            Worker {
                for number in 0..<2000 {
                    loop.execute {
                        precondition(loop.isCurrent)
                        seen.signal { $0[index].append(number) }
                    }
                }
            }
        }
        for worker in workers { worker.join() }
        let all = seen.wait(until: { $0.allSatisfy { $0.count >= 2000 } }) { $0 }
        #expect(all.allSatisfy { $0 == Array(0..<2000) })
        loop.stop()
        loop.join()
    }

    @Test("a loop that has ended takes no work and closes what it had")
    func stop() throws {
        let service = try Service()
        let client = service.client
        client.send("x")
        #expect(client.receiveText(1) == "x")
        service.stop()
        #expect(client.receive() == [])
        #expect(service.closed() == [.stopped])
        #expect(!service.loops[0].execute {})
    }

    private final class LastWords: ByteStreamHandler {
        let count: Lock<Int>
        init(_ count: Lock<Int>) { self.count = count }
        func received(_ stream: ByteStream, _ bytes: ByteView) -> Int {
            stream.loop.stop()
            return bytes.count
        }
        func closed(_ stream: ByteStream, _ reason: CloseReason) {
            let count = count
            #expect(stream.loop.execute { count.withLock { $0 += 1 } })
        }
    }

    @Test("work given before the end runs, also what a stream's end gives")
    func stopRunsWork() throws {
        let loop = try EventLoop()
        let count = Lock(0)
        for _ in 0..<100 { loop.execute { count.withLock { $0 += 1 } } }
        let listener = try Listener(on: SocketAddress("127.0.0.1:0"), loops: [loop]) { _ in
            LastWords(count)
        }
        let client = Client(listener.address)
        client.send("stop")
        #expect(client.receive() == [])
        loop.join()
        #expect(count.withLock { $0 } == 101)
    }

    @Test("a timer that has run, or was cancelled, lets go of its work")
    func timersEnd() throws {
        final class Token {}
        let loop = try EventLoop()
        let alive = Condition<[Bool]>([])
        loop.execute {
            let token = Token()
            weak let weakToken = token
            loop.schedule(afterMilliseconds: 1) { _ = token }
            loop.schedule(afterMilliseconds: 500) { _ = token }.cancel()
            loop.schedule(afterMilliseconds: 20) { alive.signal { $0.append(weakToken != nil) } }
        }
        #expect(alive.wait(until: { !$0.isEmpty }) { $0 } == [false])
        loop.stop()
        loop.join()
    }

    @Test("timers run in the order of their times, once or until cancelled")
    func timers() throws {
        let loop = try EventLoop()
        let events = Condition<[String]>([])
        loop.execute {
            loop.schedule(afterMilliseconds: 60) { events.signal { $0.append("60") } }
            loop.schedule(afterMilliseconds: 20) { events.signal { $0.append("20") } }
            let never = loop.schedule(afterMilliseconds: 40) { events.signal { $0.append("40") } }
            never.cancel()
            never.cancel()
            var (count, repeating) = (0, LoopTimer?.none)
            repeating = loop.schedule(afterMilliseconds: 5, isRepeating: true) {
                count += 1
                events.signal { $0.append("tick") }
                if count == 2 { repeating?.cancel() }
            }
            loop.schedule(afterMilliseconds: 100) { events.signal { $0.append("end") } }
        }
        let all = events.wait(until: { $0.count >= 5 && $0.contains("end") }) { $0 }
        // Where the thread has to wait for a processor, a tick may fall behind the others.
        #expect(all.filter { $0 != "tick" } == ["20", "60", "end"])
        #expect(all.count == 5)
        loop.stop()
        loop.join()
    }

    @Test("touching a loop's things from another thread traps")
    func confinement() async {
        await #expect(processExitsWith: .failure) {
            let loop = try EventLoop()
            loop.schedule(afterMilliseconds: 1) {}
        }
    }

    @Test("addresses are numeric, with a port")
    func addresses() {
        let good: [(String, String, Bool)] = [
            ("127.0.0.1:8080", "127.0.0.1:8080", true), ("0.0.0.0:0", "0.0.0.0:0", false),
            ("localhost:1", "127.0.0.1:1", true), ("[::1]:65535", "[::1]:65535", true),
            ("[::]:80", "[::]:80", false), ("127.8.9.10:1", "127.8.9.10:1", true),
        ]
        for (text, description, isLoopback) in good {
            let address = try? SocketAddress(text)
            #expect(address?.description == description)
            #expect(address?.isLoopback == isLoopback)
        }
        let bad = [
            "", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1",
            "127.0.0.1:+1", "::1:80", "[::1]", "[127.0.0.1]:80", "example.org:80", "1.2.3:80",
            "127.0.0.1:8 0", "[::1:80",
        ]
        for text in bad {
            #expect(throws: NetworkError.badAddress(text)) { _ = try SocketAddress(text) }
        }
    }
}
