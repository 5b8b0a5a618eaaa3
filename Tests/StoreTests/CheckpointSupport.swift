// What the tests of checkpoints and compaction share.
import HoldfastCommitLog
import HoldfastTestSupport
import Testing

extension PartSizes {
    /// Many parts of a few records each.
    static let small = PartSizes(least: 600, most: 4096, mask: 3)
}

extension SimulatedDisk {
    /// Paths of the files in a directory, sorted.
    func paths(in directory: String) -> [String] { paths.filter { $0.hasPrefix(directory + "/") } }

    /// Copies in which one file is damaged: a bit flipped here and there, cut, gone.
    func damaged(_ file: String) throws -> [(what: String, image: SimulatedDisk)] {
        let bytes = try #require(self.bytes(file))
        var images: [(what: String, image: SimulatedDisk)] = []
        for offset in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 7)) {
            var flipped = bytes
            flipped[offset] ^= 1 << (offset % 8)
            images.append(("\(file) flipped at \(offset)", copy(with: file, flipped)))
        }
        for length in [0, 20, bytes.count / 2, bytes.count - 1] {
            images.append(("\(file) cut to \(length)", copy(with: file, Array(bytes[..<length]))))
        }
        let image = copy()
        try image.remove(file)
        images.append(("without \(file)", image))
        return images
    }

    private func copy(with file: String, _ bytes: [UInt8]) -> SimulatedDisk {
        let image = copy()
        image.put(file, bytes)
        return image
    }
}
