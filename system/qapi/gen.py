#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the schema of the monitor (*.json beside this file) and writes what is made of it.

  gen.py header  OUT FILE...   C prototypes of the handlers
  gen.py source  OUT FILE...   C tables: commands, argument types, events, introspection
  gen.py docs    DIR FILE...   a reference page for each file, and an index

A file is {"title": ..., "doc": ..., "items": [ITEM...]}. An ITEM is one of

  {"enum": NAME, "doc": ..., "values": [VALUE...] or {VALUE: DOC...}}
  {"struct": NAME, "doc": ..., "members": MEMBERS, "base": NAME, "open": true,
   "tag": MEMBER, "variants": {VALUE: NAME...}}
  {"alternate": NAME, "doc": ..., "choices": {LABEL: TYPE...}}
  {"command": NAME, "doc": ..., "args": MEMBERS or NAME, "returns": TYPE, "flags": [FLAG...],
   "open": true}
  {"event": NAME, "doc": ..., "data": MEMBERS or NAME, "rate-ms": N, "rate-key": MEMBER}

MEMBERS is {NAME: TYPE or {"type": TYPE, "doc": ..., "min": N, "max": N}...}; a NAME that begins
with "*" is optional. A TYPE is a built-in one (str, int, number, bool, null, any, int8 to int64,
uint8 to uint64, size), the name of an item, or [TYPE] for an array. FLAGs: allow-oob,
allow-preconfig, any-thread. "open" passes members on that are not listed.
"""
import json
import os
import sys

INT64 = (-(1 << 63), (1 << 63) - 1)
# Name: (kind, range, JSON type as introspection tells it). What is above INT64_MAX cannot be said.
BUILTINS = {
    "str": ("STR", None, "string"), "number": ("NUMBER", None, "number"),
    "bool": ("BOOL", None, "boolean"), "null": ("NULL", None, "null"),
    "any": ("ANY", None, "value"), "int": ("INT", INT64, "int"), "size": ("INT", (0, INT64[1]), "int"),
}
for bits in (8, 16, 32, 64):
    BUILTINS[f"int{bits}"] = ("INT", (-(1 << bits - 1), (1 << bits - 1) - 1), "int")
    BUILTINS[f"uint{bits}"] = ("INT", (0, min((1 << bits) - 1, INT64[1])), "int")
FLAGS = {"allow-oob": "QMP_ALLOW_OOB", "allow-preconfig": "QMP_ALLOW_PRECONFIG",
         "any-thread": "QMP_ANY_THREAD"}
KEYS = {
    "enum": {"doc", "values"}, "struct": {"doc", "members", "base", "open", "tag", "variants"},
    "alternate": {"doc", "choices"}, "command": {"doc", "args", "returns", "flags", "open"},
    "event": {"doc", "data", "rate-ms", "rate-key"},
}


def fail(text):
    sys.exit(f"gen.py: {text}")


def no_twins(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        fail(f"a name appears twice among {[name for name, _ in pairs]}")
    return result


class Member:
    def __init__(self, name, said):
        self.optional = name.startswith("*")
        self.name = name.lstrip("*")
        said = said if isinstance(said, dict) else {"type": said}
        self.type = said["type"]
        self.doc = said.get("doc", "")
        self.min, self.max = said.get("min"), said.get("max")


def members_of(said):
    return [Member(name, value) for name, value in said.items()]


class Schema:
    def __init__(self, paths):
        self.files, self.types, self.commands, self.events = [], {}, {}, {}
        for path in sorted(paths):
            self._read(path)
        self._check()

    def _read(self, path):
        try:
            with open(path, encoding="utf-8") as f:
                content = json.load(f, object_pairs_hook=no_twins)
        except ValueError as error:
            fail(f"{path}: {error}")
        self.files.append((os.path.basename(path)[:-len(".json")], content))
        for item in content["items"]:
            kind = next((k for k in KEYS if k in item), None)
            if kind is None or set(item) - KEYS[kind] - {kind}:
                fail(f"{path}: item with the keys {sorted(item)} is not understood")
            if not item.get("doc"):
                fail(f"{path}: {kind} {item[kind]} has no doc")
            where = {"command": self.commands, "event": self.events}.get(kind, self.types)
            if item[kind] in where or item[kind] in BUILTINS:
                fail(f"{path}: {kind} {item[kind]} is there already")
            where[item[kind]] = item

    def struct_members(self, name):
        """Members of a struct with those of its bases."""
        item = self.types.get(name)
        if item is None or "struct" not in item:
            fail(f"{name} is not a struct")
        base = self.struct_members(item["base"]) if "base" in item else []
        return base + members_of(item.get("members", {}))

    def object_members(self, said):
        """Of a command's args or an event's data, which are a struct's name or members."""
        return self.struct_members(said) if isinstance(said, str) else members_of(said)

    def _check_type(self, where, typ):
        if isinstance(typ, list):
            if len(typ) != 1:
                fail(f"{where}: {typ} is not an array of one type")
            self._check_type(where, typ[0])
        elif typ not in BUILTINS and typ not in self.types:
            fail(f"{where}: there is no type {typ}")

    def _check(self):
        for name, item in self.types.items():
            if "struct" in item:
                members = self.struct_members(name)
                for m in members:
                    self._check_type(name, m.type)
                if "tag" in item:
                    tag = next((m for m in members if m.name == item["tag"]), None)
                    values = tag and self.enum_values(self.types.get(tag.type, {}))
                    if not values or set(item["variants"]) - set(values):
                        fail(f"{name}: the tag or a variant is not one of an enum")
                for variant in item.get("variants", {}).values():
                    self.struct_members(variant)
            for typ in item.get("choices", {}).values():
                self._check_type(name, typ)
        for name, item in self.commands.items():
            for m in self.object_members(item.get("args", {})):
                self._check_type(name, m.type)
            if "returns" in item:
                self._check_type(name, item["returns"])
            for flag in item.get("flags", []):
                if flag not in FLAGS:
                    fail(f"{name}: there is no flag {flag}")
        for name, item in self.events.items():
            for m in self.object_members(item.get("data", {})):
                self._check_type(name, m.type)

    @staticmethod
    def enum_values(item):
        return list(item.get("values", []))


