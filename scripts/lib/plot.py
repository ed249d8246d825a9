# SPDX-License-Identifier: GPL-2.0-or-later
"""One picture of a bench run: ratios as bars with their spread, on a log scale around 1."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, ROW, TOP = 900, 360, 26, 54
LOW, HIGH = 0.25, 8.0


def _x(value):
    value = min(max(value, LOW), HIGH)
    span = math.log(HIGH) - math.log(LOW)
    return LEFT + (WIDTH - LEFT - 30) * (math.log(value) - math.log(LOW)) / span


def ratios(path, rows):
    """Writes the rows whose unit is 'x' (ours divided by theirs) as an SVG file."""
    rows = [r for r in rows if r["unit"] == "x"]
    height = TOP + ROW * len(rows) + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           '<text x="12" y="22" font-size="16">Time, Humpy divided by the other side '
           '(left of 1 is faster)</text>']
    for tick in (0.25, 0.5, 1, 2, 4, 8):
        x = _x(tick)
        out.append(f'<line x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{height - 34}" '
                   f'stroke="{"black" if tick == 1 else "#ccc"}"/>')
        out.append(f'<text x="{x:.1f}" y="{height - 18}" text-anchor="middle">{tick:g}</text>')
    for i, row in enumerate(rows):
        y = TOP + i * ROW
        colour = "#3a7" if row["met"] in (True, None) else "#c63"
        a, b = sorted((_x(1), _x(row["value"])))
        out.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(row["name"])}</text>')
        out.append(f'<rect x="{a:.1f}" y="{y + 2}" width="{max(b - a, 1):.1f}" height="14" fill="{colour}"/>')
        if row["spread"]:
            lo, hi = (_x(v) for v in row["spread"])
            out.append(f'<line x1="{lo:.1f}" y1="{y + 9}" x2="{hi:.1f}" y2="{y + 9}" stroke="black"/>')
        out.append(f'<text x="{max(b, _x(row["spread"][1]) if row["spread"] else b) + 6:.1f}" '
                   f'y="{y + 13}">{row["value"]:.2f}</text>')
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


# ---- latency ----

COLOURS = ("#236", "#3a7", "#c63", "#857")
NINES = (50, 90, 99, 99.9, 99.99)


def percentiles(buckets):
    """[(percentile, value)] of a histogram {value: count}."""
    total, seen, curve = sum(buckets.values()), 0, []
    for value in sorted(buckets):
        seen += buckets[value]
        curve.append((100 * seen / total, value))
    return curve


def at_percentile(curve, percentile):
    return next(value for at, value in curve if at >= percentile or at == curve[-1][0])


def latency(path, curves):
    """Writes {"KIND, SIDE": percentiles()} as one panel for each kind: the time an access takes
    over the share of accesses that take no longer; both axes are logarithmic."""
    kinds = list(dict.fromkeys(name.split(", ")[0] for name in curves))
    panel, top, height = 300, 60, 300
    width = panel * len(kinds) + 40
    values = [value for curve in curves.values() for _, value in curve]
    low, high = math.log10(min(values)), math.log10(max(values)) + 1e-9

    def y_of(value):
        return top + height * (1 - (math.log10(value) - low) / (high - low))

    def x_of(percentile):
        return 190 * min(-math.log10(1 - min(percentile, 99.9999) / 100), 4) / 4

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top + height + 60}" '
           f'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{top + height + 60}" fill="white"/>',
           '<text x="12" y="22" font-size="16">Time of one access, in microseconds, by percentile'
           '</text>']
    for n, kind in enumerate(kinds):
        left = 60 + panel * n
        out.append(f'<text x="{left}" y="{top - 12}" font-size="14">{escape(kind)}</text>')
        for percentile in NINES:
            x = left + x_of(percentile)
            out.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}" '
                       'stroke="#ddd"/>')
            out.append(f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">'
                       f'{percentile:g}</text>')
        for exponent in range(math.ceil(low), math.floor(high) + 1):
            y = y_of(10 ** exponent)
            out.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + 190}" y2="{y:.1f}" '
                       'stroke="#ddd"/>')
            out.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">'
                       f'{10 ** (exponent - 3):g}</text>')
        sides = [name for name in curves if name.split(", ")[0] == kind]
        for i, name in enumerate(sides):
            points = " ".join(f"{left + x_of(at):.1f},{y_of(value):.1f}"
                              for at, value in curves[name])
            out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[i]}" '
                       'stroke-width="1.5"/>')
            out.append(f'<text x="{left + 4}" y="{top + 14 + 15 * i}" fill="{COLOURS[i]}">'
                       f'{escape(name.split(", ")[1])}</text>')
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")
