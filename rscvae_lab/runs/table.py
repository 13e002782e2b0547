"""A table of results on disk that grows row by row and is whole at every moment."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rscvae_lab.config import Config
from rscvae_lab.config.schema import ADDED
from rscvae_lab.errors import InputError
from rscvae_lab.methods import rows_of
from rscvae_lab.storage.files import write_whole
from rscvae_lab.runs.run import ROW_NAMES

Unit = tuple[Config, ...]  # trained together: one config, or a stack


def with_added(frame: pd.DataFrame) -> pd.DataFrame:
    """A table that may be older than some settings, with these as they were then, and the columns
    in today's order. Rows without a recipe are of recipe 4."""
    former = ADDED | {"recipe": 4}
    missing = {name: value for name, value in former.items() if name not in frame.columns}
    whole = frame.assign(**missing)
    return whole[list(ROW_NAMES)] if set(ROW_NAMES) == set(whole.columns) else whole


class Table:
    """A sweep's CSV. A row's identity is `config_hash` with `method`; rows of other sweeps are kept before ours."""

    def __init__(self, path: Path, units: Sequence[Unit]):
        self.path, self.units = path, units
        self._rows = {}
        if path.is_file():
            self._rows = self._by_identity(self._read())

    def _read(self) -> pd.DataFrame:
        try:
            return pd.read_csv(self.path, dtype=str, keep_default_na=False)
        except ValueError as error:  # empty, binary, ragged
            reason = f"expected a table of rscvae sweep in {self.path}, found something else ({error})"
            raise InputError(reason) from None

    def _by_identity(self, frame: pd.DataFrame) -> dict[tuple[str, str], dict[str, str]]:
        frame = with_added(frame).astype(str)
        if list(frame.columns) != list(ROW_NAMES):
            raise InputError(f"expected a table of rscvae sweep in {self.path}, found other columns")
        return {(row["config_hash"], row["method"]): row for row in frame.to_dict("records")}

    def unfinished(self) -> list[Unit]:
        def rows(config: Config) -> set[tuple[str, str]]:
            return {(config.config_hash, method) for method in rows_of(config.mode)}

        return [unit for unit in self.units if any(rows(config) - self._rows.keys() for config in unit)]

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Adds rows and writes the whole table, in the order of the plan, in one move."""
        if not rows:
            return
        text = pd.DataFrame(rows, columns=ROW_NAMES).to_csv(index=False)
        self._rows |= self._by_identity(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False))
        place = {config.config_hash: i for i, config in enumerate(c for unit in self.units for c in unit)}
        ordered = sorted(self._rows.values(), key=lambda row: place.get(row["config_hash"], -1))
        write_whole(self.path, pd.DataFrame(ordered, columns=ROW_NAMES).to_csv(index=False))
