#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the JSON of a program's -dump-options (stdin) into its completion for a shell (stdout).
Argument: bash, zsh or fish."""
import json
import sys

# Options whose argument begins with the name of a type, and where the dump lists those.
TYPED = {"accel": "accelerators", "machine": "machines", "device": "devices"}

BASH = r"""# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of %(program)s's options, made from its own table.
%(function)s()
{
    local cur=${COMP_WORDS[COMP_CWORD]} at=$COMP_CWORD option text type last words=
    COMPREPLY=()
    while ((--at > 0)); do
        [[ ${COMP_WORDS[at]} == -* ]] && break
    done
    option=${COMP_WORDS[at]#-}
    option=-${option#-}
    # bash takes an option's argument apart at each '=' and ':'.
    if [[ $cur == -* ]] || ((at == 0)) ||
        ! { ((at == COMP_CWORD - 1)) || [[ ${COMP_WORDS[COMP_CWORD - 1]}$cur == *[=:]* ]]; }; then
        mapfile -t COMPREPLY < <(compgen -W '%(options)s' -- "$cur")
        return
    fi
    text=$(printf %%s "${COMP_WORDS[@]:at + 1:COMP_CWORD - at}")
    type=${text%%%%,*}
    last=${text##*,}
    if [[ $text != *,* ]]; then
        case $option in
%(types)s
%(flags)s) words='%(options)s' ;;
%(files)s)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        esac
    elif [[ $last != *=* ]]; then
        case $option,$type in
%(properties)s
        esac
        compopt -o nospace 2>/dev/null
    fi
    mapfile -t COMPREPLY < <(compgen -P "${cur%%"$last"}" -W "$words" -- "$last")
}
complete -F %(function)s %(program)s"""


ZSH = r"""#compdef %(program)s
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of %(program)s's options, made from its own table.
local option=${words[CURRENT-1]} type
option=-${${option#-}#-}
if [[ $PREFIX == -* ]]; then
    compadd -- %(options)s
    return
fi
case $option in
%(types)s
%(files)s) _files ;;
%(others)s) ;;
*) compadd -- %(options)s ;;
esac"""

ZSH_TYPED = r"""%(words)s)
    if [[ $PREFIX != *,* ]]; then
        compadd -- %(names)s help
        return
    fi
    type=${PREFIX%%%%,*}
    compset -P '*,'
    case $type in
%(properties)s
    esac ;;"""

FISH = r"""# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of %(program)s's options, made from its own table.
complete -c %(program)s -f
%(rows)s"""

FISH_TYPED = r"""function __%(function)s_%(option)s
    set -l head (commandline -ct | string match -r '^.*,')
    switch "$head"
        case ''
            printf '%%s\n' %(names)s help
%(properties)s
    end
end"""


def spellings(option):
    return ["-" + option["name"]] + (["-" + option["alias"]] if "alias" in option else [])


def words_of(options):
    return [word for option in options for word in spellings(option)]


def kinds_of(dump, option):
    return dump.get(TYPED.get(option["name"]), [])


def names_of(kinds):
    return " ".join(kind["name"] for kind in kinds)


def properties_of(kind):
    return " ".join(prop["name"] + "=" for prop in kind["properties"])


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def bash(dump, options):
    types, properties = [], []
    for option in options:
        kinds = kinds_of(dump, option)
        if kinds:
            types.append(f"        {' | '.join(spellings(option))}) "
                         f"words='{names_of(kinds)} help' ;;")
        for kind in kinds:
            heads = " | ".join(f"{word},{kind['name']}" for word in spellings(option))
            properties.append(f"        {heads}) words='{properties_of(kind)} help' ;;")
    return BASH % {
        "program": dump["program"],
        "function": "_" + dump["program"].replace("-", "_"),
        "options": " ".join(words_of(options)),
        "types": "\n".join(types),
        "flags": "        " + " | ".join(words_of(o for o in options if "arg" not in o)),
        "files": "        " + " | ".join(words_of(o for o in options if o.get("arg") == "FILE")),
        "properties": "\n".join(properties)}


def zsh(dump, options):
    typed = [option for option in options if kinds_of(dump, option)]
    files = [option for option in options if option.get("arg") == "FILE"]
    others = [option for option in options
              if "arg" in option and option not in typed and option not in files]
    return ZSH % {
        "program": dump["program"],
        "options": " ".join(words_of(options)),
        "types": "\n".join(ZSH_TYPED % {
            "words": "|".join(spellings(option)),
            "names": names_of(kinds_of(dump, option)),
            "properties": "\n".join(f"    {kind['name']}) compadd -S '' -- {properties_of(kind)} ;;"
                                    for kind in kinds_of(dump, option) if kind["properties"])}
            for option in typed),
        "files": "|".join(words_of(files)),
        "others": "|".join(words_of(others))}


def fish(dump, options):
    function = dump["program"].replace("-", "_")
    rows = []
    for option in options:
        kinds = kinds_of(dump, option)
        value = " -x" if "arg" in option else ""
        if option.get("arg") == "FILE":
            value = " -r -F"
        if kinds:
            rows.append(FISH_TYPED % {
                "function": function, "option": option["name"], "names": names_of(kinds),
                "properties": "\n".join(
                    f"        case '{kind['name']},*'\n"
                    f"            printf \"$head%s\\n\" {properties_of(kind)}"
                    for kind in kinds if kind["properties"])})
            value += f" -a '(__{function}_{option['name']})'"
        rows += [f"complete -c {dump['program']} -o {word[1:]}{value} -d {quoted(option['summary'])}"
                 for word in spellings(option)]
    return FISH % {"program": dump["program"], "rows": "\n".join(rows)}


def main():
    dump = json.load(sys.stdin)
    shell = {"bash": bash, "zsh": zsh, "fish": fish}[sys.argv[1]]
    print(shell(dump, [option for section in dump["sections"] for option in section["options"]]))


if __name__ == "__main__":
    main()