def c_name(text):
    return "".join(c if c.isalnum() else "_" for c in text)


def c_string(text):
    return json.dumps(text, ensure_ascii=True)


def handler(name):
    return "qmp_" + c_name(name)


OPENING = """/* SPDX-License-Identifier: GPL-2.0-or-later
 * Made by system/qapi/gen.py. Do not edit.
 */
"""


def write_header(schema, out):
    out.write(OPENING + "#pragma once\n\n#include <json-glib/json-glib.h>\n\n")
    for name in sorted(schema.commands):
        out.write(f"JsonNode *{handler(name)}(JsonObject *args, GError **error);\n")


class Source:
    """The C tables. Types refer to each other by address and may do so in circles."""

    def __init__(self, schema, out):
        self.schema, self.out = schema, out
        self.arrays = {}  # C name: element type

    def type_ref(self, typ):
        if isinstance(typ, list):
            name = "qapi_array_of_" + self.type_ref(typ[0])[len("&qapi_"):]
            self.arrays[name] = typ[0]
            return "&" + name
        return "&qapi_type_" + c_name(typ)

    def members(self, name, members):
        if not members:
            return
        self.out.write(f"static const QapiMember {name}[] = {{\n")
        for m in members:
            text = f".name = {c_string(m.name)}, .type = {self.type_ref(m.type)}"
            if m.optional:
                text += ", .optional = true"
            if m.min is not None or m.max is not None:
                low, high = BUILTINS[m.type][1]
                low = m.min if m.min is not None else low
                high = m.max if m.max is not None else high
                text += f", .has_range = true, .min = {c_int(low)}, .max = {c_int(high)}"
            self.out.write(f"    {{ {text} }},\n")
        self.out.write("};\n")

    def define(self, c, name, kind, more):
        self.out.write(f"const QapiType {c} = {{ .kind = QAPI_{kind}, .name = {c_string(name)}"
                       f"{''.join(', ' + m for m in more)} }};\n")

    def define_struct(self, c, name, members, item):
        more = []
        self.members(c + "_members", members)
        if members:
            more += [f".members = {c}_members", f".n_members = {len(members)}"]
        if item.get("open"):
            more.append(".open = true")
        if "tag" in item:
            self.out.write(f"static const QapiVariant {c}_variants[] = {{\n")
            for value, typ in item["variants"].items():
                self.out.write(f"    {{ {c_string(value)}, {self.type_ref(typ)} }},\n")
            self.out.write("};\n")
            more += [f".tag = {c_string(item['tag'])}", f".variants = {c}_variants",
                     f".n_variants = {len(item['variants'])}"]
        self.define(c, name, "STRUCT", more)

    def define_type(self, name, item):
        c = "qapi_type_" + c_name(name)
        if "enum" in item:
            values = ", ".join(c_string(v) for v in Schema.enum_values(item))
            self.define(c, name, "ENUM", [f".values = (const char *const[]){{ {values}, NULL }}"])
        elif "struct" in item:
            self.define_struct(c, name, self.schema.struct_members(name), item)
        else:
            choices = [Member(label, typ) for label, typ in item["choices"].items()]
            self.members(c + "_members", choices)
            self.define(c, item["doc"].split(".")[0].lower(), "ALTERNATE",
                        [f".members = {c}_members", f".n_members = {len(choices)}"])

    def args_ref(self, name, item):
        if isinstance(item.get("args"), str) and not item.get("open"):
            return self.type_ref(item["args"])
        return "&qapi_args_" + c_name(name)

    def collect_arrays(self):
        """Fills self.arrays, so that everything can be declared before it is used."""
        schema = self.schema
        for name, item in schema.types.items():
            if "struct" in item:
                for m in schema.struct_members(name):
                    self.type_ref(m.type)
            for typ in item.get("choices", {}).values():
                self.type_ref(typ)
        for item in schema.commands.values():
            for m in schema.object_members(item.get("args", {})):
                self.type_ref(m.type)

    def write(self):
        schema, out = self.schema, self.out
        self.collect_arrays()
        out.write(OPENING + '#include "qapi/qapi.h"\n#include "qapi-commands.h"\n\n')
        for name in list(BUILTINS) + list(schema.types):
            out.write(f"extern const QapiType qapi_type_{c_name(name)};\n")
        for c in self.arrays:
            out.write(f"extern const QapiType {c};\n")
        for name, (kind, limits, _) in BUILTINS.items():
            more = [f".min = {c_int(limits[0])}, .max = {c_int(limits[1])}"] if limits else []
            self.define("qapi_type_" + c_name(name), name, kind, more)
        for name, item in schema.types.items():
            self.define_type(name, item)
        for c, element in self.arrays.items():
            self.define(c, "array", "ARRAY", [f".element = {self.type_ref(element)}"])
        for name, item in schema.commands.items():
            ref = self.args_ref(name, item)
            if ref.startswith("&qapi_args_"):
                out.write(f"extern const QapiType {ref[1:]};\n")
                self.define_struct(ref[1:], name, schema.object_members(item.get("args", {})), item)
        self.write_commands()
        self.write_events()
        text = json.dumps(Introspection(schema).build(), separators=(",", ":"))
        out.write("\nconst char qmp_schema_text[] =\n")
        for at in range(0, len(text), 80):
            out.write(f"    {c_string(text[at:at + 80])}\n")
        out.write("    ;\n")

    def write_commands(self):
        names = sorted(self.schema.commands, key=lambda n: n.encode())
        self.out.write("\nconst QmpCommand qmp_commands[] = {\n")
        for name in names:
            item = self.schema.commands[name]
            flags = " | ".join(FLAGS[f] for f in item.get("flags", [])) or "0"
            self.out.write(f"    {{ {c_string(name)}, {handler(name)}, "
                           f"{self.args_ref(name, item)}, {flags} }},\n")
        self.out.write(f"}};\nconst unsigned qmp_n_commands = {len(names)};\n")

    def write_events(self):
        names = sorted(self.schema.events, key=lambda n: n.encode())
        self.out.write("\nconst QmpEvent qmp_events[] = {\n")
        for name in names:
            item = self.schema.events[name]
            key = c_string(item["rate-key"]) if "rate-key" in item else "NULL"
            self.out.write(f"    {{ {c_string(name)}, {item.get('rate-ms', 0)}, {key} }},\n")
        self.out.write(f"}};\nconst unsigned qmp_n_events = {len(names)};\n")


