"""Look up known vulnerabilities of requirements.txt; exit code 1 if a fixed release exists.

    python scripts/advisories.py

Needs pip-audit and PyPI. Packages that cannot be looked up are reported, but are not a failure,
because checks of a change should not depend on an external server. Vulnerabilities without a fixed
release are not a failure either.
"""

import json
import subprocess
import sys

AUDIT = ("--requirement", "requirements.txt", "--no-deps", "--disable-pip", "--format", "json")


def main() -> None:
    """Print a line for each known vulnerability, and a summary."""
    command = [sys.executable, "-m", "pip_audit", *AUDIT, "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"advisories: not looked up: {reason}", file=sys.stderr)
        return
    asked = [package for package in packages if "skip_reason" not in package]
    mended = 0
    for package in asked:
        for fault in package["vulns"]:
            releases = ", ".join(fault["fix_versions"])
            mended += bool(releases)
            print(
                f"{package['name']} {package['version']}: {fault['id']}, "
                f"fixed in {releases or 'no release yet'}"
            )
    missed = len(packages) - len(asked)
    print(f"advisories: {len(asked)} packages looked up, {missed} could not be", file=sys.stderr)
    if mended:
        sys.exit(f"advisories: {mended} have a fix; run `make lock UPGRADE=1` and the tests")


if __name__ == "__main__":
    main()
