"""What a person wants to know of a build: one self-contained page, and its figures as JSON."""

from .figures import figures
from .page import page
from .reading import Build, of, read

__all__ = ["Build", "figures", "files", "of", "page", "read"]


def files(build: Build) -> dict[str, str]:
    """``report.html``, and ``figures.json``: every figure that is on the page."""
    import json

    found = figures(build)
    text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)
    return {"report.html": page(found, build.placement), "figures.json": text + "\n"}
