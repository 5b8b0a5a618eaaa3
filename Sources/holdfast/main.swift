// The executable: picks the command, runs it, and ends with its exit code.
internal import Glibc

exit(Tool.run(Array(CommandLine.arguments.dropFirst())).rawValue)
