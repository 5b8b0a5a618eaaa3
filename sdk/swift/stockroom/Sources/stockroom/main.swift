// stockroom: parts, footprints, bins and stock moves, in a mirror of its own.
import Foundation

exit(await Stockroom.run(Array(CommandLine.arguments.dropFirst())))
