"""What the configurations of all kinds of engines have in common."""

import hashlib
import json

from pydantic import Field

from .array_tables import Table
from .fields import Name


class EngineTable(Table):
    """The top level of a configuration."""

    kind: str
    name: Name = Field(description="Of the Verilog module and of the files.")

    def __reduce__(self):
        # Classes of tables may be made when a module is read, with no place to pickle them by.
        from .config import from_tables

        return from_tables, (self.canonical(),)

    def canonical(self) -> dict:
        """Every key with its value, defaults included, as JSON types."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: the same for every spelling of the same engine."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
