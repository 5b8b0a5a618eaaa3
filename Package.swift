// swift-tools-version: 6.2
import PackageDescription

// The house, lowest layer first. A row names a folder under Sources and the folders whose modules
// it may import. Tests/TidyTests compares every import in the sources with this table.
let layers: [(folder: String, mayImport: [String])] = [
    ("CLibevent", []),
    ("COpenSSL", []),
    ("CChecksum", []),
    ("Basics", ["CChecksum", "COpenSSL"]),
    ("JSONCoding", ["Basics"]),
    ("Records", ["Basics", "JSONCoding"]),
    ("Storage", ["Basics"]),
    ("CommitLog", ["Basics", "Records", "Storage"]),
    ("Engine", ["Basics", "JSONCoding", "Records"]),
    ("Store", ["Basics", "JSONCoding", "Records", "Storage", "CommitLog", "Engine"]),
    ("HTTP", ["Basics"]),
    ("Wire", ["Basics", "JSONCoding", "Records"]),
    (
        "Embedded",
        ["Basics", "JSONCoding", "Records", "Storage", "CommitLog", "Engine", "Store"]
    ),
    ("Networking", ["Basics", "CLibevent", "COpenSSL"]),
    (
        "Mirror",
        [
            "Basics", "JSONCoding", "Records", "Storage", "CommitLog", "Engine", "Store", "HTTP",
            "Wire", "Embedded", "Networking",
        ]
    ),
    (
        "Server",
        [
            "Basics", "JSONCoding", "Records", "Storage", "CommitLog", "Engine", "Store", "HTTP",
            "Wire", "Networking",
        ]
    ),
]

// Folders that hold nothing unsafe, and are held to it by the compiler.
let strictlySafe: Set = [
    "Records", "Engine", "Wire", "HTTP", "Server", "Store", "Embedded", "Mirror",
]

let systemLibraries: Set = ["CLibevent", "COpenSSL"]

/// Target names are unique over an application's whole package graph, hence the prefix.
///
/// The folder `Mirror` is the module applications import, and bears the product's name alone.
func target(_ folder: String) -> String {
    if folder == "Mirror" { return "Holdfast" }
    return folder.first == "C" && folder.dropFirst().first?.isUppercase == true
        ? "CHoldfast" + folder.dropFirst() : "Holdfast" + folder
}

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Generic code is specialised across modules; without it a generic lookup costs 50 times more.
    // Exclusive access is checked while running in debug builds, which all tests are; in release the
    // checks would take a tenth of the time of every write.
    .unsafeFlags(
        ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
        .when(configuration: .release)
    ),
]

let libraries: [Target] = layers.map { folder, mayImport in
    let path = "Sources/" + folder
    if systemLibraries.contains(folder) {
        return .systemLibrary(name: target(folder), path: path)
    }
    if folder == "CChecksum" {
        return .target(name: target(folder), path: path, cSettings: [.unsafeFlags(["-O3"])])
    }
    return .target(
        name: target(folder),
        dependencies: mayImport.map { .byName(name: target($0)) },
        path: path,
        exclude: folder == "CommitLog" ? ["FORMAT.md"] : [],
        swiftSettings: settings + (strictlySafe.contains(folder) ? [.strictMemorySafety()] : [])
    )
}

let everything: [Target.Dependency] = layers.map { .byName(name: target($0.folder)) }

// HOLDFAST_SUITES names the suites that are built, and with them no other program than the
// server: a sanitizer's build would take as long as what it runs (`.ci/sanitize`).
let chosenSuites = Context.environment["HOLDFAST_SUITES"]?.split(separator: " ").map(String.init)

func executable(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies,
        path: path,
        swiftSettings: settings
    )
}

let server = executable("holdfast", "Sources/holdfast", everything)
let otherExecutables = [
    executable("holdfast-bench", "Sources/holdfast-bench", everything),
    // A mirror as a process of its own, for Tests/Scenario/mirror_test.py.
    executable("holdfast-mirror-driver", "Tests/MirrorDriver", ["Holdfast"]),
]
let executables = [server] + (chosenSuites == nil ? otherExecutables : [])

// One unit test target per source target, and the suites that cross them.
let suites = [
    "Basics", "JSONCoding", "Records", "Storage", "CommitLog", "Engine", "Store", "HTTP", "Wire",
    "Embedded", "Networking", "Mirror", "Server", "Crash", "Simulation", "Conformance", "Autobahn",
    "Web", "Tidy", "Fuzz",
]

let tests: [Target] =
    [
        .target(
            name: "HoldfastTestSupport",
            dependencies: everything,
            path: "Tests/TestSupport",
            swiftSettings: settings
        )
    ]
    + (chosenSuites ?? suites).map { suite in
        .testTarget(
            name: suite + "Tests",
            dependencies: everything + ["HoldfastTestSupport", "holdfast"],
            path: "Tests/\(suite)Tests",
            exclude: suite == "Fuzz" ? ["EntryPoint.swift", "run"] : [],
            swiftSettings: settings
        )
    }

// The decoders under libFuzzer (`make fuzz`), in the place of everything else: what FuzzTests replays,
// with another beginning.
let fuzzers: [Target] = [
    .executableTarget(
        name: "holdfast-fuzz",
        dependencies: [
            "Basics", "JSONCoding", "Records", "Storage", "CommitLog", "HTTP", "Wire", "Engine",
            "Store", "Embedded",
        ].map { .byName(name: target($0)) },
        path: "Tests/FuzzTests",
        exclude: ["CorpusTests.swift", "CorpusSeeds.swift", "run"],
        swiftSettings: settings
    )
]
let isFuzzing = Context.environment["HOLDFAST_FUZZ"] != nil

let package = Package(
    name: "holdfast",
    products: (isFuzzing ? [] : [.executable(name: "holdfast", targets: ["holdfast"])]) + [
        .library(name: "HoldfastEmbedded", targets: ["HoldfastEmbedded"]),
        .library(name: "Holdfast", targets: ["Holdfast"]),
    ],
    targets: libraries + (isFuzzing ? fuzzers : executables + tests)
)
