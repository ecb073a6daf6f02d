# SPDX-License-Identifier: Apache-2.0
"""Bar charts as SVG: groups of horizontal bars, the spread as a whisker. Figures and labels are text, so that they can be searched."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 900, 210, 110
BAR, GAP, HEAD = 15, 16, 24
COLOURS = {"anser": "#c2410c", "echo": "#737373", "knot": "#1d4ed8", "nsd": "#15803d", "bind": "#7e22ce", "pdns": "#0e7490"}


def bars_svg(title, unit, groups):
    """groups: (name, rows), rows: (label, family, Spread). Every group has its own scale, from 0."""
    parts, y = [], 44
    for name, rows in groups:
        parts.append(f'<text x="8" y="{y + 15}" class="group">{escape(name)}</text>')
        y += HEAD
        top = max((spread.most for _, _, spread in rows), default=0) or 1
        for label, family, spread in rows:
            parts.append(_bar(y, label, COLOURS[family], spread, (WIDTH - LEFT - RIGHT) / top))
            y += BAR + 4
        y += GAP
    style = "text{font:12px sans-serif;fill:#262626}.group{font-weight:bold}.title{font-size:15px;font-weight:bold}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">\n'
            f'<style>{style}</style>\n<rect width="100%" height="100%" fill="white"/>\n'
            f'<text x="8" y="26" class="title">{escape(title)} ({escape(unit)})</text>\n' + "\n".join(parts) + "\n</svg>\n")


def _bar(y, label, colour, spread, scale):
    middle, end = y + BAR / 2, LEFT + spread.median * scale
    least, most = LEFT + spread.least * scale, LEFT + spread.most * scale
    return (f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}" fill="{colour}"/>'
            f'<path d="M{least:.1f} {middle}H{most:.1f}" stroke="#262626"/>'
            f'<text x="{max(end, most) + 6:.1f}" y="{y + 12}">{spread.median:.4g}</text>')
