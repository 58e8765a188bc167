from pathlib import Path


def processes_of(folder: Path) -> dict[int, str]:
    """Find the processes that have this folder as their home: process id and command line (Linux)."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={folder}\0".encode() in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:
            continue
    return found
