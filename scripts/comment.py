"""Write a text as a comment of a pull request on GitHub; later runs edit the same comment.

If the token has no write access, as for a pull request from a fork, it says so and succeeds.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# Invisible on the page; the next run finds its own comment by it.
MARKER = "<!-- mien: changes -->"
# GitHub's own limit.
LONGEST = 65_536


def main() -> None:
    """Create the comment, or edit the one that an earlier run made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="Markdown to show")
    parser.add_argument("number", type=int, help="of the pull request")
    given = parser.parse_args()
    body = f"{MARKER}\n{given.file.read_text(encoding='utf-8')}"
    if len(body) > LONGEST:
        end = "\n\nThe rest is in the job's summary.\n"
        body = body[: LONGEST - len(end)] + end
    repository = os.environ["GITHUB_REPOSITORY"]
    try:
        old = earlier(f"repos/{repository}/issues/{given.number}/comments")
        if old is None:
            ask("POST", f"repos/{repository}/issues/{given.number}/comments", {"body": body})
        else:
            ask("PATCH", f"repos/{repository}/issues/comments/{old}", {"body": body})
    except urllib.error.HTTPError as error:
        if error.code != 403:
            sys.exit(f"comment: GitHub answered {error.code} {error.reason} for {error.url}")
        print("comment: this token may not write; the job's summary tells the same")
    except urllib.error.URLError as error:
        sys.exit(f"comment: GitHub cannot be reached: {error.reason}")
    else:
        print("comment: created" if old is None else "comment: edited")


def earlier(path: str) -> int | None:
    """Return the id of the comment that an earlier run made, if there is one."""
    page = 1
    while comments := ask("GET", f"{path}?per_page=100&page={page}"):
        for comment in comments:
            # Anyone can write the marker, but only the bot's own comment can be edited.
            if comment["body"].startswith(MARKER) and comment["user"]["type"] == "Bot":
                return int(comment["id"])
        page += 1
    return None


def ask(method: str, path: str, content: dict[str, str] | None = None) -> Any:
    """Return GitHub's answer to one request."""
    # GitHub sets the address.
    request = urllib.request.Request(  # noqa: S310
        f"{os.environ['GITHUB_API_URL']}/{path}",
        data=json.dumps(content).encode() if content else None,
        method=method,
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    main()
