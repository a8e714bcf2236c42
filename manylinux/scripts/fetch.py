"""Download a file and check its SHA-256: fetch.py URL SHA256 DEST.

Exits 3 when it cannot be reached, 4 when it is not what was pinned; DEST is then not written.
"""

import hashlib
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CA = Path("/run/secrets/ca")
ATTEMPTS = 3
SECONDS = 20
SERVER_ERROR = 500


def main() -> int:
    url, wanted, dest = sys.argv[1:]
    context = ssl.create_default_context(cafile=CA if CA.exists() else None)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=SECONDS, context=context) as answer:  # noqa: S310 - a pinned address
                content = answer.read()
            break
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code < SERVER_ERROR:
                return fail(3, f"{url} cannot be fetched: {reason}")
        except OSError as error:
            reason = str(getattr(error, "reason", error))
        if attempt == ATTEMPTS:
            return fail(3, f"{url} cannot be fetched: {reason}")
        time.sleep(attempt)
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        return fail(4, f"{url} has not the pinned SHA-256:\n  wanted {wanted}\n  found  {found}\nnothing was installed")
    Path(dest).write_bytes(content)
    return 0


def fail(status: int, text: str) -> int:
    print(f"wheelkiln: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
