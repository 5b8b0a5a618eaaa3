import Glibc
import HoldfastBasics
import HoldfastNetworking
import Testing

@Suite(.serialized) struct ByteStreamTests {
    @Test("what is sent comes back, and each connection is closed once")
    func echo() throws {
        let service = try Service()
        let clients = (0..<20).map { _ in service.client }
        for (index, client) in clients.enumerated() { client.send("hello \(index)") }
        for (index, client) in clients.enumerated() {
            let text = "hello \(index)"
            #expect(client.receiveText(text.utf8.count) == text)
            client.endOutput()
            #expect(client.receive() == [])
        }
        #expect(service.closed(20) == Array(repeating: .asked, count: 20))
        service.stop()
        #expect(service.record.withLock { $0.opened } == 20)
        #expect(service.record.withLock { $0.closed.count } == 20)
    }

    @Test("what a handler leaves comes again in front of what comes next")
    func leftovers() throws {
        let service = try Service { probe, _ in
            probe.onReceived = { stream, bytes in
                var used = 0
                while let end = bytes.firstIndex(of: 10, from: used) {
                    stream.write { out in
                        out.append("<")
                        out.append(bytes[used..<end])
                        out.append(">")
                    }
                    used = end + 1
                }
                return used
            }
        }
        let client = service.client
        client.send("a")
        client.send("b\nc\nd")
        #expect(client.receiveText(7) == "<ab><c>")
        client.send("\n" + String(repeating: "x", count: 300_000) + "\n")
        #expect(client.receive(3 + 300_002).count == 300_005)
        service.stop()
    }

    @Test("a new handler gets what the old one left in the same bytes")
    func handover() throws {
        let service = try Service { probe, _ in
            let record = probe.record
            probe.onReceived = { stream, bytes in
                guard bytes.count >= 3 else { return 0 }
                stream.handler = Probe(record)
                return 3
            }
        }
        let client = service.client
        client.send("up!rest")
        #expect(client.receiveText(4) == "rest")
        client.endOutput()
        #expect(client.receive() == [])
        #expect(service.closed() == [.asked])
        service.stop()
        #expect(service.record.withLock { $0.closed.count } == 1)
    }

