// swift-tools-version: 6.2
import PackageDescription

// The worked example: an application of its own that uses Holdfast as any other would, by its one
// product. An application outside this repository names the repository's address and a version.
let package = Package(
    name: "stockroom",
    dependencies: [.package(name: "holdfast", path: "../../..")],
    targets: [
        .executableTarget(
            name: "stockroom",
            dependencies: [.product(name: "Holdfast", package: "holdfast")],
            swiftSettings: [
                .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
            ]
        )
    ]
)
