// The table of commands, and the way from the words of a command line to one of them.

/// The `holdfast` executable.
enum Tool {
    static let version = "0.1.0"

    /// In the order in which help lists them.
    static let commands = [
        ServeCommand.command, ConfigCommand.command, GetCommand.command, PutCommand.command,
        ListCommand.command,
        ImportCommand.command, ExportCommand.command, TailCommand.command,
        VerifyCommand.command, LogCommand.command, SalvageCommand.command,
        CompactCommand.command, BackupCommand.command, RestoreCommand.command,
        HealCommand.command,
        TokenCommand.create, TokenCommand.list, TokenCommand.change, TokenCommand.revoke,
    ]

    /// Runs a command line without its first word; failures are told on standard error.
    static func run(_ words: [String]) -> ExitCode {
        do throws(CommandFailure) {
            try dispatch(words)
            return .success
        } catch {
            Console.complain(error.message)
            return error.code
        }
    }

    private static func dispatch(_ words: [String]) throws(CommandFailure) {
        guard let first = words.first else {
            throw CommandFailure(.usage, "name a command; `holdfast --help` lists them")
        }
        switch first {
        case "--help", "-h": return try Console.print(help)
        case "--version": return try Console.print("holdfast \(version)\n")
        default: break
        }
        // The names of some commands are two words.
        let two = words.prefix(2).joined(separator: " ")
        guard let command = commands.first(where: { $0.name == first || $0.name == two }) else {
            let isGroup = commands.contains { $0.name.hasPrefix(first + " ") }
            throw CommandFailure(
                .usage,
                "there is no command \(isGroup ? two : first); `holdfast --help` lists them"
            )
        }
        let rest = words.dropFirst(command.name == two ? 2 : 1)
        let flags = rest.prefix { $0 != "--" }
        if flags.contains("--help") || flags.contains("-h") {
            return try Console.print(command.help)
        }
        try command.run(Arguments(rest, of: command))
    }

    private static var help: String {
        var text = """
            holdfast \(version): a typed record database whose records are borrowed before they are edited

            usage: holdfast COMMAND [arguments]
                   holdfast COMMAND --help


            """
        for command in commands { text += "  \(pad(command.name, 13))\(command.summary)\n" }
        text += """

            exit codes:
              0   done, or stopped as asked       73  the directory cannot be made
              1   refused by the server           74  the disk or the output failed
              64  wrong command line              75  database or port in use
              65  damaged data                    78  bad configuration
              66  no such record or database
              69  the server cannot be reached

            """
        return text
    }
}

/// A text with blanks after it, up to a width.
func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
}
