#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the JSON of a program's -dump-options (stdin) into its completion for bash (stdout)."""
import json
import sys

# Options whose argument begins with the name of a type, and where the dump lists those.
TYPED = {"accel": "accelerators", "machine": "machines", "device": "devices"}

SCRIPT = r"""# SPDX-License-Identifier: GPL-2.0-or-later
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


def spellings(option):
    return ["-" + option["name"]] + (["-" + option["alias"]] if "alias" in option else [])


def main():
    dump = json.load(sys.stdin)
    options = [option for section in dump["sections"] for option in section["options"]]
    types, properties = [], []
    for option in options:
        kinds = dump[TYPED[option["name"]]] if option["name"] in TYPED else []
        names = " ".join(kind["name"] for kind in kinds)
        if kinds:
            types.append(f"        {' | '.join(spellings(option))}) words='{names} help' ;;")
        for kind in kinds:
            heads = " | ".join(f"{word},{kind['name']}" for word in spellings(option))
            words = " ".join(prop["name"] + "=" for prop in kind["properties"])
            properties.append(f"        {heads}) words='{words} help' ;;")
    print(SCRIPT % {
        "program": dump["program"],
        "function": "_" + dump["program"].replace("-", "_"),
        "options": " ".join(word for option in options for word in spellings(option)),
        "types": "\n".join(types),
        "flags": "        " + " | ".join(word for option in options if "arg" not in option
                                         for word in spellings(option)),
        "files": "        " + " | ".join(word for option in options
                                         if option.get("arg") == "FILE" for word in spellings(option)),
        "properties": "\n".join(properties)})


if __name__ == "__main__":
    main()