def c_int(n):
    return "INT64_MIN" if n == INT64[0] else f"INT64_C({n})"


class Introspection:
    """query-qmp-schema's reply. Types other than built-in ones and arrays of them are named by
    numbers, as their names are no part of the interface."""

    def __init__(self, schema):
        self.schema, self.result, self.names = schema, [], {}

    def build(self):
        for name, item in sorted(self.schema.commands.items()):
            info = {"name": name, "meta-type": "command",
                    "arg-type": self.object_type(item.get("args", {})),
                    "ret-type": self.type(item["returns"]) if "returns" in item
                    else self.object_type({})}
            if "allow-oob" in item.get("flags", []):
                info["allow-oob"] = True
            self.result.append(info)
        for name, item in sorted(self.schema.events.items()):
            self.result.append({"name": name, "meta-type": "event",
                                "arg-type": self.object_type(item.get("data", {}))})
        return self.result

    def number(self, key):
        """The name for key, and whether it is new."""
        if key in self.names:
            return self.names[key], False
        self.names[key] = str(len(self.names))
        return self.names[key], True

    def members(self, members):
        result = []
        for m in members:
            info = {"name": m.name, "type": self.type(m.type)}
            if m.optional:
                info["default"] = None
            result.append(info)
        return result

    def object_type(self, said):
        """An anonymous struct (said is MEMBERS) or one by name."""
        if isinstance(said, str):
            return self.type(said)
        name, new = self.number("members " + json.dumps(said))
        if new:
            self.result.append({"name": name, "meta-type": "object",
                                "members": self.members(members_of(said))})
        return name

    def type(self, typ):
        if isinstance(typ, list):
            element = self.type(typ[0])
            name = f"[{element}]"
            if name not in self.names:
                self.names[name] = name
                self.result.append({"name": name, "meta-type": "array", "element-type": element})
            return name
        if typ in BUILTINS:
            json_type = BUILTINS[typ][2]
            name = "int" if json_type == "int" else typ
            if name not in self.names:
                self.names[name] = name
                self.result.append({"name": name, "meta-type": "builtin", "json-type": json_type})
            return name
        name, new = self.number("type " + typ)
        if new:
            self.result.append({"name": name, **self.describe(typ)})
        return name

    def describe(self, typ):
        item = self.schema.types[typ]
        if "enum" in item:
            values = Schema.enum_values(item)
            return {"meta-type": "enum", "members": [{"name": v} for v in values], "values": values}
        if "alternate" in item:
            return {"meta-type": "alternate",
                    "members": [{"type": self.type(t)} for t in item["choices"].values()]}
        info = {"meta-type": "object", "members": self.members(self.schema.struct_members(typ))}
        if "tag" in item:
            tag = next(m for m in self.schema.struct_members(typ) if m.name == item["tag"])
            info["tag"] = item["tag"]
            info["variants"] = [
                {"case": v, "type": self.type(item["variants"][v]) if v in item["variants"]
                 else self.object_type({})}
                for v in Schema.enum_values(self.schema.types[tag.type])]
        return info


