// The words of a command line against what its command takes. Flags win over the environment, the
// environment over the configuration file; a wrong value is refused naming the place it came from.
internal import Glibc
internal import HoldfastBasics

/// One value and where it came from.
struct Setting {
    enum Source: String {
        case flag, environment, file
        /// Nobody gave it.
        case `default`
    }

    let text: String
    let source: Source
    /// `--listen`, `HOLDFAST_LISTEN`, or the file with its member.
    let origin: String

    init(_ text: String, _ source: Source, origin: String) {
        self.text = text
        self.source = source
        self.origin = origin
    }

    /// The failure that this value is, with what would be right.
    func failure(_ wanted: String) -> CommandFailure {
        CommandFailure(
            source == .flag ? .usage : .configuration,
            "\(origin) '\(text)': \(wanted)"
        )
    }

    /// A whole number inside bounds.
    func integer(_ bounds: ClosedRange<UInt64>) throws(CommandFailure) -> UInt64 {
        guard let number = UInt64(text), bounds.contains(number) else {
            throw failure("give a number from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }

    /// A number that may have a fraction, inside bounds.
    func decimal(
        _ bounds: ClosedRange<Double>,
        unit: String
    ) throws(CommandFailure) -> Double {
        guard let number = Double(text), bounds.contains(number) else {
            throw failure("give \(unit), from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }
}

/// What a command was given.
struct Arguments {
    private let command: Command
    private(set) var positionals: [String] = []
    private var settings: [String: [Setting]] = [:]

    /// Reads a command's words, then the environment for what they leave open.
    init(_ words: ArraySlice<String>, of command: Command) throws(CommandFailure) {
        self.command = command
        var rest = words
        while let word = rest.popFirst() {
            if word == "--" {
                positionals += rest
                break
            }
            if word.hasPrefix("--") {
                try take(word.dropFirst(2), &rest)
            } else if word.hasPrefix("-"), word != "-" {
                throw unknown(word)
            } else {
                positionals.append(word)
            }
        }
        guard positionals.count == command.positionals.count else {
            let wanted = command.positionals.joined(separator: " ")
            throw usage(
                "\(command.name) takes \(wanted.isEmpty ? "flags only" : wanted), "
                    + (positionals.isEmpty
                        ? "and got nothing" : "not " + positionals.joined(separator: " "))
            )
        }
        readEnvironment()
    }

    private mutating func take(
        _ word: Substring,
        _ rest: inout ArraySlice<String>
    ) throws(CommandFailure) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first.map(String.init),
            let flag = command.flags.first(where: { $0.name == name })
        else { throw unknown("--" + word) }
        var text = parts.count > 1 ? String(parts[1]) : nil
        if flag.kind == .toggle {
            guard text == nil else { throw usage("--\(name) takes no value") }
            text = ""
        } else if text == nil, let next = rest.first, !next.hasPrefix("--") {
            text = next
            rest.removeFirst()
        }
        guard let text else { throw usage("--\(name) needs its value, \(flag.value)") }
        guard flag.kind == .list || settings[name] == nil else {
            throw usage("--\(name) was given twice")
        }
        settings[name, default: []].append(
            Setting(text, .flag, origin: "--" + name)
        )
    }

    private mutating func readEnvironment() {
        for flag in command.flags where flag.isInEnvironment && settings[flag.name] == nil {
            let name = flag.environmentName
            guard let value = getenv(name) else { continue }
            let text = String(cString: value)
            let texts = flag.kind == .list ? text.split(separator: ",").map(String.init) : [text]
            guard !text.isEmpty else { continue }
            settings[flag.name] = texts.map { text in
                Setting(text, .environment, origin: name)
            }
        }
    }

    /// Adds what a configuration file says, below flags and environment.
    mutating func add(_ file: ConfigurationFile, path: String) {
        for flag in command.flags where settings[flag.name] == nil {
            guard let texts = file.values[flag.memberName], !texts.isEmpty else { continue }
            settings[flag.name] = texts.map { text in
                Setting(text, .file, origin: "\(path): \(flag.memberName)")
            }
        }
    }

    private func unknown(_ word: String) -> CommandFailure {
        usage("\(command.name) has no flag \(word)")
    }

    /// A failure of usage, with the way to the command's help.
    func usage(_ message: String) -> CommandFailure {
        CommandFailure(
            .usage,
            message + "; `holdfast \(command.name) --help` says what it takes"
        )
    }
}

// MARK: Reading values

extension Arguments {
    func has(_ name: String) -> Bool { settings[name] != nil }

    func setting(_ name: String) -> Setting? { settings[name]?.last }

    func text(_ name: String) -> String? { setting(name)?.text }

    func list(_ name: String) -> [Setting] { settings[name] ?? [] }

    /// The value of a flag that must be there.
    func required(_ name: String) throws(CommandFailure) -> String {
        guard let text = text(name), !text.isEmpty else {
            let flag = command.flags.first { $0.name == name }
            let environment = flag.map { $0.isInEnvironment ? " or \($0.environmentName)" : "" }
            throw usage("give --\(name) \(flag?.value ?? "")" + (environment ?? ""))
        }
        return text
    }

    /// A whole number inside bounds; nil when it is not given.
    func integer(
        _ name: String,
        _ bounds: ClosedRange<UInt64>
    ) throws(CommandFailure) -> UInt64? {
        guard let setting = setting(name) else { return nil }
        return try setting.integer(bounds)
    }

    /// A number that may have a fraction, inside bounds; nil when it is not given.
    func decimal(
        _ name: String,
        _ bounds: ClosedRange<Double>,
        unit: String = "seconds"
    ) throws(CommandFailure) -> Double? {
        guard let setting = setting(name) else { return nil }
        return try setting.decimal(bounds, unit: unit)
    }
}
