// A mirror as a process of its own, driven by whoever writes to its standard input.
import Foundation

exit(await Driver.run(Array(CommandLine.arguments.dropFirst())))
