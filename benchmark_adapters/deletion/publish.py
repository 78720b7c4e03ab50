"""Publish an unlearned checkpoint on the Hub: one commit, or one pull request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark_adapters.deletion.checkpoint_checks import checked_checkpoint
from benchmark_adapters.deletion.checkpoint_files import (
    AUDIT,
    CARD,
    RECEIPT,
    SIGNATURE,
    checkpoint_files,
)
from benchmark_adapters.deletion.judgement import outcome
from benchmark_adapters.deletion.model_card import placed
from benchmark_adapters.deletion.wording import counted, forgotten_named
from benchmark_adapters.hub.access import REPOSITORY, HubError
from benchmark_adapters.hub.left_behind import left_behind
from benchmark_adapters.hub.push import broken_uploads, pushed
from benchmark_adapters.originals.checkpoints import WEIGHTS

_DESCRIPTION = """{what} to be forgotten with {method}, from {original}. The outcome is {outcome}.

`{receipt}` is the receipt; `suli receipt verify {repository}` computes it again.{removed}"""


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
    sign: Callable[[Path], None] = lambda folder: None,
    token: str | None = None,
) -> Published:
    """Push a whole checkpoint to a model repository, which is made if it is not there.

    Whatever else may hold weights in the repository is removed in the same commit, since it
    still holds what was forgotten (see `left_behind`). The model card names the repository; the
    folder's own stays as it is. A checkpoint that is there already, or proposed in an open pull
    request, is not pushed twice. A commit is made on top of what was looked at: if another comes
    between, this one is made anew on top of that, by the same rules.

    sign: signs the folder first. force: replace another model on the main branch. Raises
    ValueError for a folder that is not whole and for another model that is there, HubError where
    the Hub refuses or can't be reached.
    """
    check_repository(repository)
    receipt = checked_checkpoint(folder)
    sign(folder)
    push = _Push(folder, repository, receipt, private, create_pr, force, token)
    with _remedy(repository, create_pr):
        return pushed(repository, push, token=token)


def check_repository(repository: str) -> None:
    """Raise ValueError for what can't be the name of a repository."""
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"a repository is named org/name, got {repository!r}")


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
        head = self._info(api)
        stale = left_behind(head, self.files, self.token)
        if not stale and self._is_at(api, head):
            url = f"{api.endpoint}/{self.repository}/commit/{head.sha}"
            return Published(self.repository, str(head.sha), url, changed=False)
        if self.create_pr:
            return self._proposed(api) or self._proposal(api, head, stale)
        self._check_free(head, stale)
        commit = self._commit(api, head, stale)
        return Published(self.repository, commit.oid, str(commit.commit_url))

    @cached_property
    def files(self) -> dict[str, Path | bytes]:
        """What is pushed, by its path there: the folder's files, the card as it is there."""
        files: dict[str, Path | bytes] = {
            name: self.folder / name for name in checkpoint_files(self.folder)
        }
        text = (self.folder / CARD).read_text(encoding="utf-8")
        return {**files, CARD: placed(text, self.repository).encode()}

    @property
    def title(self) -> str:
        """The same for the same checkpoint, so that a proposal is found again."""
        what = forgotten_named(self.receipt["forget_set"])
        return f"Unlearn {what} [receipt {self.receipt['digest'][:12]}]"

    def _info(self, api: Any, revision: str | None = None) -> Any:
        return api.model_info(self.repository, revision=revision, files_metadata=True)

    def _proposals(self, api: Any) -> list[Any]:
        """The open pull requests for this checkpoint, the oldest first."""
        pulls = api.get_repo_discussions(
            self.repository, discussion_type="pull_request", discussion_status="open"
        )
        same = (pull for pull in pulls if pull.title == self.title)
        return sorted(same, key=lambda pull: pull.num)

    def _proposed(self, api: Any) -> Published | None:
        """The oldest open pull request with this very checkpoint, if there is one."""
        for pull in self._proposals(api):
            revision = f"refs/pr/{pull.num}"
            if self._is_at(api, self._info(api, revision)):
                return Published(self.repository, revision, pull.url, pull.num, changed=False)
        return None

    def _proposal(self, api: Any, head: Any, stale: list[str]) -> Published:
        """A new pull request, unless another with the same was opened meanwhile: that one then."""
        commit = self._commit(api, head, stale)
        first = self._proposed(api)
        if first is not None and first.pull_request != commit.pr_num:
            api.change_discussion_status(
                self.repository, commit.pr_num, "closed",
                comment=f"The same as #{first.pull_request}.",
            )  # fmt: skip
            return first
        return Published(
            self.repository, str(commit.pr_revision), str(commit.pr_url), commit.pr_num
        )

    def _is_at(self, api: Any, info: Any) -> bool:
        """Whether the files at a revision are those that would be pushed."""
        there = {file.rfilename: file.lfs["sha256"] if file.lfs else None for file in info.siblings}
        if there.get(WEIGHTS) != self.receipt["result"]["sha256"] or self.files.keys() - there:
            return False
        return all(
            Path(api.hf_hub_download(self.repository, name, revision=info.sha)).read_bytes()
            == _bytes(self.files[name])
            for name in (RECEIPT, CARD, SIGNATURE, AUDIT)
            if name in self.files
        )

    def _check_free(self, head: Any, stale: list[str]) -> None:
        there = {file.rfilename for file in head.siblings}
        weights = sorted({*stale, *(there & {WEIGHTS})})
        if weights and not self.force:
            raise ValueError(
                f"{self.repository} holds another model ({', '.join(weights)}); propose this one "
                f"with --create-pr, or replace that with --force"
            )

    def _commit(self, api: Any, head: Any, stale: list[str]) -> Any:
        """One commit on top of `head` and of nothing else."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations = [
            *(CommitOperationAdd(name, content) for name, content in self.files.items()),
            *map(CommitOperationDelete, stale),
        ]
        with broken_uploads():
            return api.create_commit(
                self.repository,
                operations,
                commit_message=self.title,
                commit_description=self._description(stale),
                create_pr=self.create_pr,
                parent_commit=head.sha,
            )

    def _description(self, stale: list[str]) -> str:
        receipt, original = self.receipt, self.receipt["original"]
        removed = (
            f"\n\nRemoved, since it may still hold what was forgotten: {', '.join(stale)}. The "
            f"history of this repository still has it."
        )
        return _DESCRIPTION.format(
            what=counted(receipt["forget_set"]["count"], "sample"),
            outcome=outcome(receipt),
            method=receipt["record"]["method"],
            original=original["source"] + (f"@{original['commit']}" if original["commit"] else ""),
            receipt=RECEIPT,
            repository=self.repository,
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


def _bytes(content: Path | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()
