"""A sweep's results on disk: a table that grows row by row and is complete at every moment."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rscvae_lab.config import ADDED_LATER, Config
from rscvae_lab.errors import InputError
from rscvae_lab.methods import rows_of
from rscvae_lab.runs.run import LATER_METRICS, ROW_NAMES
from rscvae_lab.storage.files import write_whole

Unit = tuple[Config, ...]  # trained together: one config, or those of an ensemble


def with_later_settings(table: pd.DataFrame) -> pd.DataFrame:
    """A table with today's columns: settings that are younger than the table have their former
    value, metrics none, and rows without a recipe are of recipe 4."""
    former = ADDED_LATER | {"recipe": 4} | dict.fromkeys(LATER_METRICS, np.nan)
    missing = {name: value for name, value in former.items() if name not in table.columns}
    table = table.assign(**missing)
    return table[list(ROW_NAMES)] if set(ROW_NAMES) == set(table.columns) else table


class Table:
    """A sweep's CSV; `config_hash` with `method` identifies a row. Rows of other sweeps stay, and
    come first.

    Raises:
        InputError: the file is no such table.
    """

    def __init__(self, path: Path, units: Sequence[Unit]):
        self.path, self.units = path, units
        self._rows = self._read(path) if path.is_file() else {}

    def _read(self, source: Path | io.StringIO) -> dict[tuple[str, str], dict[str, str]]:
        expected = f"expected a table of rscvae sweep in {self.path}"
        try:
            table = pd.read_csv(source, dtype=str, keep_default_na=False)
        except ValueError as error:  # empty, binary, ragged
            raise InputError(f"{expected}, found something else ({error})") from None
        table = with_later_settings(table).astype(object)
        table = table.where(table.notna(), "").astype(str)
        if list(table.columns) != list(ROW_NAMES):
            raise InputError(f"{expected}, found other columns")
        return {(row["config_hash"], row["method"]): row for row in table.to_dict("records")}

    def unfinished(self) -> list[Unit]:
        """The units without all of their rows."""
        return [unit for unit in self.units
                if any((config.config_hash, method) not in self._rows
                       for config in unit for method in rows_of(config.mode))]

    def of_other_images(self, config: Config) -> list[dict[str, str]]:
        """The rows of a config's category that are of images with another fingerprint."""
        return [row for row in self._rows.values()
                if (row["dataset"], row["category"]) == (config.dataset, config.category)
                and row["data"] != config.data]

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Adds rows and replaces the whole file at once, in the order of the units."""
        if not rows:
            return
        text = pd.DataFrame(rows, columns=ROW_NAMES).to_csv(index=False)
        self._rows |= self._read(io.StringIO(text))
        configs = [config for unit in self.units for config in unit]
        place = {config.config_hash: i for i, config in enumerate(configs)}
        ordered = sorted(self._rows.values(), key=lambda row: place.get(row["config_hash"], -1))
        write_whole(self.path, pd.DataFrame(ordered, columns=ROW_NAMES).to_csv(index=False))
