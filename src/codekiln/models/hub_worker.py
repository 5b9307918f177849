"""Child process of codekiln.models.hub: REPOSITORY FILE FOLDER ENDPOINT, FILE may be empty.

Downloads one file or the whole checkpoint into FOLDER, resuming what is there. On failure the
last line of stderr is the reason.
"""

from __future__ import annotations

import sys

from huggingface_hub import hf_hub_download, snapshot_download

from codekiln.models.hub import CHECKPOINT_PATTERNS


def main(repository: str, file: str, folder: str, endpoint: str) -> int:
    """Download; 0 when everything is there."""
    try:
        if file:
            hf_hub_download(repository, file, local_dir=folder, endpoint=endpoint)
        else:
            snapshot_download(
                repository,
                local_dir=folder,
                endpoint=endpoint,
                allow_patterns=[*CHECKPOINT_PATTERNS],
                ignore_patterns=["*/*"],
            )
    except Exception as error:  # noqa: BLE001 (process boundary: the parent reads the line)
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
