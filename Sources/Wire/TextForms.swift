// Small forms that many messages share, written without making a String.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

extension ByteBuffer {
    /// Appends a position in quotes: a version, an entity tag, a `next`.
    mutating func appendQuoted(_ position: Position) {
        append("\"")
        position.append(to: &self)
        append("\"")
    }

    /// Appends a UUID in quotes.
    mutating func appendQuoted(_ id: UniqueID) {
        append("\"")
        append(id)
        append("\"")
    }

    /// Appends a chain or hash in quotes.
    mutating func appendQuoted(_ hash: Hash128) {
        append("\"")
        appendHexadecimal(hash.high, from: 60, through: 0)
        appendHexadecimal(hash.low, from: 60, through: 0)
        append("\"")
    }

    /// Appends the 36 characters of a UUID.
    mutating func append(_ id: UniqueID) {
        appendHexadecimal(id.high, from: 60, through: 32)
        append("-")
        appendHexadecimal(id.high, from: 28, through: 16)
        append("-")
        appendHexadecimal(id.high, from: 12, through: 0)
        append("-")
        appendHexadecimal(id.low, from: 60, through: 48)
        append("-")
        appendHexadecimal(id.low, from: 44, through: 0)
    }

    /// Appends the hexadecimal digits of a word whose bits begin at `first` down to `last`.
    private mutating func appendHexadecimal(_ word: UInt64, from first: Int, through last: Int) {
        var shift = first
        while shift >= last {
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift)) & 15
            append(digit < 10 ? 48 + digit : 87 + digit)
            shift -= 4
        }
    }

    /// Appends a time in quotes.
    mutating func appendTime(_ milliseconds: Int64) {
        append("\"")
        Timestamp.append(milliseconds: milliseconds, to: &self)
        append("\"")
    }

    /// Appends a time in quotes, or null.
    mutating func appendTimeOrNull(_ milliseconds: Int64?) {
        if let milliseconds {
            appendTime(milliseconds)
        } else {
            append("null")
        }
    }

    /// Appends `{"at","by","device"}`.
    mutating func appendStamp(_ at: Int64, _ user: ByteView, _ device: ByteView) {
        append("{\"at\":")
        appendTime(at)
        append(",\"by\":")
        appendJSONString(user)
        append(",\"device\":")
        appendJSONString(device)
        append("}")
    }

    /// Appends the key of an effect.
    mutating func appendKey(of effect: EffectView) {
        if let number = effect.number {
            append("{\"id\":")
            append(decimal: number)
        } else {
            append("{\"name\":")
            appendJSONString(effect.name)
        }
        append(",\"revision\":")
        append(decimal: effect.revision)
        append("}")
    }

    /// Appends `,"schema":"major.minor"`; nothing for a record without schema.
    mutating func appendSchemaMember(_ version: SchemaVersion) {
        guard version != .none else { return }
        append(",\"schema\":\"")
        append(decimal: version.major)
        append(".")
        append(decimal: version.minor)
        append("\"")
    }
}

extension Label? {
    /// The word of a label; one that this version does not know is `other`.
    var word: StaticString {
        guard let label = self else { return "other" }
        return switch label {
        case .create: "create"
        case .put: "put"
        case .patch: "patch"
        case .delete: "delete"
        case .release: "release"
        case .revise: "revise"
        case .setState: "setState"
        case .borrow: "borrow"
        case .queue: "queue"
        case .return: "return"
        case .cancel: "cancel"
        case .grant: "grant"
        case .confirm: "confirm"
        case .lapse: "lapse"
        case .recall: "recall"
        case .seize: "seize"
        case .setHolder: "setHolder"
        case .reserve: "reserve"
        case .defineTree: "defineTree"
        case .device: "device"
        case .end: "end"
        case .createToken: "createToken"
        case .revokeToken: "revokeToken"
        case .undo: "undo"
        case .storeFile: "storeFile"
        case .collectFile: "collectFile"
        case .changeToken: "changeToken"
        }
    }
}
