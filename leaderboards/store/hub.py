"""A store in a dataset repository on the Hub: submissions come as pull requests, verdicts are
comments, and go to the main branch when the pull request is merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubError, HubSource, clearly
from benchmark_adapters.hub.files import HubFiles, hub_files
from benchmark_adapters.hub.push import broken_uploads, pushed
from leaderboards.claims.submission import EVIDENCE, Submission
from leaderboards.claims.verdict import Verdict
from leaderboards.store.aggregate import verdicts_of
from leaderboards.store.files import PendingFiles
from leaderboards.store.pull_requests import (
    Proposed,
    PullRequest,
    description,
    title,
)
from leaderboards.store.tables import aggregate_files

_KIND = "dataset"
_ATTEMPTS = 8


class HubStore:
    """A repository `org/name`, seen with a login. token: None for the one that is logged in."""

    def __init__(self, repository: str, token: Token = None) -> None:
        self.repository, self.token = repository, token

    def files(self, revision: str = "main") -> HubFiles:
        """The files at a revision as it is now. Raises HubError."""
        source = HubSource(self.repository, revision)
        return hub_files(source, self.token, kind="dataset")

    @cached_property
    def me(self) -> str:
        """The name of the login. Raises HubError where there is none."""
        return str(self._ask(self.api.whoami)["name"])

    @cached_property
    def api(self) -> Any:
        """The Hub's client."""
        from huggingface_hub import HfApi

        return HfApi(token=self.token)

    def propose(self, submissions: list[Submission], files: Mapping[str, bytes | Path]) -> Proposed:
        """Open a pull request, or bring one's own for this board up to date.

        What is there already, on the main branch or in the pull request, is not sent again.
        """

        def attempt() -> Proposed:
            pull = self._own_pull(title(submissions[0], self.me))
            revision = "main" if pull is None else f"refs/pr/{pull.num}"
            operations = self._operations(self.files(revision), submissions, files)
            page = f"{self.api.endpoint}/datasets/{self.repository}"
            if not operations:
                number = None if pull is None else int(pull.num)
                return Proposed(self.repository, page if pull is None else pull.url, number, False)
            with broken_uploads():
                commit = self.api.create_commit(
                    self.repository,
                    operations,
                    repo_type=_KIND,
                    revision=None if pull is None else revision,
                    commit_message=title(submissions[0], self.me),
                    commit_description=description(submissions),
                    create_pr=pull is None,
                )
            if pull is not None:
                return Proposed(self.repository, pull.url, int(pull.num), True)
            return Proposed(self.repository, str(commit.pr_url), int(commit.pr_num), True)

        return pushed(self.repository, attempt, token=self.token)

    def pull_request(self, number: int) -> PullRequest:
        """An open pull request as it is now. Raises HubError; ValueError for any other thread."""
        details = self._details(number)
        if not details.is_pull_request or details.status not in ("open", "draft"):
            what = f"a {details.status} pull request" if details.is_pull_request else "a discussion"
            raise ValueError(f"{self.repository}: {number} is {what}, not an open pull request")
        head = self.files(f"refs/pr/{number}")
        return PullRequest(
            number, str(details.author), details.status, head, self._base(number), self.files()
        )

    def is_merged(self, number: int) -> bool:
        """Whether a pull request is on the main branch."""
        return bool(self._details(number).status == "merged")

    def comment(self, number: int, text: str) -> None:
        """Comment on a pull request, unless that very text stands there already."""
        said = [getattr(event, "content", None) for event in self._details(number).events]
        if text not in said:
            self._ask(
                lambda: self.api.comment_discussion(self.repository, number, text, repo_type=_KIND),
                once=True,
            )

    def merge(self, pull: PullRequest) -> None:
        """Merge a pull request that is still as it was verified.

        Raises HubError if it changed meanwhile, and says which commit to revert if that happened
        at the last moment.
        """
        if self.pull_request(pull.number).head.commit != pull.head.commit:
            raise HubError(f"pull request {pull.number} has changed since it was verified")
        if pull.status == "draft":
            self._ask(
                lambda: self.api.change_discussion_status(
                    self.repository, pull.number, "open", repo_type=_KIND
                )
            )
        self._ask(
            lambda: self.api.merge_pull_request(self.repository, pull.number, repo_type=_KIND),
            once=True,
        )
        if self.files(f"refs/pr/{pull.number}").commit != pull.head.commit:
            raise HubError(
                f"pull request {pull.number} changed while it was merged: look at what came with "
                f"it, and verify {self.repository} again"
            )

    def put_verdicts(self, verdicts: Sequence[tuple[Submission, Verdict]]) -> None:
        """Add verdicts and make the tables anew, on the main branch, in one commit."""
        self._commit(lambda files: _with_verdicts(files, verdicts), "Verdicts")

    def rebuild(self) -> None:
        """Make the tables of the main branch anew."""
        self._commit(lambda files: {}, "Tables")

    def _commit(self, changes: Callable[[HubFiles], Mapping[str, bytes]], message: str) -> None:
        """Commit to the main branch what follows from its files, again if others were faster."""

        def attempt() -> bool:
            from huggingface_hub import CommitOperationAdd

            files = self.files()
            new = dict(changes(files))
            new |= aggregate_files(PendingFiles(new, files))
            new = {path: data for path, data in new.items() if not _is_there(files, path, data)}
            if not new:
                return True
            try:
                self.api.create_commit(
                    self.repository,
                    [CommitOperationAdd(path, data) for path, data in new.items()],
                    repo_type=_KIND,
                    commit_message=message,
                    parent_commit=files.commit,
                )
            except Exception as error:
                if getattr(getattr(error, "response", None), "status_code", None) == 412:
                    return False
                raise
            return True

        for _ in range(_ATTEMPTS):
            if pushed(self.repository, attempt, token=self.token):
                return
        raise HubError(f"{self.repository}: others keep committing at the same time; try again")

    def _own_pull(self, title: str) -> Any:
        """The open pull request of that title by the login, if there is one."""
        pulls = self.api.get_repo_discussions(
            self.repository,
            repo_type=_KIND,
            author=self.me,
            discussion_type="pull_request",
            discussion_status="open",
        )
        return next((pull for pull in pulls if pull.title == title), None)

    def _operations(
        self, there: HubFiles, submissions: list[Submission], files: Mapping[str, bytes | Path]
    ) -> list[Any]:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        folders = tuple(f"{EVIDENCE}/{submission.id}/" for submission in submissions)
        stale = [path for path in there.names if path.startswith(folders) and path not in files]
        new = {path: of for path, of in files.items() if not _is_there(there, path, of)}
        return [
            *(CommitOperationAdd(path, source) for path, source in new.items()),
            *map(CommitOperationDelete, sorted(stale)),
        ]

    def _base(self, number: int) -> HubFiles:
        """Where a pull request left the main branch: the newest commit that both have."""
        main = self._commits("main")
        known = set(main)
        both = next(
            (each for each in self._commits(f"refs/pr/{number}") if each in known), main[-1]
        )
        return self.files(both)

    def _commits(self, revision: str) -> list[str]:
        found = self._ask(
            lambda: self.api.list_repo_commits(self.repository, repo_type=_KIND, revision=revision)
        )
        return [str(commit.commit_id) for commit in found]

    def _details(self, number: int) -> Any:
        return self._ask(
            lambda: self.api.get_discussion_details(self.repository, number, repo_type=_KIND)
        )

    def _ask(self, work: Callable[[], Any], *, once: bool = False) -> Any:
        return clearly(self.repository, work, token=self.token, once=once)


def _with_verdicts(
    files: HubFiles, verdicts: Sequence[tuple[Submission, Verdict]]
) -> Mapping[str, bytes]:
    """The verdicts' files with those that are not in them yet."""
    new = {}
    for submission, verdict in verdicts:
        known = verdicts_of(files, submission)
        if verdict not in known.verdicts:
            new[known.path] = known.with_verdict(verdict).to_bytes()
    return new


def _is_there(files: HubFiles, path: str, source: bytes | Path) -> bool:
    """Whether a repository has these very bytes; small files are named by git's hash."""
    known = files.hashes.get(path)
    if known is None:
        return False
    data = source if isinstance(source, bytes) else source.read_bytes()
    if len(known) == 64:
        return hashlib.sha256(data).hexdigest() == known
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == known
