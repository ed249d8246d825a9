#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the JSON of 'humpy --dump-commands' (stdin) into its manual page or a shell's completion
(stdout). Argument: man, bash, zsh or fish."""
import json
import sys


def roff(words):
    words = words.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + words if words[:1] in ".'" else words


def spellings(option):
    return (["-" + option["letter"]] if "letter" in option else []) + ["--" + option["name"]]


def man(dump):
    yield f'.TH HUMPY 1 "" "humpy {dump["version"]}"'
    yield ".SH NAME"
    yield "humpy \\- start, list and stop virtual machines"
    yield ".SH SYNOPSIS"
    yield ".B humpy\n.I COMMAND\n[options]"
    yield ".SH COMMANDS"
    for command in dump["commands"]:
        yield f".SS {roff(command['name'])} {roff(command.get('words', ''))}"
        summary = command["summary"]
        yield roff(summary[0].upper() + summary[1:] + ".")
        if "detail" in command:
            yield roff(command["detail"])
        for option in command["options"]:
            yield ".TP"
            names = ", ".join(f"\\fB{roff(name)}\\fR" for name in spellings(option))
            yield names + (f" {roff(option['arg'])}" if "arg" in option else "")
            yield roff(option["summary"][0].upper() + option["summary"][1:] + ".")
    yield ".SH CROSVM FLAGS"
    for flag in dump["crosvm"]:
        yield ".TP"
        names = ", ".join(f"\\fB{roff(name)}\\fR" for name in spellings(flag))
        yield names + (f" {roff(flag['arg'])}" if "arg" in flag else "")
        yield roff(f"{flag['fate'].capitalize()}: {flag['what']}.")
    yield ".SH EXIT STATUS"
    for row in dump["exit-status"]:
        yield ".TP"
        yield str(row["detailed"])
        yield roff(row["meaning"][0].upper() + row["meaning"][1:] + ".")


def words_of(dump, command):
    words = [name for option in command["options"] for name in spellings(option)]
    if command["name"] == "crosvm run":
        words += [name for flag in dump["crosvm"] if flag["fate"] != "refused"
                  for name in spellings(flag)]
    return " ".join(words)


def groups(dump):
    names = [command["name"].split() for command in dump["commands"]]
    return {group: [name[1] for name in names if name[0] == group and len(name) > 1]
            for group in dict.fromkeys(name[0] for name in names)}


def bash(dump):
    yield "# SPDX-License-Identifier: GPL-2.0-or-later"
    yield "# Completion of humpy, made from its own table."
    yield "_humpy()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} words="
    yield "    COMPREPLY=()"
    yield "    case $COMP_CWORD,${COMP_WORDS[1]},${COMP_WORDS[2]} in"
    yield f"    1,*) words='{' '.join(groups(dump))} help version' ;;"
    for group, names in groups(dump).items():
        yield f"    2,{group},*) words='{' '.join(names)}' ;;"
    for command in dump["commands"]:
        group, name = command["name"].split()
        if command.get("words") == "NAME":
            yield f"    3,{group},{name})"
            yield "        words=$(humpy vm list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;"
        yield f"    *,{group},{name}) words='{words_of(dump, command)}' ;;"
    yield "    esac"
    yield '    if [[ $cur == -* || $COMP_CWORD -lt 3 || -n $words && $words != -* ]]; then'
    yield '        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")'
    yield "    else"
    yield '        mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    yield "    fi\n}\ncomplete -F _humpy humpy"


def zsh(dump):
    yield "#compdef humpy"
    yield "# SPDX-License-Identifier: GPL-2.0-or-later"
    yield "# Completion of humpy, made from its own table."
    yield "case $CURRENT,$words[2],$words[3] in"
    yield f"2,*) compadd {' '.join(groups(dump))} help version ;;"
    for group, names in groups(dump).items():
        yield f"3,{group},*) compadd {' '.join(names)} ;;"
    for command in dump["commands"]:
        yield f"*,{command['name'].replace(' ', ',')})"
        yield f"    if [[ $PREFIX == -* ]]; then compadd -- {words_of(dump, command)}; else _files; fi ;;"
    yield "esac"


def fish_option(command, option, text):
    """A line for one option of the command, which is two words of the line already."""
    group, name = command.split()
    letter = f" -s {option['letter']}" if "letter" in option else ""
    value = " -r" if "arg" in option else ""
    text = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"complete -c humpy -n '__fish_seen_subcommand_from {group}; and " \
        f"__fish_seen_subcommand_from {name}' -l {option['name']}{letter}{value} -d '{text}'"


def fish(dump):
    yield "# SPDX-License-Identifier: GPL-2.0-or-later"
    yield "# Completion of humpy, made from its own table."
    for group in [*groups(dump), "help", "version"]:
        yield f"complete -c humpy -n __fish_use_subcommand -f -a {group}"
    for group, names in groups(dump).items():
        yield f"complete -c humpy -n '__fish_seen_subcommand_from {group}; and not " \
            f"__fish_seen_subcommand_from {' '.join(names)}' -f -a '{' '.join(names)}'"
    for command in dump["commands"]:
        for option in command["options"]:
            yield fish_option(command["name"], option, option["summary"])
    for flag in dump["crosvm"]:
        if flag["fate"] != "refused":
            yield fish_option("crosvm run", flag, flag["what"])


def main():
    kind = {"man": man, "bash": bash, "zsh": zsh, "fish": fish}[sys.argv[1]]
    print("\n".join(kind(json.load(sys.stdin))))


main()
