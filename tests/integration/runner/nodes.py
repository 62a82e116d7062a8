"""Node workers in tests: a bundler that copies what a test has written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Copied:
    file: Path
    modules: Path
    preload: tuple[Path, ...]


class Copier:
    """A bundle is a copy of the handler's file; ``// preload: x.js`` names what it imports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def bundle(
        self,
        root: Path,
        handler: str,
        options: Mapping[str, Any],
        runtime: str,
        install: Sequence[str],
    ) -> Copied:
        self.count += 1
        module = handler.rpartition(".")[0]
        suffixes = (".mjs", ".cjs", ".js")
        found = [root / (module + each) for each in suffixes if (root / (module + each)).exists()]
        source = found[0] if found else root / f"{module}.mjs"
        text = source.read_text() if found else "import './missing.mjs'"
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        file = self.folder / digest / f"{module}{source.suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        preload = tuple(
            (root / line.partition(":")[2].strip()).resolve()
            for line in text.splitlines()
            if line.startswith("// preload:")
        )
        modules = self.folder / digest / "modules.json"
        own = {"own": [], "thirdParty": [], "listed": [], "lookups": {}, "recorded": True}
        told = {"userFiles": [os.fspath(source)], "installed": [*map(os.fspath, preload)], **own}
        for path, written in ((file, text), (modules, json.dumps(told))):
            if not path.exists():
                path.write_text(written)
        if source.with_suffix(f"{source.suffix}.map").exists():
            shutil.copy(source.with_suffix(f"{source.suffix}.map"), f"{file}.map")
        return Copied(file, modules, preload)

    def check(self, *_: object) -> Sequence[str]:
        """A copy is what is deployed."""
        return ()

    def close(self) -> None:
        """Nothing was started."""
