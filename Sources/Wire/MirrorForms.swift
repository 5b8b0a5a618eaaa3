// Small forms that messages of mirrors, and what a server says of itself, share.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

extension Body {
    /// Reads a message that may have members nobody here knows: a newer server may say more.
    static func readOpen<T>(
        _ body: ByteView,
        _ form: (inout FormReader) throws(FormError) -> T
    ) throws(ShapeRefusal) -> T {
        try read(body, isStrict: false, form)
    }
}

extension FormReader {
    /// Reads a position.
    mutating func position() throws(FormError) -> Position {
        try word("a position like \"epoch:seq\"") { Position($0) }
    }

    /// Reads a chain or hash.
    mutating func hash() throws(FormError) -> Hash128 {
        try word("32 hexadecimal digits") { Hash128($0.text) }
    }

    /// Reads a span of time, above zero and at most a day.
    mutating func seconds() throws(FormError) -> Double {
        let start = scanner.offset
        do throws(JSONError) {
            let value = try scanner.readDouble()
            if value > 0, value <= 86_400 { return value }
        } catch {
            // Not a number.
        }
        throw unfit("seconds above 0, at most 86400", at: start)
    }

    /// Reads the name of a user, device, application or program.
    ///
    /// - Parameters:
    ///   - isCaller: Whether names of the system are refused.
    ///   - mayBeEmpty: Whether it may say nothing.
    /// - Returns: The name.
    /// - Throws: `unfit` when it is none.
    mutating func identity(
        isCaller: Bool = false,
        mayBeEmpty: Bool = false
    ) throws(FormError) -> String {
        let limit = Limits.identityByteCountMax
        let what = isCaller ? " that does not begin with _" : ""
        return try word("1 to \(limit) bytes of text without control characters\(what)") { text in
            guard text.count <= limit, mayBeEmpty || !text.isEmpty,
                !isCaller || text[0] != UInt8(ascii: "_")
            else { return nil }
            for index in 0..<text.count where text[index] < 32 || text[index] == 127 { return nil }
            return text.text
        }
    }

    /// Reads the names of an application's trees, at least one.
    mutating func treeNames() throws(FormError) -> Set<TreeName> {
        let start = scanner.offset
        var names: Set<TreeName> = []
        try enterArray()
        while try nextElement() {
            names.insert(try word("the name of an application's tree") { TreeName($0.text) })
        }
        guard (1...Limits.treeCountMax).contains(names.count) else {
            throw unfit("1 to \(Limits.treeCountMax) names of trees", at: start)
        }
        return names
    }

    /// Reads schema versions by the names of trees.
    mutating func schemaVersions() throws(FormError) -> [TreeName: SchemaVersion] {
        let start = try enterObject()
        var versions: [TreeName: SchemaVersion] = [:]
        while let name = try nextMember() {
            guard let tree = name.text.flatMap({ TreeName($0) }) else {
                throw unfit("versions by the names of trees", at: start)
            }
            versions[tree] = try schemaVersion()
        }
        return versions
    }

    /// Reads epochs, each with its first seq.
    mutating func lineage() throws(FormError) -> [EpochStart] {
        var entries: [EpochStart] = []
        try enterArray()
        while try nextElement() {
            let start = try enterObject()
            var (epoch, firstSeq): (Epoch?, UInt64?)
            while let name = try nextMember() {
                switch name {
                case "epoch": epoch = try word("an epoch") { Epoch($0) }
                case "firstSeq": firstSeq = try integer(1...Limits.numberMax)
                default: try unknownMember()
                }
            }
            entries.append(
                EpochStart(
                    epoch: try required(epoch, "epoch", at: start),
                    firstSeq: try required(firstSeq, "firstSeq", at: start)
                )
            )
        }
        return entries
    }

    /// Reads set hashes by the names of blocks; a block of a tree of a later version is passed
    /// over.
    mutating func hashes() throws(FormError) -> [BlockName: Hash128] {
        var found: [BlockName: Hash128] = [:]
        _ = try enterObject()
        while let block = try nextMember() {
            let hash = try hash()
            if let name = block.text.flatMap({ BlockName($0) }) { found[name] = hash }
        }
        return found
    }

    /// Reads what a mirror has.
    mutating func have() throws(FormError) -> MirrorHave {
        let start = try enterObject("a position and its chain")
        var position: Position?
        var chain: Hash128?
        while let name = try nextMember() {
            switch name {
            case "position": position = try self.position()
            case "chain": chain = try hash()
            default: try unknownMember()
            }
        }
        return MirrorHave(
            position: try required(position, "position", at: start),
            chain: try required(chain, "chain", at: start)
        )
    }
}

extension ByteBuffer {
    /// Appends what stands before a value, and the value as a JSON string.
    mutating func appendText(_ before: StaticString, _ text: String) {
        append(before)
        appendJSONString(text)
    }

    /// Appends epochs: `[{"epoch","firstSeq"}]`.
    mutating func append(lineage: [EpochStart]) {
        append("[")
        for (index, entry) in lineage.enumerated() {
            append(index > 0 ? ",{\"epoch\":\"" : "{\"epoch\":\"")
            entry.epoch.append(to: &self)
            append("\",\"firstSeq\":")
            append(decimal: entry.firstSeq)
            append("}")
        }
        append("]")
    }

    /// Appends set hashes: `{block:hash}`, in the order of the blocks' names.
    mutating func append(hashes: [BlockName: Hash128]) {
        append("{")
        for (index, entry) in hashes.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { append(",") }
            appendJSONString(entry.key.description)
            append(":")
            appendQuoted(entry.value)
        }
        append("}")
    }
}
