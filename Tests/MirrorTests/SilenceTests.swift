// A connection that goes silent without ending, and one on which nothing happens.
import Foundation
import Holdfast
import HoldfastServer
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct SilenceTests {
    private static let childVariable = "HOLDFAST_IDLE_CHILD"

    @Test("A connection that swallows everything is noticed, and made anew when it is back")
    func silence() async throws {
        // Long enough for a machine whose processors others use, too.
        let heartbeat = 2.0
        let server = try TestServer { $0.heartbeatSeconds = heartbeat }
        let port = try #require(UInt16(server.address.split(separator: ":").last ?? ""))
        let proxy = TestProxy(to: port)
        let folder = MirrorFolder()
        let db = try await folder.connect("127.0.0.1:\(proxy.port)")
        try await eventually("it is live") { db.status == .live }
        // Longer than two heartbeats: what says nothing for a while is not taken for lost.
        let before = try await db.write { tx in
            try tx.create(SessionLabel(text: "before"), at: "before")
        }
        try await before.accepted()
        proxy.swallow(true)
        let start = ContinuousClock.now
        try await db.write { tx in try tx.create(SessionLabel(text: "meanwhile"), at: "meanwhile") }
        // Nobody ends the connection: only the silence says so.
        try await eventually("it is noticed") {
            if case .offline = db.status { true } else { false }
        }
        print("silence noticed after", ContinuousClock.now - start, "heartbeat", heartbeat, "s")
        #expect(try db.record("meanwhile" as Key<SessionLabel>)?.meta.pending == true)
        proxy.swallow(false)
        try await eventually("it is delivered") {
            try db.record("meanwhile" as Key<SessionLabel>)?.meta.pending == false
        }
        #expect(try server.send("GET", "/v1/records/labels/meanwhile").status == 200)
        try await db.close()
        proxy.stop()
        try server.stop()
    }

    @Test("A mirror and its server with nothing to do need less than 5 % of a processor")
    func idle() throws {
        // In a process of its own: here other tests use the processor.
        let child = Process()
        child.executableURL = URL(fileURLWithPath: try #require(Self.executable))
        child.arguments = ["--testing-library", "swift-testing", "--filter", "idleChild"]
        var environment = ProcessInfo.processInfo.environment
        environment[Self.childVariable] = "1"
        child.environment = environment
        let output = Foundation.Pipe()
        child.standardOutput = output
        child.standardError = output
        try child.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        let text = String(decoding: bytes, as: UTF8.self)
        child.waitUntilExit()
        #expect(child.terminationStatus == 0, "\(text)")
        #expect(text.contains("idle share"), "\(text)")
    }

    private static var executable: String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    @Test(
        "The idle process",
        .enabled(if: ProcessInfo.processInfo.environment[childVariable] != nil)
    )
    func idleChild() async throws {
        let heartbeat = 1.0
        let server = try TestServer { $0.heartbeatSeconds = heartbeat }
        let folder = MirrorFolder()
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        let made = try await db.write { tx in try tx.create(SessionBin(place: "x")) }
        try await made.accepted()
        try await eventually("the hold is given back") { try db.borrows().isEmpty }
        try await Task.sleep(for: .seconds(heartbeat))
        let (cpu, clock) = (Self.processorSeconds, ContinuousClock.now)
        try await Task.sleep(for: .seconds(5 * heartbeat))
        let elapsed = Double((ContinuousClock.now - clock) / .milliseconds(1)) / 1000
        let share = (Self.processorSeconds - cpu) / elapsed
        print("idle share", share)
        #expect(db.status == .live)
        #expect(share < 0.05)
        try await db.close()
        try server.stop()
    }

    /// What this process used of processors, user and system.
    private static var processorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(0), &usage)
        func seconds(_ time: timeval) -> Double {
            Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
        }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
