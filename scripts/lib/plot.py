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
