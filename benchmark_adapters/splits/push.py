"""Push a split to a dataset repository on the Hub, in one commit or as a pull request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubError, clearly
from benchmark_adapters.splits.split import Split
from benchmark_adapters.splits.stored import card_with, check_name, split_files

_ATTEMPTS = 3


@dataclass(frozen=True)
class Pushed:
    """Where a split went. revision: the 40-hex commit. pull_request: its address, if it is one.

    changed: False if the repository held the very same split already.
    """

    repository: str
    name: str
    revision: str
    url: str
    pull_request: str | None = None
    changed: bool = True


def push_split(
    split: Split,
    repository: str,
    *,
    private: bool = False,
    create_pr: bool = False,
    force: bool = False,
    token: Token = None,
) -> Pushed:
    """Add the split as a config of the dataset repository, which is made if it is not there.

    create_pr: propose it to a repository that must exist. A base folder's path is not published,
    only its name. Raises ValueError if the repository has another split of that name, unless
    `force`, and HubError where the Hub refuses or can't be reached.
    """
    from huggingface_hub import HfApi

    check_name(split.name)
    api = HfApi(token=token)

    def push() -> Pushed:
        if not create_pr:
            api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        for _ in range(_ATTEMPTS):
            pushed = _try_to_push(api, split, repository, create_pr, force)
            if pushed is not None:
                return pushed
        raise HubError(f"{repository}: others keep committing at the same time; try again")

    return clearly(repository, push, token=token)


def _try_to_push(
    api: Any, split: Split, repository: str, create_pr: bool, force: bool
) -> Pushed | None:
    """One attempt; None if someone else committed at the same time."""
    head = api.repo_info(repository, repo_type="dataset").sha
    before = _file_at(api, repository, f"{split.name}/split.json", head)
    if before is not None and json.loads(before).get("sha256") == split.sha256:
        url = f"{api.endpoint}/datasets/{repository}"
        return Pushed(repository, split.name, head, url, changed=False)
    if before is not None and not force:
        raise ValueError(
            f"{repository} has another split {split.name!r}; choose another name, or force it"
        )
    operations = _operations(api, split, repository, head)
    try:
        commit = clearly(
            repository,
            lambda: api.create_commit(
                repository,
                operations,
                commit_message=f"Add the split {split.name}",
                repo_type="dataset",
                create_pr=create_pr,
                parent_commit=head,
            ),
            token=api.token,
            once=create_pr,
        )
    except HubError as error:
        if error.status == 412:
            return None
        raise
    return Pushed(repository, split.name, commit.oid, str(commit.repo_url), commit.pr_url)


def _operations(api: Any, split: Split, repository: str, head: str) -> list[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = {
        f"{split.name}/{name}": content
        for name, content in split_files(split, hide_path=True).items()
    }
    readme = _file_at(api, repository, "README.md", head)
    card = card_with(None if readme is None else readme.decode(), split, repository)
    stale = f"{split.name}/test.parquet"
    gone = stale not in files and api.file_exists(
        repository, stale, repo_type="dataset", revision=head
    )
    return [
        *(CommitOperationAdd(name, content) for name, content in files.items()),
        CommitOperationAdd("README.md", card.encode()),
        *([CommitOperationDelete(stale)] if gone else []),
    ]


def _file_at(api: Any, repository: str, path: str, revision: str) -> bytes | None:
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        found = api.hf_hub_download(repository, path, repo_type="dataset", revision=revision)
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):
            # Not missing there, only not reached.
            raise
        return None
    return Path(found).read_bytes()
