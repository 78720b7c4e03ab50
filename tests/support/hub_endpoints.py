"""What each address of the test hub answers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from hub_repository import (
    MAIN,
    Commit,
    Content,
    Discussion,
    Refusal,
    Repository,
    belongs_in_lfs,
    unified_diff,
)

if TYPE_CHECKING:
    from hub_server import HubServer

Json = dict[str, Any] | list[Any]
_OPEN_STATUSES = ("open", "draft")
_DISCUSSIONS_PER_PAGE = 10


@dataclass(frozen=True)
class User:
    """Someone with a token, and the namespaces they may write to."""

    name: str
    namespaces: frozenset[str]
    everywhere: bool = False

    def may_write(self, repo_id: str) -> bool:
        """Say whether this user may write to a repository."""
        return self.everywhere or repo_id.split("/")[0] in self.namespaces


@dataclass
class Request:
    """A request that arrived completely; `path` is still percent-quoted."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Message
    body: bytes
    user: User | None = None

    def parameter(self, name: str, default: str = "") -> str:
        """Return one query parameter."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """Say whether a query parameter is switched on."""
        return self.parameter(name).lower() in ("1", "true")

    def json(self) -> Any:
        """Return the body as JSON; an empty body is an empty object."""
        return json.loads(self.body or b"{}")

    def login(self) -> User:
        """Return the user, or refuse an anonymous request."""
        if self.user is None:
            raise Refusal(401, "Invalid username or password.")
        return self.user

    def writer(self, repo: Repository, author: str | None = None) -> User:
        """Return the user if they may write; `author` may, to a thread of their own."""
        user = self.login()
        if user.may_write(repo.repo_id) or user.name == author:
            return user
        raise Refusal(403, "You have no write access: pass `create_pr=1` to open a Pull Request")


@dataclass
class Answer:
    """An answer before it is sent: a range of some content, and headers."""

    content: Content
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    start: int = 0
    stop: int | None = None

    @property
    def end(self) -> int:
        """Where the range ends."""
        return self.content.size if self.stop is None else self.stop


_routes: list[tuple[str, re.Pattern[str], Callable[..., Answer | Json]]] = []
_API = r"/api/(?P<kind>models|datasets|spaces)/(?P<repo_id>[^/]+/[^/]+)"
_PAGE = r"/(?:(?P<kind>datasets|spaces)/)?(?P<repo_id>[^/]+/[^/]+)"


def _route(method: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        _routes.append((method, re.compile(pattern), endpoint))
        return endpoint

    return register


def dispatch(hub: HubServer, request: Request) -> Answer:
    """Find the endpoint for a request and return what it answers."""
    method = "GET" if request.method == "HEAD" else request.method
    for expected, pattern, endpoint in _routes:
        # Matching the quoted path keeps the slashes inside a revision apart from the others.
        if expected == method and (found := pattern.fullmatch(request.path)):
            parts: dict[str, Any] = {
                name: unquote(value) for name, value in found.groupdict("").items()
            }
            if "repo_id" in parts:
                parts["repo"] = _visible_repo(hub, request, parts.pop("kind"), parts.pop("repo_id"))
            answer = endpoint(hub, request, **parts)
            return answer if isinstance(answer, Answer) else _json(answer)
    raise Refusal(404, f"The test hub has no {request.method} {request.path}")


def _json(value: Json, **headers: str) -> Answer:
    body = Content(json.dumps(value).encode())
    return Answer(body, headers={"Content-Type": "application/json", **headers})


def _visible_repo(hub: HubServer, request: Request, plural: str, repo_id: str) -> Repository:
    repo = hub.repositories.get((plural.removesuffix("s") or "model", repo_id))
    if repo and (not repo.private or _is_reader(request.user, repo)):
        return repo
    # An anonymous stranger learns nothing, not even that the name is free.
    raise Refusal(404 if request.user else 401, "Repository not found", "RepoNotFound")


def _is_reader(user: User | None, repo: Repository) -> bool:
    return user is not None and (user.name in repo.readers or user.may_write(repo.repo_id))


def _pass_gate(request: Request, repo: Repository) -> None:
    if repo.gated and not _is_reader(request.user, repo):
        status = 403 if request.user else 401
        raise Refusal(status, f"Access to {repo.repo_id} is restricted", "GatedRepo")


# --- users and repositories -----------------------------------------------------------------


@_route("GET", "/api/whoami-v2")
def _whoami(hub: HubServer, request: Request) -> Json:
    user = request.login()
    orgs = [{"name": name} for name in sorted(user.namespaces - {user.name})]
    token = {"displayName": "test", "role": "write"}
    auth = {"type": "access_token", "accessToken": token}
    return {"type": "user", "name": user.name, "fullname": user.name, "orgs": orgs, "auth": auth}


@_route("POST", "/api/repos/create")
def _create_repo(hub: HubServer, request: Request) -> Json:
    user, wanted = request.login(), request.json()
    kind, repo_id = _wanted_repo(user, wanted)
    if existing := hub.repositories.get((kind, repo_id)):
        # The client reads the address from the refusal, too, when an existing one is fine.
        address = {"url": f"{hub.endpoint}/{existing.address}"}
        raise Refusal(409, f"You already created this {kind} repo", body=address)
    first = Commit({".gitattributes": Content(b"*.bin filter=lfs\n")}, "initial commit", user.name)
    private = wanted.get("visibility") == "private"
    repo = hub.repositories[kind, repo_id] = Repository(kind, repo_id, first, private=private)
    return {"url": f"{hub.endpoint}/{repo.address}", "name": repo_id}


@_route("DELETE", "/api/repos/delete")
def _delete_repo(hub: HubServer, request: Request) -> Json:
    key = _wanted_repo(request.login(), request.json())
    if hub.repositories.pop(key, None) is None:
        raise Refusal(404, "Repository not found", "RepoNotFound")
    return {}


def _wanted_repo(user: User, wanted: Mapping[str, Any]) -> tuple[str, str]:
    repo_id = f"{wanted.get('organization') or user.name}/{wanted['name']}"
    if not user.may_write(repo_id):
        raise Refusal(403, f"You don't have the rights to write under {repo_id.split('/')[0]}")
    return wanted.get("type") or "model", repo_id


@_route("PUT", f"{_API}/settings")
def _settings(hub: HubServer, request: Request, repo: Repository) -> Json:
    request.writer(repo)
    wanted = request.json()
    if "visibility" in wanted:
        repo.private = wanted["visibility"] == "private"
    repo.gated = wanted.get("gated", repo.gated)
    return {"private": repo.private, "gated": repo.gated}


@_route("GET", f"{_API}/auth-check")
def _auth_check(hub: HubServer, request: Request, repo: Repository) -> Json:
    _pass_gate(request, repo)
    return {}


@_route("POST", "/api/validate-yaml")
def _validate_yaml(hub: HubServer, request: Request) -> Json:
    return {"errors": [], "warnings": []}


@_route("GET", f"{_API}(?:/revision/(?P<revision>[^/]+))?")
def _repo_info(hub: HubServer, request: Request, repo: Repository, revision: str) -> Json:
    commit, details = repo.commit_at(revision or "main"), request.flag("blobs")
    siblings = [_sibling(path, content, details) for path, content in sorted(commit.files.items())]
    names = {"id": repo.repo_id, "author": repo.repo_id.split("/")[0], "sha": commit.sha}
    access = {"private": repo.private, "gated": repo.gated, "disabled": False}
    moments = {"createdAt": repo.created, "lastModified": commit.date}
    return {**names, **access, **moments, "siblings": siblings, "tags": [], "downloads": 0}


def _sibling(path: str, content: Content, details: bool) -> dict[str, Any]:
    if not details:
        return {"rfilename": path}
    sibling = {"rfilename": path, "size": content.size, "blobId": content.git_oid}
    if content.lfs:
        sibling["lfs"] = _lfs_facts(content)
    return sibling


# --- files ----------------------------------------------------------------------------------


def _entry(path: str, content: Content | None, commit: Commit | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file" if content else "directory", "path": path}
    if content is None:
        entry |= {"oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}
    else:
        entry |= {"oid": content.git_oid, "size": content.size}
    if content and content.lfs:
        entry["lfs"] = _lfs_facts(content)
    if commit:
        last = commit.last_change(path) if content else commit
        entry["lastCommit"] = {"id": last.sha, "title": last.title, "date": last.date}
    return entry


def _lfs_facts(content: Content) -> dict[str, Any]:
    # Two endpoints give the same fact two names.
    names = dict.fromkeys(("oid", "sha256"), content.sha256)
    return {**names, "size": content.size, "pointerSize": len(content.pointer)}


@_route("GET", f"{_API}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
def _tree(hub: HubServer, request: Request, repo: Repository, revision: str, folder: str) -> Answer:
    commit = repo.commit_at(revision)
    entries = list(commit.list_folder(folder, request.flag("recursive")).items())
    if folder and not entries:
        raise _missing_entry(folder, commit)
    first = int(request.parameter("cursor", "0"))
    last = first + hub.tree_page_size
    headers = {}
    if last < len(entries):
        query = {name: values[0] for name, values in request.query.items()} | {"cursor": last}
        headers["Link"] = f'<{hub.endpoint}{request.path}?{urlencode(query)}>; rel="next"'
    expanded = commit if request.flag("expand") else None
    page = [_entry(path, content, expanded) for path, content in entries[first:last]]
    return _json(page, **headers)


@_route("POST", f"{_API}/paths-info/(?P<revision>[^/]+)")
def _paths_info(hub: HubServer, request: Request, repo: Repository, revision: str) -> Json:
    commit = repo.commit_at(revision)
    form = parse_qs(request.body.decode())
    expanded = commit if form.get("expand", [""])[0].lower() == "true" else None
    entries = commit.list_folder("", recursive=True)
    known = [path for path in form.get("paths", []) if path in entries]
    return [_entry(path, entries[path], expanded) for path in known]


def _missing_entry(path: str, commit: Commit) -> Refusal:
    # The client remembers, per commit, that a file does not exist.
    known_at = {"X-Repo-Commit": commit.sha}
    return Refusal(404, f"Entry not found: {path}", "EntryNotFound", headers=known_at)


@_route("GET", f"{_PAGE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def _resolve(
    hub: HubServer, request: Request, repo: Repository, revision: str, path: str
) -> Answer:
    _pass_gate(request, repo)
    commit = repo.commit_at(revision)
    if path not in commit.files:
        raise _missing_entry(path, commit)
    content = commit.files[path]
    headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{content.oid}"', "Accept-Ranges": "bytes"}
    headers["Content-Disposition"] = f'inline; filename="{quote(path.split("/")[-1])}"'
    if content.lfs:
        headers |= {"X-Linked-ETag": f'"{content.sha256}"', "X-Linked-Size": str(content.size)}
    return _part(request.headers.get("Range"), content, headers)


def _part(wanted: str | None, content: Content, headers: dict[str, str]) -> Answer:
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if not found or found[0] == "bytes=-":
        return Answer(content, 200, headers)
    first, last = found.groups()
    start = int(first) if first else max(0, content.size - int(last))
    stop = min(int(last) + 1, content.size) if first and last else content.size
    if start >= stop:
        whole = {"Content-Range": f"bytes */{content.size}"}
        raise Refusal(416, "Range not satisfiable", headers=whole)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
    return Answer(content, 206, headers, start, stop)


# --- uploads and commits --------------------------------------------------------------------


def _committer(request: Request, repo: Repository, revision: str) -> User:
    """Return who commits; anyone with a token may where a pull request is (to be) opened."""
    if request.flag("create_pr"):
        return request.login()
    pull = repo.discussion_of(revision)
    return request.writer(repo, author=pull.author if pull else None)


@_route("POST", f"{_API}/preupload/(?P<revision>[^/]+)")
def _preupload(hub: HubServer, request: Request, repo: Repository, revision: str) -> Json:
    _committer(request, repo, revision)
    present = repo.commit_at(revision).files
    return {"files": [_upload_mode(file, present) for file in request.json()["files"]]}


def _upload_mode(file: Mapping[str, Any], present: Mapping[str, Content]) -> dict[str, Any]:
    path = file["path"]
    large = belongs_in_lfs(path, file["size"], base64.b64decode(file.get("sample", "")))
    mode = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
    if path in present:
        mode["oid"] = present[path].oid
    return mode


@_route("POST", rf"{_PAGE}\.git/info/lfs/objects/batch")
def _lfs_batch(hub: HubServer, request: Request, repo: Repository) -> Json:
    request.login()
    verify = f"{hub.endpoint}/{repo.address}.git/info/lfs/verify"
    objects = []
    for wanted in request.json()["objects"]:
        answer = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in hub.large_files:
            upload = f"{hub.endpoint}/lfs/{wanted['oid']}"
            answer["actions"] = {"upload": {"href": upload}, "verify": {"href": verify}}
        objects.append(answer)
    return {"transfer": "basic", "objects": objects}


@_route("PUT", "/lfs/(?P<oid>[0-9a-f]{64})")
def _lfs_upload(hub: HubServer, request: Request, oid: str) -> Json:
    content = Content(request.body, lfs=True)
    if content.sha256 != oid:
        raise Refusal(400, "The uploaded bytes do not have the promised SHA-256")
    hub.large_files[oid] = content
    return {}


@_route("POST", rf"{_PAGE}\.git/info/lfs/verify")
def _lfs_verify(hub: HubServer, request: Request, repo: Repository) -> Json:
    promised = request.json()
    stored = hub.large_files.get(promised["oid"])
    if stored is None or stored.size != promised["size"]:
        raise Refusal(404, "The uploaded file is not there")
    return {}


@_route("POST", f"{_API}/commit/(?P<revision>[^/]+)")
def _commit(hub: HubServer, request: Request, repo: Repository, revision: str) -> Json:
    author = _committer(request, repo, revision).name
    header, *operations = (json.loads(line) for line in request.body.splitlines() if line)
    title, text = header["value"]["summary"], header["value"].get("description", "")
    wanted_parent = header["value"].get("parentCommit")
    opens_pull = request.flag("create_pr")
    base = repo.commit_at(wanted_parent if opens_pull and wanted_parent else revision)
    if wanted_parent and not base.sha.startswith(wanted_parent):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    files = _apply(operations, base, hub.large_files)
    pull = repo.open_discussion(title, author, text, base) if opens_pull else None
    ref = pull.ref if pull else repo.writable_ref(revision)
    commit = repo.commit(ref, files, title, author, text)
    page = f"{hub.endpoint}/{repo.address}"
    answer = {"success": True, "commitOid": commit.sha, "commitUrl": f"{page}/commit/{commit.sha}"}
    return answer | ({"pullRequestUrl": f"{page}/discussions/{pull.number}"} if pull else {})


def _apply(
    operations: list[dict[str, Any]], base: Commit, large_files: Mapping[str, Content]
) -> dict[str, Content]:
    files = dict(base.files)
    for operation in operations:
        kind, value = operation["key"], operation["value"]
        path = value["path"]
        if kind == "file":
            files[path] = Content(base64.b64decode(value["content"]))
        elif kind == "lfsFile":
            files[path] = _large_file(value["oid"], files, large_files)
        else:
            gone = _paths_to_delete(path, files, kind == "deletedFolder")
            files = {kept: content for kept, content in files.items() if kept not in gone}
    return files


def _large_file(oid: str, files: Mapping[str, Content], uploaded: Mapping[str, Content]) -> Content:
    """Return an uploaded file or, for a copy, one that was seeded and never uploaded."""
    if oid in uploaded:
        return uploaded[oid]
    for content in files.values():
        if content.lfs and content.sha256 == oid:
            return content
    raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {oid}")


def _paths_to_delete(path: str, files: Mapping[str, Content], folder: bool) -> set[str]:
    prefix = path.rstrip("/") + "/"
    gone = {file for file in files if file == path or (folder and file.startswith(prefix))}
    if not gone:
        reason = f"A file with this name doesn't exist: {path}"
        raise Refusal(404, reason, "EntryNotFound")
    return gone


# --- references -----------------------------------------------------------------------------


@_route("GET", f"{_API}/refs")
def _refs(hub: HubServer, request: Request, repo: Repository) -> Json:
    def under(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit.sha}
            for ref, commit in repo.refs.items()
            if ref.startswith(prefix)
        ]

    answer = {"branches": under("refs/heads/"), "converts": [], "tags": under("refs/tags/")}
    if request.flag("include_prs"):
        answer["pullRequests"] = under("refs/pr/")
    return answer


@_route("GET", f"{_API}/commits/(?P<revision>[^/]+)")
def _commits(hub: HubServer, request: Request, repo: Repository, revision: str) -> Json:
    return [
        {
            "id": commit.sha,
            "title": commit.title,
            "message": commit.description,
            "authors": [{"user": commit.author}],
            "date": commit.date,
        }
        for commit in repo.history(revision)
    ]


@_route("POST", f"{_API}/tag/(?P<revision>[^/]+)")
def _create_tag(hub: HubServer, request: Request, repo: Repository, revision: str) -> Json:
    request.writer(repo)
    repo.create_ref(f"refs/tags/{request.json()['tag']}", repo.commit_at(revision))
    return {}


@_route("POST", f"{_API}/branch/(?P<name>[^/]+)")
def _create_branch(hub: HubServer, request: Request, repo: Repository, name: str) -> Json:
    request.writer(repo)
    start = request.json().get("startingPoint") or "main"
    repo.create_ref(f"refs/heads/{name}", repo.commit_at(start))
    return {}


@_route("DELETE", f"{_API}/(?P<kind_of_ref>tag|branch)/(?P<name>[^/]+)")
def _delete_ref(
    hub: HubServer, request: Request, repo: Repository, kind_of_ref: str, name: str
) -> Json:
    request.writer(repo)
    repo.delete_ref(f"refs/{'tags' if kind_of_ref == 'tag' else 'heads'}/{name}")
    return {}


# --- discussions and pull requests ----------------------------------------------------------


@_route("GET", f"{_API}/discussions")
def _list_discussions(hub: HubServer, request: Request, repo: Repository) -> Json:
    chosen = [thread for thread in reversed(repo.discussions) if _is_wanted(request, thread)]
    start = int(request.parameter("p", "0")) * _DISCUSSIONS_PER_PAGE
    page = chosen[start : start + _DISCUSSIONS_PER_PAGE]
    summaries = [_summary(repo, thread) for thread in page]
    return {"discussions": summaries, "count": len(chosen), "start": start}


def _is_wanted(request: Request, thread: Discussion) -> bool:
    kind = "pull_request" if thread.base else "discussion"
    status = "open" if thread.status in _OPEN_STATUSES else "closed"
    return (
        request.parameter("type", "all") in ("all", kind)
        and request.parameter("status", "all") in ("all", status)
        and request.parameter("author") in ("", thread.author)
    )


def _summary(repo: Repository, thread: Discussion) -> dict[str, Any]:
    return {
        "num": thread.number,
        "title": thread.title,
        "status": thread.status,
        "author": {"name": thread.author},
        "createdAt": thread.created,
        "isPullRequest": thread.base is not None,
        "repo": {"name": repo.repo_id, "type": repo.kind},
    }


@_route("GET", rf"{_API}/discussions/(?P<number>\d+)")
def _discussion(hub: HubServer, request: Request, repo: Repository, number: str) -> Json:
    thread = repo.discussion(int(number))
    details = {**_summary(repo, thread), "events": thread.events}
    if thread.base:
        details["changes"] = {"base": MAIN}
        details["filesWithConflicts"] = repo.conflicts(thread)
        details["diff"] = unified_diff(thread.base, repo.refs[thread.ref])
    if thread.merge_commit:
        details["changes"]["mergeCommitId"] = thread.merge_commit.sha
    return details


@_route("POST", f"{_API}/discussions")
def _open_discussion(hub: HubServer, request: Request, repo: Repository) -> Json:
    user, wanted = request.login(), request.json()
    base = repo.refs[MAIN] if wanted.get("pullRequest") else None
    thread = repo.open_discussion(
        wanted["title"], user.name, wanted["description"], base, "draft" if base else "open"
    )
    return {"num": thread.number, "pullRequest": base is not None}


@_route("POST", rf"{_API}/discussions/(?P<number>\d+)/comment")
def _comment(hub: HubServer, request: Request, repo: Repository, number: str) -> Json:
    author = request.login().name
    return {"newMessage": repo.discussion(int(number)).comment(author, request.json()["comment"])}


@_route("POST", rf"{_API}/discussions/(?P<number>\d+)/status")
def _set_status(hub: HubServer, request: Request, repo: Repository, number: str) -> Json:
    thread, wanted = repo.discussion(int(number)), request.json()
    author = request.writer(repo, author=thread.author).name
    if wanted.get("comment"):
        thread.comment(author, wanted["comment"])
    return {"newStatus": thread.set_status(author, wanted["status"])}


@_route("POST", rf"{_API}/discussions/(?P<number>\d+)/merge")
def _merge(hub: HubServer, request: Request, repo: Repository, number: str) -> Json:
    author = request.writer(repo).name
    thread = repo.discussion(int(number))
    if comment := request.json().get("comment"):
        thread.comment(author, comment)
    return {"mergeCommitId": repo.merge(thread, author).sha}
