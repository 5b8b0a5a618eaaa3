// The executable: measures what was asked for, prints it, and ends with 0, 64 (usage) or 1
// (failed).
internal import Foundation

exit(Benchmark.run(Array(CommandLine.arguments.dropFirst())))
