// Devices and what their changes build on: the rules of `_devices` and of `requires`.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct DeviceTests {
    private static func device(
        _ id: String = "d-1",
        user: String = "anna",
        confirmed: UInt64 = 0
    ) -> DeviceRecord {
        DeviceRecord(
            id: id,
            name: "Anna's PC",
            user: user,
            app: "stockroom",
            appVersion: "1.0",
            schemaVersions: [Stockroom.parts: SchemaVersion(1, 0)],
            confirmedDeviceSeq: confirmed,
            firstSeen: 5
        )
    }

    /// Decides an introduction and applies it; says whether it became a commit.
    @discardableResult
    private static func introduce(_ device: DeviceRecord, to bench: EngineBench) -> Bool {
        let decision = bench.state.decideDevice(device, now: bench.now, random: bench.random)
        guard case .commit(let commit, _) = decision else { return false }
        bench.append(commit)
        return true
    }

    @Test("A device is known from its first hello on, by a commit of the system")
    func first() throws {
        let bench = EngineBench()
        #expect(bench.state.device("d-1") == nil)
        #expect(Self.introduce(Self.device(), to: bench))
        let known = try #require(bench.state.device("d-1"))
        #expect(known.name == "Anna's PC")
        #expect(known.schemaVersions == [Stockroom.parts: SchemaVersion(1, 0)])
        #expect(known.firstSeen == bench.now)
        bench.log.withCommit(at: 0) { commit in
            #expect(commit.user.text == "_system")
        }
        // What is known is not logged again; what is news is, and when it was seen first stays.
        bench.now += 1000
        #expect(!Self.introduce(Self.device(), to: bench))
        #expect(Self.introduce(Self.device(user: "ben"), to: bench))
        #expect(bench.state.device("d-1")?.user == "ben")
        #expect(bench.state.device("d-1")?.firstSeen == known.firstSeen)
        #expect(try bench.refold().device("d-1") == bench.state.device("d-1"))
    }

    @Test("What a device has confirmed never gets less")
    func confirmed() {
        let bench = EngineBench()
        Self.introduce(Self.device(confirmed: 7), to: bench)
        #expect(!Self.introduce(Self.device(confirmed: 3), to: bench))
        #expect(bench.state.device("d-1")?.confirmedDeviceSeq == 7)
        #expect(Self.introduce(Self.device(confirmed: 8), to: bench))
        #expect(bench.state.device("d-1")?.confirmedDeviceSeq == 8)
    }

    @Test("What is no device's name is refused")
    func names() {
        let bench = EngineBench()
        for id in ["", "_system", "a\nb", String(repeating: "x", count: 257)] {
            let decision = bench.state.decideDevice(
                Self.device(id),
                now: bench.now,
                random: bench.random
            )
            guard case .refused = decision else {
                Issue.record("\(id) was taken")
                continue
            }
        }
        #expect(bench.state.head == 0)
    }

    @Test("A change that builds on one nobody accepted is refused; a preview leaves it open")
    func requires() throws {
        let room = Stockroom()
        let base = room.bench.id()
        var dependent = Change(
            id: room.bench.id(),
            deviceSeq: 2,
            requires: [base],
            operations: [
                .put(
                    WriteOperation(
                        tree: Stockroom.footprints,
                        key: RecordKey(name: "a"),
                        expects: .absent,
                        value: Array("1".utf8)
                    )
                )
            ]
        )
        func decide(_ change: Change, _ role: Role) -> Decision {
            room.bench.state.decide(
                change,
                DecisionContext(
                    caller: Caller(user: "anna", device: "PC-1"),
                    now: room.bench.now,
                    random: room.bench.random,
                    role: role
                )
            )
        }
        guard case .refused(let refusal) = decide(dependent, .authority) else {
            Issue.record("taken")
            return
        }
        #expect(refusal.code == .requirementMissing)
        #expect(refusal.operation == nil)
        guard case .undetermined = decide(dependent, .preview) else {
            Issue.record("a preview knew better")
            return
        }
        room.bench.submit(
            [.reserve(tree: Stockroom.bins, range: room.bench.id(), count: 1)],
            id: base
        )
        guard case .commit(let commit, _) = decide(dependent, .authority) else {
            Issue.record("refused though its requirement stands")
            return
        }
        #expect(commit.deviceSeq == 2)
        dependent.requires = (0...Limits.requiredCountMax).map { _ in base }
        guard case .refused(let many) = decide(dependent, .authority) else {
            Issue.record("too many requirements were taken")
            return
        }
        #expect(many.code == .tooLarge)
    }
}
