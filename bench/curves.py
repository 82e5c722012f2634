#!/usr/bin/env python3
"""Recall/speed curves of bench/ann as a picture.

    bench/curves.py RESULT.json OUT.svg        RESULT.json: what bench/ann --out wrote

Each contender's line goes through the points of its sweep: recall to the right, speed (median of the rounds) upwards, on a logarithmic scale and as
a multiple of hnswlib's at recall .95, for what a machine does in a second is of that machine. Higher and further to the right is better."""
import html, json, math, sys

W, H, LEFT, RIGHT, TOP, BOTTOM = 760, 460, 64, 150, 44, 48
# Recall is drawn by how much is missing, as that is what costs: .9, .99 and .999 are equally far apart.
TICKS = [0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]
LEAST, MOST = 0.8, 0.9993
OURS = "#c0392b"
COLOURS = ["#2c3e50", "#2980b9", "#16a085", "#8e44ad", "#d68910", "#7f8c8d", "#27ae60", "#5d6d7e", "#a04000"]


def across(recall):
    at = lambda r: -math.log10(1 - r)
    return LEFT + (at(recall) - at(LEAST)) / (at(MOST) - at(LEAST)) * (W - LEFT - RIGHT)


def points_of(rounds):
    """Points of equal place in each round's sweep; the median of their speeds."""
    points = []
    for i in range(min(len(c) for c in rounds)):
        speeds = sorted(c[i][1] for c in rounds)
        points.append((rounds[0][i][0], speeds[len(speeds) // 2]))
    return sorted(p for p in points if LEAST <= p[0] <= MOST)


def speed_at(points, level):
    for (r0, q0), (r1, q1) in zip(points, points[1:]):
        if r0 <= level <= r1:
            return q0 * (q1 / q0) ** ((level - r0) / (r1 - r0) if r1 > r0 else 0)
    return None


def draw(result, title):
    lines = {name: points_of(rounds) for name, rounds in result["curves"].items()}
    lines = {name: p for name, p in lines.items() if len(p) > 1}
    one = "hnswlib" in lines and speed_at(lines["hnswlib"], 0.95)
    lines = {name: [(r, q / (one or 1)) for r, q in p] for name, p in lines.items()}
    speeds = [q for p in lines.values() for _, q in p]
    low, high = math.log10(min(speeds)) - 0.05, math.log10(max(speeds)) + 0.05
    up = lambda q: H - BOTTOM - (math.log10(q) - low) / (high - low) * (H - TOP - BOTTOM)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="sans-serif" font-size="12" fill="#222">',
           f'<rect width="{W}" height="{H}" fill="#fff"/>', f'<text x="{LEFT}" y="22" font-size="14">{html.escape(title)}</text>']
    for r in TICKS:
        out.append(f'<path d="M{across(r):.1f} {TOP}V{H - BOTTOM}" stroke="#ddd"/>'
                   f'<text x="{across(r):.1f}" y="{H - BOTTOM + 18}" text-anchor="middle">{str(r)[1:]}</text>')
    for exponent in range(math.floor(low), math.ceil(high) + 1):
        for q in (10 ** exponent, 2 * 10 ** exponent, 5 * 10 ** exponent):
            if low <= math.log10(q) <= high:
                out.append(f'<path d="M{LEFT} {up(q):.1f}H{W - RIGHT}" stroke="#ddd"/>'
                           f'<text x="{LEFT - 6}" y="{up(q) + 4:.1f}" text-anchor="end">{q:,g}</text>')
    out.append(f'<text x="{(LEFT + W - RIGHT) / 2}" y="{H - 10}" text-anchor="middle">recall@10</text>'
               f'<text x="14" y="{(TOP + H - BOTTOM) / 2}" text-anchor="middle" '
               f'transform="rotate(-90 14 {(TOP + H - BOTTOM) / 2})">{"speed on one thread; 1: hnswlib at .95" if one else "queries a second, one thread"}</text>')
    order = sorted(lines, key=lambda n: -lines[n][-1][1] * (2 if n == "backread" else 1))
    labels = sorted((up(lines[n][-1][1]), n) for n in order)
    for i in range(1, len(labels)): # names that would lie on one another move apart
        labels[i] = (max(labels[i][0], labels[i - 1][0] + 15), labels[i][1])
    for y, name in labels:
        colour = OURS if name == "backread" else COLOURS[sorted(lines).index(name) % len(COLOURS)]
        width, weight = (3, "bold") if name == "backread" else (1.5, "normal")
        path = "L".join(f"{across(r):.1f} {up(q):.1f}" for r, q in lines[name])
        end = lines[name][-1]
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
                   f'<path d="M{across(end[0]):.1f} {up(end[1]):.1f}L{W - RIGHT + 8} {y:.1f}" stroke="{colour}" stroke-width=".5"/>'
                   f'<text x="{W - RIGHT + 10}" y="{y + 4:.1f}" fill="{colour}" font-weight="{weight}">{html.escape(name)}</text>')
    return "\n".join(out) + "\n</svg>\n"


def write(result, path, data="vectors"):
    title = f"{result['n']:,} {data} of {result['dim']} dimensions, {result['queries']:,} queries"
    with open(path, "w") as f:
        f.write(draw(result, title))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    write(json.load(open(sys.argv[1])), sys.argv[2], *sys.argv[3:4])