# ---- the reference pages ----

def type_text(typ):
    if isinstance(typ, list):
        return f"array of {type_text(typ[0])}"
    return f"`{typ}`"


def member_lines(members):
    lines = []
    for m in members:
        limits = ""
        if m.min is not None or m.max is not None:
            limits = f", {m.min if m.min is not None else ''} to {m.max if m.max is not None else ''}"
        line = f"- `{m.name}`: {type_text(m.type)}{', optional' if m.optional else ''}{limits}"
        lines.append(line + (f". {m.doc}" if m.doc else ""))
    return lines


def object_lines(said, title):
    if isinstance(said, str):
        return [f"{title}: the members of `{said}`."]
    return [f"{title}:", ""] + member_lines(members_of(said)) if said else []


def item_lines(item):
    kind = next(k for k in KEYS if k in item)
    lines = [f"## {kind} {item[kind]}", "", item["doc"], ""]
    if kind == "enum":
        values = item["values"]
        docs = values if isinstance(values, dict) else {v: "" for v in values}
        lines += [f"- `{v}`{': ' + doc if doc else ''}" for v, doc in docs.items()]
    elif kind == "struct":
        if "base" in item:
            lines += [f"The members of `{item['base']}`, and:", ""]
        lines += member_lines(members_of(item.get("members", {})))
        lines += [f"- with `{item['tag']}` = `{v}`: the members of `{t}`"
                  for v, t in item.get("variants", {}).items()]
    elif kind == "alternate":
        lines += ["One of: " + ", ".join(type_text(t) for t in item["choices"].values()) + "."]
    elif kind == "command":
        lines += object_lines(item.get("args", {}), "Arguments")
        if item.get("open"):
            lines += ["", "Further arguments depend on the type."]
        if "returns" in item:
            lines += ["", f"Returns {type_text(item['returns'])}."]
        if [f for f in item.get("flags", []) if f != "any-thread"]:
            texts = {"allow-oob": "may be run out of band (`exec-oob`)",
                     "allow-preconfig": "may be run with `--preconfig` before the machine is made"}
            lines += ["", "It " + " and ".join(texts[f] for f in item["flags"] if f in texts) + "."]
    else:
        lines += object_lines(item.get("data", {}), "Data")
        if "rate-ms" in item:
            each = f" for each `{item['rate-key']}`" if "rate-key" in item else ""
            lines += ["", f"At most one in {item['rate-ms']} ms{each}; the last one wins."]
    return lines


def page(title, lines):
    text = "\n".join([f"# {title}", "", *lines])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.rstrip("\n") + "\n"


def write_docs(schema, folder):
    index = ["Made from `system/qapi/*.json` by `system/qapi/gen.py docs docs/qmp system/qapi/*.json`;"
             " do not edit. [monitor.md](../monitor.md) says how to reach the monitor.", ""]
    os.makedirs(folder, exist_ok=True)
    for name, content in schema.files:
        lines = [content.get("doc", ""), ""]
        for item in content["items"]:
            lines += item_lines(item) + [""]
        with open(os.path.join(folder, name + ".md"), "w", encoding="utf-8") as out:
            out.write(page(content["title"], lines))
        index.append(f"- [{content['title']}]({name}.md)")
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as out:
        out.write(page("Monitor commands and events", index))


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("header", "source", "docs"):
        fail("usage: gen.py header|source|docs OUT FILE...")
    mode, where, schema = sys.argv[1], sys.argv[2], Schema(sys.argv[3:])
    if mode == "docs":
        write_docs(schema, where)
        return
    with open(where, "w", encoding="utf-8") as out:
        if mode == "header":
            write_header(schema, out)
        else:
            Source(schema, out).write()


if __name__ == "__main__":
    main()
