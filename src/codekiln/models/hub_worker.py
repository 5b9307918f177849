"""Child process of codekiln.models.hub: ENDPOINT REPOSITORY FOLDER FILE…

Downloads the files into FOLDER over plain HTTP, each as FILE.part until it is complete, and
resumes from the parts that are there (huggingface_hub's own download starts over). On failure
the last line of stderr is the reason.
"""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
from huggingface_hub import get_token, hf_hub_url

ATTEMPTS = 4
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_CHUNK_BYTES = 1 << 18


def download(client: httpx.Client, url: str, target: Path) -> None:
    """Fetch one file; a transfer that breaks off is continued, `ATTEMPTS` times at most."""
    if target.exists():
        return
    part = target.with_name(target.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue(client, url, part)
            break
        except httpx.TransportError:
            if attempt == ATTEMPTS:
                raise
    part.replace(target)


def _continue(client: httpx.Client, url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    # Asking from the last byte on, not after it, keeps a finished part from being an error.
    start = max(0, have - 1)
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"} if start else {}
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise httpx.ReadError("the part was longer than the file")
        answer.raise_for_status()
        with part.open("r+b" if have else "wb") as file:
            file.seek(start if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0)
            file.truncate()
            for chunk in answer.iter_bytes(_CHUNK_BYTES):
                file.write(chunk)
                file.flush()


def main(endpoint: str, repository: str, folder: str, *files: str) -> int:
    """Download; 0 when everything is there."""
    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(headers=headers, timeout=_TIMEOUT, follow_redirects=True) as client:
            for file in files:
                url = hf_hub_url(repository, file, endpoint=endpoint)
                download(client, url, Path(folder) / file)
    except httpx.HTTPStatusError as error:
        print(f"HTTP {error.response.status_code} for {error.request.url.path}", file=sys.stderr)
        return 1
    except (httpx.HTTPError, OSError) as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
