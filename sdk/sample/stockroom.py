"""The sample: a small electronics stockroom of about 200 parts in ten bins, made by rule.

Resistors and capacitors come from the preferred numbers of IEC 60063 (the E series), so nothing is
copied from anybody. Invariant: the same server answers give the same changes, ids included; a
sample that was loaded half is completed by loading it again.
"""

from changes import change, create, reference

E6 = (10, 15, 22, 33, 47, 68)
E12 = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
E24 = (10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30,
       33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91)

FOOTPRINTS = {
    "R-0603": ("Chip resistor 1.6 x 0.8 mm", "surface", 2),
    "C-0603": ("Chip capacitor 1.6 x 0.8 mm", "surface", 2),
    "C-0805": ("Chip capacitor 2.0 x 1.25 mm", "surface", 2),
    "CP-radial-5": ("Radial electrolytic capacitor, diameter 5 mm, pitch 2 mm", "through", 2),
    "CP-radial-8": ("Radial electrolytic capacitor, diameter 8 mm, pitch 3.5 mm", "through", 2),
    "L-0805": ("Chip inductor 2.0 x 1.25 mm", "surface", 2),
}

BINS = {
    "A1": "Resistors 10 to 91 ohm",
    "A2": "Resistors 100 to 910 ohm",
    "A3": "Resistors 1 to 9.1 kilohm",
    "A4": "Resistors 10 to 91 kilohm",
    "A5": "Resistors 100 to 910 kilohm",
    "B1": "Ceramic capacitors C0G",
    "B2": "Ceramic capacitors X7R",
    "B3": "Ceramic capacitors X5R",
    "B4": "Electrolytic capacitors",
    "C1": "Inductors",
}


def quantity(mantissa, exponent, unit):
    """`mantissa` times ten to `exponent` in engineering notation: `4.7 kohm`."""
    while mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    digits = str(mantissa)
    scale = (len(digits) - 1 + exponent) // 3
    point = len(digits) + exponent - 3 * scale
    digits = digits.ljust(point, "0")
    number = digits[:point] + ("." + digits[point:] if digits[point:] else "")
    return f"{number} {'pnµm kMG'[scale + 4].strip()}{unit}"


def passive(kind, text, footprint, tolerance, rating, bin_label, polarised=False):
    """The value of a two-terminal part; its bin is still a label."""
    names = ("+", "-") if polarised else ("1", "2")
    code = text.replace(" ", "").replace("Ω", "").replace("µ", "u")
    return {
        "number": f"{footprint}-{code}",
        "title": f"{kind.capitalize()} {text} {tolerance} {rating}",
        "stock": 0,
        "keywords": [kind.lower(), "polarised" if polarised else "unpolarised"],
        "footprint": reference({"name": footprint, "revision": 0}),
        "bin": bin_label,
        "value": text,
        "tolerance": tolerance,
        "rating": rating,
        "pins": [
            {"number": str(index + 1), "name": name, "type": "passive"}
            for index, name in enumerate(names)
        ],
    }


def parts():
    """The values of all parts, bins still as labels, in the order of the bins."""
    for decade in range(5):
        for mantissa in E24:
            text = quantity(mantissa, decade, "Ω")
            yield passive("Resistor", text, "R-0603", "1 %", "0.1 W", f"A{decade + 1}")
    for decade in range(2):
        for mantissa in E12:
            text = quantity(mantissa, decade - 12, "F")
            yield passive("Capacitor", text, "C-0603", "5 %", "C0G 50 V", "B1")
    for decade in range(3):
        for mantissa in E6:
            text = quantity(mantissa, decade - 10, "F")
            yield passive("Capacitor", text, "C-0603", "10 %", "X7R 50 V", "B2")
    for mantissa, decade in ((10, -7), (22, -7), (47, -7), (10, -6), (22, -6)):
        text = quantity(mantissa, decade, "F")
        yield passive("Capacitor", text, "C-0805", "20 %", "X5R 10 V", "B3")
    for decade in range(3):
        for mantissa in E6:
            text = quantity(mantissa, decade - 7, "F")
            case = "CP-radial-5" if decade < 2 else "CP-radial-8"
            yield passive("Capacitor", text, case, "20 %", "aluminium 25 V", "B4", polarised=True)
    for decade in range(2):
        for mantissa in E6:
            text = quantity(mantissa, decade - 7, "H")
            yield passive("Inductor", text, "L-0805", "10 %", "shielded", "C1")


def delivered(index):
    """How many pieces of the part at this place came with the first delivery."""
    return (500, 1000, 100, 250)[index % 4]


def taken(index):
    """How many pieces were then used for the first batch of boards; few parts were."""
    return 40 if index % 8 == 0 else 0


def load(post):
    """Sends the whole sample.

    `post` takes changes and gives for each its position and results; it throws when the server
    refuses one. Parts name their bins, and moves their parts, by the ids the server took.
    """
    shapes = [
        create("footprints", {"title": title, "mounting": mounting, "pads": pads}, name)
        for name, (title, mounting, pads) in FOOTPRINTS.items()
    ]
    places = [
        create("bins", {"label": label, "title": title, "shelf": label[0]})
        for label, title in BINS.items()
    ]
    _, (_, results) = post([change("sample: footprints", shapes), change("sample: bins", places)])
    bins = {label: reference(result["key"]) for label, result in zip(BINS, results)}

    values = []
    for index, value in enumerate(parts()):
        stock = delivered(index) - taken(index)
        values.append({**value, "stock": stock, "bin": bins[value["bin"]]})
    stocked = []
    for label in BINS:
        inside = [create("parts", value) for value in values if value["bin"] == bins[label]]
        stocked.append(change(f"sample: bin {label}", inside))
    replies = post(stocked)

    keys = [result["key"] for _, results in replies for result in results]
    counted = list(enumerate(zip(keys, values)))
    first = [
        move(key, value, delivered(index), "delivery", "2026-11-02T08:30:00.000Z")
        for index, (key, value) in counted if taken(index)
    ]
    second = [
        move(key, value, -taken(index), "batch of 20 boards", "2026-11-09T13:15:00.000Z")
        for index, (key, value) in counted if taken(index)
    ]
    released = [
        {"release": {"tree": "parts", "key": key, "expects": position, "released": 0}}
        for position, results in replies[:1] for key in [result["key"] for result in results[:6]]
    ]
    post([
        change("sample: first delivery", first),
        change("sample: first batch of boards", second),
        change("sample: checked against the data sheet", released),
    ])


def move(key, value, count, reason, at):
    """The operation that records `count` pieces going in, or out when below zero."""
    return create("moves", {
        "part": reference(key), "bin": value["bin"], "quantity": count, "reason": reason, "at": at,
    })
