// The command line: opens the mirror, runs one command, or the commands of standard input.
import Foundation
import Holdfast

/// A command that cannot be carried out, in words that say what to do.
struct Usage: Error, CustomStringConvertible {
    let description: String
}

enum Stockroom {
    static let help = """
        usage: stockroom --mirror DIR [--server URL] [--user NAME] [--token-file FILE] COMMAND

          import-kicad DIR            the parts of KiCad's *.kicad_sym files
          list [COUNT]                parts by number
          find TEXT                   parts whose number, title or keywords hold the words
          show NUMBER                 one part, its pins, its bin, its borrower
          new NUMBER TITLE [F=V ...]  a new part; fields as for edit
          edit NUMBER F=V [F=V ...]   title, description, stock, bin, footprint, datasheet, value
          release NUMBER              makes a part final; revise NUMBER begins its next revision
          bin LABEL TITLE             a new bin
          move NUMBER BIN COUNT WHY   books parts in (or out, with a minus)
          borrow NUMBER [SECONDS]     borrows a part, waiting in line so long
          return NUMBER               gives it back
          stranded [drop ID | again ID]
                                      changes the server refused: list, drop, offer again
          status                      how the mirror stands to the server
          wait                        until everything is here and what was changed is there
          shell                       commands from standard input, one a line

        Reads and edits work without the server; what was changed is sent when it is back.
        --server defaults to http://127.0.0.1:7070. Where the server asks for tokens, --user is the
        token's user, and HOLDFAST_TOKEN may hold the token itself.

        """

    /// Runs a command line; gives the exit code.
    static func run(_ words: [String]) async -> Int32 {
        do {
            let options = try Options(words)
            guard let command = options.command.first else {
                throw Usage(description: "name a command; `stockroom --help` lists them")
            }
            if command == "--help" || command == "help" {
                print(help, terminator: "")
                return 0
            }
            let room = try await Room(options)
            let failed: Bool
            if command == "shell" {
                failed = await shell(room)
            } else {
                try await room.catchUp()
                try await room.perform(options.command)
                await room.sendOut()
                failed = false
            }
            try await room.close()
            return failed ? 1 : 0
        } catch let error as Usage {
            complain(error.description)
            return 64
        } catch {
            complain("\(error)")
            return 1
        }
    }

    /// Commands line by line; a failure is told and the next line read.
    private static func shell(_ room: Room) async -> Bool {
        var failed = false
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            guard !words.isEmpty else { continue }
            do {
                try await room.perform(words)
                say("ok")
            } catch {
                failed = true
                say("failed \(error)")
            }
        }
        return failed
    }

    /// Prints a line at once, whoever reads it.
    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    static func complain(_ text: String) {
        FileHandle.standardError.write(Data("stockroom: \(text)\n".utf8))
    }
}

/// What stands before the command.
struct Options {
    var mirror = ""
    var server = "http://127.0.0.1:7070"
    var user: String?
    var tokenFile: String?
    var command: [String] = []

    init(_ words: [String]) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--mirror": mirror = try Self.value(of: word, &rest)
            case "--server": server = try Self.value(of: word, &rest)
            case "--user": user = try Self.value(of: word, &rest)
            case "--token-file": tokenFile = try Self.value(of: word, &rest)
            default:
                command = [word] + rest
                rest = []
            }
        }
        guard !mirror.isEmpty || command.first == "--help" || command.first == "help" else {
            throw Usage(description: "give --mirror DIR; `stockroom --help` says more")
        }
    }

    /// The token to show: of a file, or of the environment, where no list of processes shows it.
    func token() throws -> String? {
        guard let tokenFile else {
            return ProcessInfo.processInfo.environment["HOLDFAST_TOKEN"]
        }
        let text = try String(contentsOfFile: tokenFile, encoding: .utf8)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func value(of flag: String, _ rest: inout ArraySlice<String>) throws -> String {
        guard let value = rest.popFirst() else {
            throw Usage(description: "\(flag) needs its value")
        }
        return value
    }
}
