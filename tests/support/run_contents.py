"""What is in a run folder, but for times and the command that was typed."""

from benchmark_adapters.grid.merge import TIMES
from benchmark_adapters.records.record import read_record


def contents(folder):
    """Every file's bytes by path; records without their times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix == ".json" and len(name.parts) == 4:
            record = read_record(path)
            found[name] = {key: value for key, value in record.items() if key not in TIMES}
        elif path.is_file() and path.suffix != ".lock":
            found[name] = path.read_bytes()
    return found
