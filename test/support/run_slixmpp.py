"""run_slixmpp.py RESULT [NAME...]: runs the tests from outside, or those that are
named: test_smoke, or test_smoke.Smoke.test_a_post_reaches_a_friend. Writes
"PASSED FAILED" to the file RESULT."""

from __future__ import annotations

import logging
import sys
import unittest
from pathlib import Path
from typing import Sequence

TESTS = Path(__file__).resolve().parents[1] / "slixmpp"


def main(result_file: Path, names: Sequence[str]) -> int:
    """Returns the exit status."""
    sys.path.insert(0, str(TESTS))
    # slixmpp logs what its tests expect; a failure shows what matters.
    logging.disable(logging.CRITICAL)
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else loader.discover(str(TESTS))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    # A skipped test did not pass; a test may fail in several of its parts.
    not_passed = {test.id().split(" ")[0] for test, _ in result.failures + result.errors + result.skipped}
    failed = len(not_passed) + len(result.unexpectedSuccesses)
    passed = max(result.testsRun - failed, 0)
    print(f"slixmpp: {passed} passed, {failed} failed")
    result_file.parent.mkdir(parents=True, exist_ok=True)
    result_file.write_text(f"{passed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
