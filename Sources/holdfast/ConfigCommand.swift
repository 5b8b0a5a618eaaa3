// `holdfast config`: what `serve` with the same flags, environment and file would be told.
internal import HoldfastBasics

/// Every setting, its value, and where it came from.
enum ConfigCommand {
    static let command = Command(
        name: "config",
        summary:
            "Prints every setting `serve` would have with the same flags, and where it came from.",
        positionals: [],
        flags: ServeFlags.all + [Flag(toggle: "json", "as one JSON object")],
        notes: """
            Settings come from a flag, the environment, the file of --config, or are the default. Those marked with
            * a running server takes over from the file at SIGHUP; the others when it is started again. What `serve`
            would refuse is refused here with the same words and exit code; nothing is started or made.
            """,
        run: run
    )

    private static let heads = ("setting", "value", "from")

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        let settings = try ServeSettings(arguments)
        try Console.print(arguments.has("json") ? json(settings) : table(settings))
    }

    private static func table(_ settings: ServeSettings) -> String {
        let rows = ServeFlags.settings.map { setting in
            let (texts, source, origin) = settings.origin(of: setting)
            let isToggle = setting.flag.kind == .toggle
            let value =
                isToggle ? (source == .default ? "no" : "yes") : texts.joined(separator: ",")
            return (
                name: setting.name + (setting.isLive ? " *" : ""),
                value: value.isEmpty ? "-" : printable(value), origin: printable(origin)
            )
        }
        let width = (rows.map(\.name.count) + [heads.0.count]).max() ?? 0
        let valueWidth = (rows.map(\.value.count) + [heads.1.count]).max() ?? 0
        var text = pad(heads.0, width + 2) + pad(heads.1, valueWidth + 2) + heads.2 + "\n"
        for row in rows {
            text += pad(row.name, width + 2) + pad(row.value, valueWidth + 2) + row.origin + "\n"
        }
        return text
    }

    /// `{"headTimeout":{"value":10,"from":"default","origin":"default","live":true},...}`, members
    /// as in the file; null where there is no value.
    private static func json(_ settings: ServeSettings) -> String {
        let members = ServeFlags.settings.map { setting in
            let (texts, source, origin) = settings.origin(of: setting)
            let value =
                switch setting.flag.kind {
                case .toggle: source == .default ? "false" : "true"
                case .list: "[" + texts.map(Logger.json).joined(separator: ",") + "]"
                case .number: texts.last.flatMap { Double($0) }.map(ServeSetting.text) ?? "null"
                case .text: texts.last.map(Logger.json) ?? "null"
                }
            return "  \(Logger.json(setting.flag.memberName)): {\"value\":\(value),"
                + "\"from\":\"\(source.rawValue)\",\"origin\":\(Logger.json(origin)),"
                + "\"live\":\(setting.isLive)}"
        }
        return "{\n" + members.joined(separator: ",\n") + "\n}\n"
    }
}
