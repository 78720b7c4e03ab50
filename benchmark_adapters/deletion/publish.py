"""Publish an unlearned checkpoint on the Hub: one commit, or one pull request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark_adapters.deletion.judgement import accepted, outcome
from benchmark_adapters.deletion.receipt import RECEIPT, check_receipt, file_hashes, read_receipt
from benchmark_adapters.hub.access import REPOSITORY, HubError
from benchmark_adapters.hub.push import broken_uploads, pushed
from benchmark_adapters.originals.checkpoints import WEIGHTS
from benchmark_adapters.originals.weight_files import SUFFIXES

_DESCRIPTION = """{what} with {method}, from {original}.

`{receipt}` is the receipt; `suli receipt verify` computes its hashes again.{removed}"""


@dataclass(frozen=True)
class Published:
    """Where a checkpoint went. revision: the 40-hex commit, or `refs/pr/N` of a pull request.

    url: of the repository's commit or of the pull request. pull_request: its number. changed:
    False if the very same checkpoint was there already.
    """

    repository: str
    revision: str
    url: str
    pull_request: int | None = None
    changed: bool = True


def publish(
    folder: Path,
    repository: str,
    *,
    private: bool = False,
    create_pr: bool = False,
    force: bool = False,
    token: str | None = None,
) -> Published:
    """Push a whole checkpoint to a model repository, which is made if it is not there.

    Other weights in the repository are removed in the same commit, since they still hold what
    was forgotten. A checkpoint that is there already, or proposed in an open pull request, is
    not pushed twice. force: replace another model on the main branch. Raises ValueError for a
    folder that is not whole and for another model that is there, HubError where the Hub refuses
    or can't be reached.
    """
    check_repository(repository)
    receipt = checked_checkpoint(folder)
    push = _Push(folder, repository, receipt, private, create_pr, force, token)
    with _remedy(repository, create_pr):
        return pushed(repository, push, token=token)


def check_repository(repository: str) -> None:
    """Raise ValueError for what can't be the name of a repository."""
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"a repository is named org/name, got {repository!r}")


def checked_checkpoint(folder: Path) -> dict[str, Any]:
    """The receipt of a folder that is as it was written. Raises ValueError if it is not."""
    receipt = read_receipt(folder)
    try:
        check_receipt(receipt)
    except ValueError as error:
        raise ValueError(f"{folder / RECEIPT}: {error}; not published") from error
    wanted = {**receipt["files"], WEIGHTS: receipt["result"]["sha256"]}
    found = file_hashes(folder, besides=(RECEIPT,))
    if not accepted(receipt):
        raise ValueError(
            f"{folder} is {outcome(receipt)}; not published (unlearn again, and accept such an "
            f"outcome with --at-most)"
        )
    differing = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    if differing:
        raise ValueError(
            f"{folder} is not as its receipt says: {', '.join(differing)}; not published"
        )
    return receipt


@dataclass(frozen=True)
class _Push:
    """One attempt, which finds what an earlier one did."""

    folder: Path
    repository: str
    receipt: dict[str, Any]
    private: bool
    create_pr: bool
    force: bool
    token: str | None

    def __call__(self) -> Published:
        from huggingface_hub import HfApi

        api = HfApi(token=self.token)
        api.create_repo(self.repository, private=self.private, exist_ok=True)
        head = api.model_info(self.repository, files_metadata=True)
        page = f"{api.endpoint}/{self.repository}"
        if self._is_at(api, str(head.sha)):
            return Published(
                self.repository, str(head.sha), f"{page}/commit/{head.sha}", changed=False
            )
        if self.create_pr:
            return self._proposed(api) or self._commit(api, head)
        self._check_free(head)
        return self._commit(api, head)

    @property
    def title(self) -> str:
        """The same for the same checkpoint, so that a proposal is found again."""
        return f"Unlearn {_what(self.receipt)} [receipt {self.receipt['digest'][:12]}]"

    def _proposed(self, api: Any) -> Published | None:
        """The open pull request with this checkpoint, if there is one."""
        for pull in api.get_repo_discussions(
            self.repository, discussion_type="pull_request", discussion_status="open"
        ):
            revision = f"refs/pr/{pull.num}"
            if pull.title == self.title and self._is_at(api, revision):
                return Published(self.repository, revision, pull.url, pull.num, changed=False)
        return None

    def _is_at(self, api: Any, revision: str) -> bool:
        """Whether the files at a revision are those of the receipt."""
        info = api.model_info(self.repository, revision=revision, files_metadata=True)
        there = {file.rfilename: file.lfs["sha256"] if file.lfs else None for file in info.siblings}
        if there.get(WEIGHTS) != self.receipt["result"]["sha256"] or RECEIPT not in there:
            return False
        found = api.hf_hub_download(self.repository, RECEIPT, revision=info.sha)
        return Path(found).read_bytes() == (self.folder / RECEIPT).read_bytes()

    def _check_free(self, head: Any) -> None:
        weights = _weights(head)
        if weights and not self.force:
            raise ValueError(
                f"{self.repository} holds another model ({', '.join(weights)}); propose this one "
                f"with --create-pr, or replace that with --force"
            )

    def _commit(self, api: Any, head: Any) -> Published:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        stale = [name for name in _weights(head) if name != WEIGHTS]
        operations = [
            *(CommitOperationAdd(_name(path, self.folder), path) for path in paths),
            *map(CommitOperationDelete, stale),
        ]
        with broken_uploads():
            commit = api.create_commit(
                self.repository,
                operations,
                commit_message=self.title,
                commit_description=self._description(stale),
                create_pr=self.create_pr,
            )
        if not self.create_pr:
            return Published(self.repository, commit.oid, str(commit.commit_url))
        return Published(
            self.repository, str(commit.pr_revision), str(commit.pr_url), commit.pr_num
        )

    def _description(self, stale: list[str]) -> str:
        receipt, original = self.receipt, self.receipt["original"]
        removed = (
            f"\n\nRemoved, since it still holds what was forgotten: {', '.join(stale)}. The "
            f"history of this repository still has it."
        )
        return _DESCRIPTION.format(
            what=f"{receipt['forget_set']['count']} samples were forgotten",
            method=receipt["record"]["method"],
            original=original["source"] + (f"@{original['commit']}" if original["commit"] else ""),
            receipt=RECEIPT,
            removed=removed if stale else "",
        )


@contextmanager
def _remedy(repository: str, create_pr: bool) -> Iterator[None]:
    """Say what to do where the right to write is missing."""
    try:
        yield
    except HubError as error:
        if error.status == 403 and not create_pr:
            raise HubError(
                f"{repository}: you have no right to write there; pass --create-pr to propose it "
                f"as a pull request"
            ) from error
        raise


def _weights(head: Any) -> list[str]:
    """The files of weights at the top of a repository."""
    names = [PurePosixPath(file.rfilename) for file in head.siblings]
    return sorted(str(name) for name in names if name.suffix in SUFFIXES and len(name.parts) == 1)


def _what(receipt: dict[str, Any]) -> str:
    forgotten = receipt["forget_set"]
    return ", ".join(forgotten["class_names"]) or f"{forgotten['count']} samples"


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
