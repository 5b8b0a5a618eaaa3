// What a command takes, as data: parsing, environment, configuration file and help follow from it.

/// A flag of a command: `--name VALUE`, or `--name` for a toggle.
struct Flag: Sendable {
    enum Kind: Sendable {
        /// Without a value.
        case toggle
        /// Any text.
        case text
        /// A number.
        case number
        /// May be given more than once; separated by commas in the environment.
        case list
    }

    let name: String
    let kind: Kind
    /// What stands for the value in the help.
    let value: String
    let help: String
    /// Whether the environment may give it, as `environmentName`.
    let isInEnvironment: Bool

    init(
        _ name: String,
        _ kind: Kind,
        _ value: String,
        environment: Bool = false,
        _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.value = value
        self.help = help
        isInEnvironment = environment
    }

    init(toggle name: String, _ help: String) { self.init(name, .toggle, "", help) }

    /// `--head-timeout` is `HOLDFAST_HEAD_TIMEOUT`.
    var environmentName: String {
        "HOLDFAST_" + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
    }

    /// `--head-timeout` is `headTimeout` in a configuration file.
    var memberName: String {
        let words = name.split(separator: "-")
        return words.dropFirst().reduce(words.first.map(String.init) ?? "") { text, word in
            text + word.prefix(1).uppercased() + word.dropFirst()
        }
    }
}

/// One command of the executable.
struct Command: Sendable {
    let name: String
    /// One line for the list of commands.
    let summary: String
    /// What stands on the command line besides flags.
    let positionals: [String]
    let flags: [Flag]
    /// What help says after the flags.
    var notes = ""
    let run: @Sendable (Arguments) throws(CommandFailure) -> Void

    var help: String {
        let words = ["holdfast", name] + positionals + ["[flags]"]
        var text = "usage: " + words.joined(separator: " ") + "\n\n\(summary)\n\n"
        let heads = flags.map { "--" + $0.name + ($0.kind == .toggle ? "" : " " + $0.value) }
        let width = (heads.map(\.count).max() ?? 0) + 2
        for (flag, head) in zip(flags, heads) {
            let lines = flag.help.split(separator: "\n").joined(
                separator: "\n" + String(repeating: " ", count: width + 2)
            )
            text += "  " + pad(head, width) + lines + "\n"
        }
        return text + (notes.isEmpty ? "" : "\n" + notes + "\n")
    }
}