    @Test("a paused stream delivers nothing until another thread's work lets it go on")
    func pausing() throws {
        let worker = try EventLoop()
        let service = try Service { probe, _ in
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
        let client = service.client
        let lines = (0..<200).map { "line \($0)" }
        client.send(lines.map { $0 + "\n" }.joined())
        let expected = lines.map { $0 + "." }.joined()
        #expect(client.receiveText(expected.utf8.count) == expected)
        service.stop()
        worker.stop()
        worker.join()
    }

    @Test("resuming inside the call that paused delivers what was left over")
    func pauseAndResume() throws {
        let service = try Service { probe, _ in
            probe.onReceived = { stream, bytes in
                stream.pauseReading()
                stream.resumeReading()
                stream.write(bytes[0..<1])
                return 1
            }
        }
        let client = service.client
        client.send("abcdefghijklmnopqrstuvwxyz")
        #expect(client.receiveText(26) == "abcdefghijklmnopqrstuvwxyz")
        service.stop()
    }

    @Test("what is sent at once overtakes nothing, and what the socket does not take comes later")
    func sendingAtOnce() throws {
        let large = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 / 1000) }
        let service = try Service { probe, _ in
            probe.onReceived = { stream, bytes in
                stream.send(bytes[0..<1])
                if bytes[0] == UInt8(ascii: "L") {
                    large.withView { stream.send($0) }
                    #expect(stream.unsentByteCount > 0)
                }
                stream.write(bytes[1..<2])
                stream.send(bytes[2..<3])
                if bytes[0] == UInt8(ascii: "E") {
                    stream.finish()
                    stream.send(bytes[0..<3])
                }
                return bytes.count
            }
        }
        let client = service.client
        client.send("abc")
        #expect(client.receiveText(3) == "abc")
        client.send("Lmn")
        #expect(client.receiveText(1) == "L")
        let isWhole = client.receive(large.count) == large
        #expect(isWhole)
        #expect(client.receiveText(2) == "mn")
        client.send("Ewo")
        #expect(client.receiveText(3) == "Ewo")
        client.endOutput()
        #expect(client.receive() == [])
        #expect(service.closed() == [.asked])
        service.stop()
    }

    @Test("a client that does not read costs bounded memory, and the loop serves others")
    func backPressure() throws {
        let reply = 64 << 10
        let service = try Service { probe, stream in
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
        let requests = (0..<400).map { UInt8(97 + $0 % 26) }
        let slow = service.client
        slow.send(requests)
        service.record.wait(until: { $0.heldBack > 0 }) { _ in }
        for _ in 0..<20 {
            let other = service.client
            other.send("z")
            #expect(other.receive(reply) == [UInt8](repeating: 122, count: reply))
        }
        for request in requests {
            let isRight = slow.receive(reply) == [UInt8](repeating: request, count: reply)
            #expect(isRight)
            if !isRight { break }
        }
        #expect(service.record.withLock { $0.peak } <= Limits.outputByteCountHigh + reply)
        service.stop()
    }

    @Test("a producer is asked for more as the peer reads, and never far ahead of it")
    func producing() throws {
        let (piece, count) = (16 << 10, 1000)
        let service = try Service { probe, stream in
            var sent = 0
            let record = probe.record
            let produce: (ByteStream) -> Void = { stream in
                while sent < count, stream.canTakeOutput {
                    stream.write { $0.append([UInt8](repeating: UInt8(sent % 251), count: piece)) }
                    sent += 1
                }
                let unsent = stream.unsentByteCount
                record.withLock { $0.peak = max($0.peak, unsent) }
                if sent < count { stream.notifyWhenDrained() } else { stream.finish() }
            }
            probe.onDrained = produce
            stream.notifyWhenDrained()
        }
        let all = service.client.receive()
        #expect(all.count == piece * count)
        for index in 0..<count where all[index * piece] != UInt8(index % 251) {
            Issue.record("piece \(index) is wrong")
        }
        #expect(service.record.withLock { $0.peak } <= Limits.outputByteCountHigh + piece)
        #expect(service.closed() == [.asked])
        service.stop()
    }

    @Test("a deadline ends a connection, however many bytes come meanwhile")
    func deadline() throws {
        let service = try Service { probe, stream in
            probe.onReceived = { _, bytes in bytes.count }
            stream.setDeadline(milliseconds: 100)
        }
        let (silent, busy) = (service.client, service.client)
        while busy.send("x") { usleep(1000) }
        #expect(silent.receive() == [])
        #expect(service.closed(2) == [.deadline, .deadline])
        service.stop()
    }

    @Test("a deadline taken away, or moved, does not end a connection")
    func deadlineMoved() throws {
        let service = try Service { probe, stream in
            stream.setDeadline(milliseconds: 20)
            stream.setDeadline(milliseconds: 60_000)
            stream.setDeadline(milliseconds: 10)
            stream.setDeadline(milliseconds: nil)
            stream.loop.schedule(afterMilliseconds: 200) { stream.write { $0.append("alive") } }
        }
        let client = service.client
        #expect(client.receiveText(5) == "alive")
        #expect(service.record.withLock { $0.closed } == [])
        service.stop()
    }

    @Test("a peer that takes nothing of waiting output is cut")
    func stall() throws {
        var options = Listener.Options()
        options.stream.stallMilliseconds = 150
        let service = try Service(options) { _, stream in
            stream.write { $0.append([UInt8](repeating: 1, count: 64 << 20)) }
        }
        let client = service.client
        #expect(service.closed() == [.stalled])
        #expect(client.receive().count < 64 << 20)
        service.stop()
    }

    @Test("a peer that has ended its side still gets a reply made later")
    func halfClose() throws {
        let worker = try EventLoop()
        let service = try Service { probe, _ in
            probe.onReceived = { _, bytes in bytes.count }
            probe.onInputEnded = { stream in
                let bound = LoopBound(stream, to: stream.loop)
                worker.execute {
                    bound.execute { stream in
                        stream.write { $0.append("late") }
                        stream.finish()
                    }
                }
            }
        }
        let client = service.client
        client.send("request")
        client.endOutput()
        #expect(client.receiveText() == "late")
        #expect(!client.isReset)
        service.stop()
        worker.stop()
        worker.join()
    }

    @Test("a finished stream's last words arrive though the peer goes on sending")
    func lingering() throws {
        let service = try Service { probe, _ in
            probe.onReceived = { stream, bytes in
                stream.write { $0.append("refused") }
                stream.finish()
                stream.write { $0.append("never") }
                return 0
            }
        }
        let client = service.client
        #expect(client.send([UInt8](repeating: 1, count: 700_000)))
        #expect(client.receiveText() == "refused")
        #expect(!client.isReset)
        client.endOutput()
        #expect(service.closed() == [.asked])
        service.stop()
    }

    private func lingering(_ milliseconds: Int, _ byteCountMax: Int) throws -> Service {
        var options = Listener.Options()
        options.stream.lingerMilliseconds = milliseconds
        options.stream.lingerByteCountMax = byteCountMax
        return try Service(options) { probe, _ in
            probe.onReceived = { stream, bytes in
                stream.finish()
                return bytes.count
            }
        }
    }

    @Test("lingering is bounded in bytes", .timeLimit(.minutes(1)))
    func lingeringBytes() throws {
        let service = try lingering(3_600_000, 1 << 20)
        let client = service.client
        // Far more than the bound and the sockets' buffers: it fails instead of sending for ever.
        var pieces = 1000
        while pieces > 0, client.send([UInt8](repeating: 1, count: 100_000)) { pieces -= 1 }
        #expect(pieces > 0, "cut while the client sends")
        if pieces == 0 { client.endOutput() }
        #expect(service.closed() == [.asked])
        service.stop()
    }

    @Test("lingering is bounded in time", .timeLimit(.minutes(1)))
    func lingeringTime() throws {
        let service = try lingering(50, .max)
        let client = service.client
        client.send("x")
        #expect(service.closed() == [.asked])
        service.stop()
    }

    @Test("a reset is told with its errno")
    func reset() throws {
        let service = try Service()
        do {
            let client = service.client
            client.send("x")
            _ = client.receive(1)
            var hard = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout<linger>.size)
            setsockopt(client.descriptor, SOL_SOCKET, SO_LINGER, &hard, size)
        }
        #expect(service.closed() == [.failed(errno: ECONNRESET)])
        service.stop()
    }

    @Test("closing inside received drops output and delivers nothing more")
    func closeInside() throws {
        let service = try Service { probe, _ in
            let record = probe.record
            probe.onReceived = { stream, bytes in
                record.withLock { $0.lines.append("received") }
                stream.write { $0.append("dropped") }
                stream.close()
                stream.close(.stalled)
                return 0
            }
        }
        let client = service.client
        client.send("x")
        #expect(client.receive() == [])
        #expect(service.closed() == [.asked])
        service.stop()
        #expect(service.record.withLock { $0.lines } == ["received"])
    }

    @Test("a stream knows its peer and counts its bytes")
    func facts() throws {
        let service = try Service { probe, stream in
            let record = probe.record
            record.signal { $0.lines.append(stream.peer) }
            probe.onInputEnded = { stream in
                let counts = "\(stream.receivedByteCount) \(stream.sentByteCount)"
                record.signal { $0.lines.append(counts) }
                stream.finish()
            }
        }
        let client = service.client
        client.send("12345")
        _ = client.receive(5)
        client.endOutput()
        let lines = service.record.wait(until: { $0.lines.count == 2 }) { $0.lines }
        #expect(lines[0].hasPrefix("127.0.0.1:"))
        #expect(lines[1] == "5 5")
        service.stop()
    }
}
