"""Plots as SVG, with nothing but the standard library: lines on logarithmic or linear axes, and bars."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 200, 60, 55
# A server has its colour in all plots.
COLOURS = {"epoll-floor": "#5c5c5c", "uring-floor": "#a0a0a0", "uring-cluster": "#c8553d", "uring-cluster-static": "#c8553d",
           "nginx": "#3a7d44", "h2o": "#8d5a97", "haproxy": "#b8860b", "node": "#1b6ca8", "node-cluster": "#00838f"}
OTHERS = ("#ad1457", "#4e342e", "#283593", "#827717")


def number(value):
    """3 significant digits at most: 0.25, 12, 3.5k, 1.2M."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return ("%.3g" % (value / limit)) + unit
    return "%.3g" % value


def styles(names):
    """{name: (colour, dashes)}; the second series of a server ("nginx, new") is dashed."""
    result, seen, others = {}, {}, {}
    for name in names:
        server = name.split(",")[0]
        colour = COLOURS.get(server) or others.setdefault(server, OTHERS[len(others) % len(OTHERS)])
        result[name] = (colour, ("", "7 4", "2 3")[min(seen.get(server, 0), 2)])
        seen[server] = seen.get(server, 0) + 1
    return result


class Axis:
    """Values onto pixels."""

    def __init__(self, values, first, last, logarithmic):
        self.logarithmic = logarithmic
        low, high = min(values), max(values)
        if logarithmic:
            low, high = max(low, 1e-9), max(high, 1e-9)
            self.low, self.high = math.floor(math.log10(low)), math.ceil(math.log10(high))
            if self.low == self.high:
                self.high += 1
        else:
            self.low, self.high = 0.0, (high or 1) * 1.05
        self.first, self.last = first, last

    def place(self, value):
        at = math.log10(max(value, 1e-9)) if self.logarithmic else value
        share = (at - self.low) / (self.high - self.low)
        return self.first + min(max(share, 0.0), 1.0) * (self.last - self.first)

    def ticks(self):
        if self.logarithmic:
            wide = self.high - self.low > 3
            return [digit * 10.0 ** power for power in range(self.low, self.high + 1)
                    for digit in ((1,) if wide else (1, 2, 5)) if math.log10(digit) + power <= self.high]
        step = 10 ** math.floor(math.log10(self.high / 4))
        step = next(step * factor for factor in (1, 2, 5, 10) if self.high / (step * factor) <= 6)
        return [step * i for i in range(int(self.high / step) + 1)]


class Canvas:
    def __init__(self, title):
        self.parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" '
                      'font-size="12">' % (WIDTH, HEIGHT), '<rect width="100%" height="100%" fill="white"/>']
        self.text(LEFT, 22, title, size=15)

    def text(self, x, y, words, anchor="start", size=12, turned=False):
        turn = ' transform="rotate(-90 %.1f %.1f)"' % (x, y) if turned else ""
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d"%s>%s</text>'
                          % (x, y, anchor, size, turn, escape(words)))

    def line(self, points, colour, width=1.0, dashes=""):
        self.parts.append('<polyline fill="none" stroke="%s" stroke-width="%s" stroke-dasharray="%s" points="%s"/>'
                          % (colour, width, dashes, " ".join("%.1f,%.1f" % point for point in points)))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join([*self.parts, "</svg>", ""]))

    def frame(self, x_axis, y_axis, x_name, y_name):
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value in y_axis.ticks():
            y = y_axis.place(value)
            self.line([(LEFT, y), (right, y)], "#dddddd")
            self.text(LEFT - 6, y + 4, number(value), "end")
        for value in x_axis.ticks() if x_axis else ():
            x = x_axis.place(value)
            self.line([(x, TOP), (x, bottom)], "#eeeeee")
            self.text(x, bottom + 16, number(value), "middle")
        self.line([(LEFT, TOP), (LEFT, bottom), (right, bottom)], "#333333")
        self.text((LEFT + right) / 2, HEIGHT - 14, x_name, "middle")
        self.text(16, (TOP + bottom) / 2, y_name, "middle", turned=True)


def lines(path, title, x_name, y_name, series, logarithmic=(False, False)):
    """`series`: {name: [(x, y), ...]}; `logarithmic`: the x axis, the y axis."""
    series = {name: points for name, points in series.items() if points}
    if not series:
        return
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    x_axis = Axis(xs, LEFT, WIDTH - RIGHT, logarithmic[0])
    y_axis = Axis(ys, HEIGHT - BOTTOM, TOP, logarithmic[1])
    canvas = Canvas(title)
    canvas.frame(x_axis, y_axis, x_name, y_name)
    style = styles(series)
    for i, (name, points) in enumerate(series.items()):
        colour, dashes = style[name]
        places = [(x_axis.place(x), y_axis.place(y)) for x, y in points]
        canvas.line(places, colour, 2, dashes)
        for x, y in places:
            canvas.parts.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, colour))
        canvas.line([(WIDTH - RIGHT + 12, TOP + 18 * i + 6), (WIDTH - RIGHT + 32, TOP + 18 * i + 6)], colour, 3, dashes)
        canvas.text(WIDTH - RIGHT + 38, TOP + 18 * i + 10, name)
    canvas.write(path)


def bars(path, title, y_name, groups, top=None):
    """`groups`: {group: {name: value}}; values above `top` are cut, and their number stands on them."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    values = [value for group in groups.values() for value in group.values()]
    if not values:
        return
    y_axis = Axis([min(max(values), top or max(values))], HEIGHT - BOTTOM, TOP, False)
    canvas = Canvas(title)
    canvas.frame(None, y_axis, "", y_name)
    room = (WIDTH - RIGHT - LEFT) / len(groups)
    width = room * 0.86 / len(names)
    style = styles(names)
    for g, (group, members) in enumerate(groups.items()):
        begin = LEFT + g * room + room * 0.07
        for name, value in members.items():
            x, y = begin + names.index(name) * width, y_axis.place(value)
            canvas.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (
                x, y, max(width - 1, 1), HEIGHT - BOTTOM - y, style[name][0]))
            canvas.text(x + width / 2 + 3, y - 4, number(value), size=9, turned=True)
        canvas.text(begin + room * 0.43, HEIGHT - BOTTOM + 16, group, "middle", size=11)
    for i, name in enumerate(names):
        canvas.line([(WIDTH - RIGHT + 12, TOP + 18 * i + 6), (WIDTH - RIGHT + 32, TOP + 18 * i + 6)],
                    style[name][0], 8)
        canvas.text(WIDTH - RIGHT + 38, TOP + 18 * i + 10, name)
    canvas.write(path)
