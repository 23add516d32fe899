"""Makes this example's data out of two files of vega-datasets: `python prepare.py airports.csv flights-10k.json`.

An airport's id is its IATA code, a flight's its number in the file, so that a load that was cut off can be run again;
dates become ISO-8601 (the source's clock is taken as UTC).
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path


def main(airports: str, flights: str) -> None:
    """Write `airports.csv` and `flights.ndjson` beside this file."""
    here = Path(__file__).parent
    with open(airports, newline="") as source, (here / "airports.csv").open("w", newline="") as target:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, ["id", *(rows.fieldnames or ())], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"id": row["iata"], **row} for row in rows)
    with (here / "flights.ndjson").open("w") as lines:
        for number, flight in enumerate(json.loads(Path(flights).read_text()), 1):
            day, time = flight["date"].replace("/", "-").split(" ")
            record = {"id": f"F{number:05}", **flight, "date": f"{day}T{time}:00Z"}
            lines.write(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
