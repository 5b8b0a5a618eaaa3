// A row of the table of settings: what a flag of `serve` takes, what counts without it, and what it
// sets.
internal import HoldfastBasics
internal import HoldfastServer

/// One setting of `serve`.
struct ServeSetting: Sendable {
    /// Checks what was given, and takes it over.
    typealias Take = @Sendable ([Setting], inout ServeSettings) throws(CommandFailure) -> Void
    typealias Property<Value> = any WritableKeyPath<ServerConfiguration, Value> & Sendable

    let flag: Flag
    /// What counts where nobody gives it, as text; nil where that is nothing.
    let fallback: String?
    /// Whether a running server takes it over at SIGHUP.
    let isLive: Bool
    let take: Take

    var name: String { flag.name }

    /// A setting of any kind.
    init(
        _ name: String,
        _ kind: Flag.Kind,
        _ value: String,
        _ help: String,
        fallback: String? = nil,
        isLive: Bool = false,
        take: @escaping Take
    ) {
        let help = help + (fallback.map { " (\($0))" } ?? "")
        flag =
            kind == .toggle
            ? Flag(toggle: name, help)
            : Flag(name, kind, value, environment: true, help)
        self.fallback = fallback
        self.isLive = isLive
        self.take = take
    }

    // MARK: Kinds

    private static let defaults = ServerConfiguration()
    static let secondsBounds = 0.01...86_400.0

    /// A time.
    static func seconds(
        _ name: String,
        _ property: Property<Double>,
        _ help: String,
        isLive: Bool = true
    ) -> ServeSetting {
        ServeSetting(
            name,
            .number,
            "SECONDS",
            help,
            fallback: text(defaults[keyPath: property]),
            isLive: isLive
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                settings.configuration[keyPath: property] =
                    try setting.decimal(secondsBounds, unit: "seconds")
            }
        }
    }

    /// A number of things or bytes.
    static func count(
        _ name: String,
        _ unit: String,
        _ property: Property<Int>,
        _ bounds: ClosedRange<UInt64>,
        _ help: String,
        isLive: Bool = true
    ) -> ServeSetting {
        ServeSetting(
            name,
            .number,
            unit,
            help,
            fallback: String(defaults[keyPath: property]),
            isLive: isLive
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                settings.configuration[keyPath: property] = Int(try setting.integer(bounds))
            }
        }
    }

    /// Requests a second; none for any number.
    static func rate(
        _ name: String,
        _ property: Property<RequestRate?>,
        _ help: String
    ) -> ServeSetting {
        ServeSetting(name, .number, "N", help, isLive: true) {
            (given, settings) throws(CommandFailure) in
            for setting in given {
                let number = try setting.decimal(0.01...1_000_000, unit: "requests a second")
                settings.configuration[keyPath: property] = RequestRate(perSecond: number)
            }
        }
    }

    /// A number without a needless fraction.
    static func text(_ number: Double) -> String {
        Int64(exactly: number).map { String($0) } ?? String(number)
    }
}
