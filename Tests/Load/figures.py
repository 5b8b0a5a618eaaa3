"""What a run measured: rows of a table, or lines of JSON as holdfast-bench prints them."""

import json


class Figures:
    """Gathered in order; a measure's name never changes."""

    def __init__(self):
        self.rows = []

    def add(self, measure, value, unit, note=""):
        rounded = value if isinstance(value, int) else float(f"{value:.4g}")
        self.rows.append({"measure": measure, "value": rounded, "unit": unit, "note": note})
        print(f"  {measure:28} {rounded:>10} {unit:8} {note}", flush=True)

    def write(self, path, machine):
        with open(path, "w", encoding="utf-8") as file:
            for row in self.rows:
                file.write(json.dumps({**row, "machine": machine}) + "\n")


def share(values, part):
    """The value that so large a part of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
