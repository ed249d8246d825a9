#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the JSON of a program's -dump-options (stdin) into its manual page (stdout)."""
import json
import sys


def text(words):
    """Running text: what roff would take for a request or an escape is protected."""
    words = words.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + words if words[:1] in ".'" else words


def head(option):
    names = [option["name"]] + ([option["alias"]] if "alias" in option else [])
    spelled = ", ".join(f"\\fB\\-{text(name)}\\fR" for name in names)
    return spelled + (f" {text(option['arg'])}" if "arg" in option else "")


def sentence(words):
    words = words[0].upper() + words[1:]
    return text(words if words.endswith(".") else words + ".")


def option_lines(option):
    yield ".TP"
    yield head(option)
    yield sentence(option["summary"])
    if "detail" in option:
        yield text(option["detail"])


def property_lines(prop):
    value = prop.get("choices", prop["kind"])
    yield ".TP"
    yield f"\\fB{text(prop['name'])}\\fR={text(value)}"
    yield sentence(prop["help"])
    if prop.get("default"):
        yield f"Default: {text(prop['default'])}."


def type_lines(title, option, types):
    if types:
        yield f".SH {title}"
    for kind in types:
        yield f".SS {text(option)} {text(kind['name'])}"
        if "summary" in kind:
            yield sentence(kind["summary"])
        for prop in kind["properties"]:
            yield from property_lines(prop)


def status_lines(rows):
    for row in rows:
        yield ".TP"
        yield f"{row['plain']}, {row['detailed']}"
        yield sentence(row["meaning"])


SYSTEM = "humpy-system-"
GUESTS = {"aarch64": "arm64", "x86_64": "x86"}

BEFORE = r""".SH NAME
%(program)s \- virtual machine monitor for %(guests)s guests
.SH SYNOPSIS
.B %(program)s
.RI [ options ]
.SH DESCRIPTION
Humpy runs %(guests)s virtual machines through the interfaces of hypervisors that are already in the
kernel. Its command line is spelled and understood as QEMU's, as far as it has the option.
Where the machine has no such hypervisor, a userspace model of the interface stands in.
Options may be written with one dash or two. A comma inside a value is doubled."""

AFTER = r""".SH KEYS
On a serial port with mux=on, which includes \fB\-nographic\fR, Ctrl\-A and a letter is a command:
h lists them, x leaves, b sends a break, t switches time stamps, c is kept for the monitor, and
Ctrl\-A sends itself.
.SH EXIT STATUS
The first number is the one without \fB\-exit\-status\fR detailed. A kernel panic that the guest tells
nobody of is its own affair: with panic=\-1 on its command line it becomes a reset."""


EXPORT_BEFORE = r""".SH NAME
%(program)s \- disks and network cards for the host's own kernel
.SH SYNOPSIS
.B %(program)s
.RI [ options ]
.SH DESCRIPTION
Serves virtio devices through VDUSE: with the kernel's virtio_vdpa they are disks and network cards of
the host itself, with vhost_vdpa those of a virtual machine.
Options may be written with one dash or two. A comma inside a value is doubled."""

EXPORT_AFTER = r""".SH EXIT STATUS
.TP
0
SIGTERM, SIGINT, SIGHUP or the monitor ended the program.
.TP
1
An error on the command line or of the host. One line on stderr names the option and the cause."""


def main():
    dump = json.load(sys.stdin)
    program = text(dump["program"])
    before, after = BEFORE, AFTER
    if not dump["program"].startswith(SYSTEM):
        before, after = EXPORT_BEFORE, EXPORT_AFTER
    before = before % {"program": program, "guests": GUESTS[dump["target"]]}
    lines = [f'.TH {program.upper()} 1 "" "Humpy {dump["version"]}"', before, ".SH OPTIONS"]
    for section in dump["sections"]:
        lines.append(f".SS {text(section['title'])}")
        for option in section["options"]:
            lines += option_lines(option)
    if not dump["program"].startswith(SYSTEM):
        dump.update(accelerators=[], machines=[], devices=[])
    lines += type_lines("ACCELERATORS", "-accel", dump["accelerators"])
    lines += type_lines("MACHINES", "-machine", dump["machines"])
    lines += type_lines("DEVICES", "-device", dump["devices"])
    lines.append(after)
    if dump["program"].startswith(SYSTEM):
        lines += status_lines(dump["exit-status"])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
