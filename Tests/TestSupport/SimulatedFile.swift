// The bytes of one simulated file.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastStorage

/// Live bytes in memory that never moves (maps point into it), durable bytes beside them, and what
/// was written in between.
///
/// @unchecked Sendable: `count`, `durable` and `pending` are reached under `guardian` alone; the
/// memory is written under it too, and read through maps only where its writer has handed it over.
final class SimulatedFile: @unchecked Sendable {
    /// Address space, not memory: pages come with the first write.
    private static let reservedByteCount = 128 << 20
    private static let sectorByteCount = 512

    private let memory: UnsafeMutableRawPointer
    // Not of an empty value: that would lie where the object begins, and look like a race to
    // ThreadSanitizer.
    private let guardian = Lock(0)
    private var liveCount: Int
    private var durable: [UInt8]
    private var pending: [(offset: Int, bytes: [UInt8])] = []

    init(_ bytes: [UInt8]) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let start = mmap(nil, Self.reservedByteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let start, start != MAP_FAILED else { preconditionFailure("no address space") }
        memory = start
        precondition(bytes.count <= Self.reservedByteCount, "a simulated file is too long")
        bytes.withUnsafeBytes { if let source = $0.baseAddress { memcpy(start, source, $0.count) } }
        liveCount = bytes.count
        durable = bytes
    }

    deinit { munmap(memory, Self.reservedByteCount) }

    var count: Int { guardian.withLock { _ in liveCount } }

    func bytes() -> [UInt8] {
        guardian.withLock { _ in Array(UnsafeRawBufferPointer(start: memory, count: liveCount)) }
    }

    func write(_ bytes: ByteView, at offset: Int) {
        guardian.withLock { _ in
            precondition(
                offset + bytes.count <= Self.reservedByteCount,
                "too long for a simulation"
            )
            bytes.withUnsafeBytes {
                if let start = $0.baseAddress { memcpy(memory + offset, start, $0.count) }
            }
            liveCount = max(liveCount, offset + bytes.count)
            pending.append((offset, bytes.array))
        }
    }

    func read(_ count: Int, at offset: Int) -> [UInt8] {
        guardian.withLock { _ in
            guard offset < liveCount else { return [] }
            let length = min(count, liveCount - offset)
            return Array(UnsafeRawBufferPointer(start: memory + offset, count: length))
        }
    }

    func sync() {
        guardian.withLock { _ in
            for (offset, bytes) in pending {
                let end = offset + bytes.count
                if durable.count < end {
                    durable += [UInt8](repeating: 0, count: end - durable.count)
                }
                durable.replaceSubrange(offset..<end, with: bytes)
            }
            pending = []
        }
    }

    /// A failed sync: some sectors reached the disk, and every page is marked clean all the same.
    func failSync(_ random: SeededRandom) {
        let image = survivor(random)
        guardian.withLock { _ in
            durable = image
            pending = []
        }
    }

    func map(_ byteCount: Int) -> MappedFile {
        precondition(byteCount <= Self.reservedByteCount, "too long for a simulation")
        // The map keeps the file, and so the memory, alive.
        return MappedFile(start: memory, count: byteCount) { _, _ in
            withExtendedLifetime(self) {}
        }
    }

    /// What a crash leaves: of each sector one of its versions.
    func survivor(_ random: SeededRandom) -> [UInt8] {
        guardian.withLock { _ in
            var image = durable
            var versions: [Int: [[UInt8]]] = [:]
            // Mostly each sector for itself, sometimes nothing or everything: the plain cases too.
            let chance = random.below(4)
            let size = Self.sectorByteCount
            var sectors = durable
            for (offset, bytes) in pending {
                let end = offset + bytes.count
                let padded = (end + size - 1) / size * size
                if sectors.count < padded {
                    sectors += [UInt8](repeating: 0, count: padded - sectors.count)
                }
                sectors.replaceSubrange(offset..<end, with: bytes)
                for sector in offset / size..<max((end + size - 1) / size, offset / size) {
                    versions[sector, default: []]
                        .append(Array(sectors[sector * size..<(sector + 1) * size]))
                }
            }
            if chance == 0 { return image }
            for sector in versions.keys.sorted() {
                let choices = versions[sector] ?? []
                let pick = chance == 1 ? choices.count : random.below(choices.count + 1)
                guard pick > 0 else { continue }
                let end = min((sector + 1) * size, liveCount)
                if image.count < end { image += [UInt8](repeating: 0, count: end - image.count) }
                let start = sector * size
                image.replaceSubrange(start..<end, with: choices[pick - 1].prefix(end - start))
            }
            return image
        }
    }
}

/// A simulated file as one opening of it sees it.
final class OpenSimulatedFile: DiskFile {
    private let path: String
    private let file: SimulatedFile
    private let disk: SimulatedDisk
    private let isWritable: Bool

    init(_ path: String, _ file: SimulatedFile, _ disk: SimulatedDisk, isWritable: Bool) {
        self.path = path
        self.file = file
        self.disk = disk
        self.isWritable = isWritable
    }

    func size() throws(DiskError) -> Int {
        try disk.meet(.size, path)
        return file.count
    }

    func write(_ bytes: ByteView, at offset: Int) throws(DiskError) {
        guard isWritable else { throw DiskError(.write, path, code: EBADF) }
        do throws(DiskError) {
            try disk.meet(.write, path)
        } catch {
            // A failing write may have written any first part: the short write before the error.
            file.write(bytes[0..<disk.torn(bytes.count)], at: offset)
            throw error
        }
        let growth = offset + bytes.count - file.count
        guard growth <= 0 || growth <= disk.room() else {
            file.write(bytes[0..<max(0, bytes.count - growth)], at: offset)
            throw DiskError(.write, path, code: ENOSPC)
        }
        file.write(bytes, at: offset)
    }

    func read(_ count: Int, at offset: Int) throws(DiskError) -> [UInt8] {
        try disk.meet(.read, path)
        return file.read(count, at: offset)
    }

    func sync() throws(DiskError) {
        do throws(DiskError) {
            try disk.meet(.sync, path)
        } catch {
            file.failSync(disk.state.withLock { $0.random })
            throw error
        }
        file.sync()
    }

    func map(_ byteCount: Int) throws(DiskError) -> MappedFile {
        try disk.meet(.map, path)
        return file.map(byteCount)
    }
}
