"""A pull request with submissions: what it changes, and what speaks against it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from benchmark_adapters.hub.files import HubFiles
from benchmark_adapters.records.record import canonical
from leaderboards.claims.submission import EVIDENCE, FOLDER, Submission
from leaderboards.store.files import MergedFiles, StoreFiles


@dataclass(frozen=True)
class Proposed:
    """A pull request. changed: False if the very same submissions were there already.

    pull_request: its number; None where they are on the main branch.
    """

    repository: str
    url: str
    pull_request: int | None
    changed: bool


@dataclass(frozen=True)
class PullRequest:
    """An open pull request as it is now.

    head, base: its files, and those it was made from. main: those of the main branch now.
    """

    number: int
    author: str
    status: str
    head: HubFiles
    base: HubFiles
    main: HubFiles

    @property
    def files(self) -> StoreFiles:
        """The store as it will be after the merge."""
        return MergedFiles(frozenset(self.changed), self.head, self.main)

    @property
    def submissions(self) -> list[str]:
        """The ids of the submissions that it adds or changes."""
        return sorted(
            path.removeprefix(f"{FOLDER}/").removesuffix(".json")
            for path in self.changed
            if path.startswith(f"{FOLDER}/") and path in self.head.names
        )

    @property
    def changed(self) -> list[str]:
        """The paths that it adds, changes or removes."""
        return changed_paths(self.base, self.head)

    def reasons_against(self) -> list[str]:
        """Which paths are not its author's to change."""
        own = self.submissions
        allowed = {f"{FOLDER}/{each}.json" for each in own}
        folders = tuple(f"{EVIDENCE}/{each}/" for each in own)
        return [
            f"it changes {path!a:.120}, which is no part of a submission of its own"
            for path in self.changed
            if path not in allowed and not path.startswith(folders)
        ] or ([] if own else ["it holds no submission"])


def changed_paths(before: HubFiles, after: HubFiles) -> list[str]:
    """The paths whose bytes differ between two revisions, or that only one has."""
    paths = before.names | after.names
    return sorted(path for path in paths if before.hashes.get(path) != after.hashes.get(path))


def title(submission: Submission, submitter: str) -> str:
    """The same for all that one submits to a board, so that the pull request is found again."""
    key = hashlib.sha256(canonical([submission.board, submitter]).encode()).hexdigest()
    return f"Submission to {submission.board} [{key[:12]}]"


def description(submissions: Iterable[Submission]) -> str:
    """What a pull request with these submissions says of itself."""
    named = "\n".join(f"- {each.method}: `{each.id}`" for each in submissions)
    return f"{named}\n\nCheck it with `suli leaderboard verify`."
