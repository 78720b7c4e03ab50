"""Verify what a store holds, one submission after the other, and write down what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from accelerate import Accelerator

from benchmark_adapters.cluster.options import MakeCrew
from benchmark_adapters.grid.benchmark_options import made_benchmark
from benchmark_adapters.records.strict_json import JSON_LIMIT
from leaderboards.board.board import Board, is_reference, load_board
from leaderboards.board.metrics import LEVELS, Level
from leaderboards.claims.submission import FOLDER, Submission, read_submission
from leaderboards.claims.verdict import Refused, Verdict
from leaderboards.claims.verdict_text import verdict_comment
from leaderboards.store.aggregate import stored_submissions, verdicts_of
from leaderboards.store.evidence import StoreEvidence
from leaderboards.store.files import StoreFiles
from leaderboards.store.folder import put_verdict
from leaderboards.store.hub import HubStore
from leaderboards.store.place import acting_as, hub_store, store_files
from leaderboards.store.pull_requests import PullRequest
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.levels import Verifier
from suli_plugin.plugins import registry

MakeAccelerator = Callable[..., Accelerator]


@dataclass(frozen=True)
class Request:
    """What to verify, how far, as whom, with what; see `suli leaderboard verify --help`.

    make_crew: of workers that run methods again, None to do it here.
    """

    source: str
    level: Level
    folder: Path
    number: int | None = None
    merge: bool = False
    board: str | None = None
    methods: tuple[str, ...] = ()
    sample: int | None = None
    again: bool = False
    data: str | None = None
    original: str | None = None
    name: str | None = None
    make_crew: MakeCrew | None = None


@dataclass(frozen=True)
class Looked:
    """One submission that was looked into. submission: None if it could not even be read."""

    submission_id: str
    submission: Submission | None
    found: Verdict | Refused

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with it."""
        return isinstance(self.found, Verdict) and self.found.outcome != "refuted"


def verified(
    request: Request, accelerator: MakeAccelerator, show: Callable[[Looked], None]
) -> list[Looked]:
    """Verify what is asked for; show: told each as soon as it is done.

    accelerator: makes this process's, for a precision and `compiled=`. Raises ValueError for a
    wrong request and where this machine falls short, HubError.
    """
    store = hub_store(request.source)
    if request.number is None:
        return _verified_main(request, store, accelerator, show)
    if store is None:
        raise ValueError(f"{request.source} is a folder, which has no pull requests (--pr)")
    if store.is_merged(request.number):
        # Killed after the merge: what is missing is the verdict on the main branch.
        return _verified_main(request, store, accelerator, show)
    return _verified_pull(request, store, accelerator, show)


def board_verifier(
    board: Board,
    request: Request,
    accelerator: Accelerator,
    *,
    by: str,
) -> Verifier:
    """A verifier of one board with the data and the original of this machine.

    Raises Refused for a board that nobody measured, ValueError for a missing or needless option.
    """
    if board.not_measured:
        raise Refused(board.name, [f"it takes no submissions yet: {board.not_measured}"])
    if board.original["kind"] == "published" and request.original is None:
        raise ValueError(
            f"{board.name} is about a published original; name it with --original: "
            f"{board.original['source']}"
        )
    found = registry()
    given = {**board.options, "data": request.data, "original": request.original}
    benchmark = made_benchmark(found.benchmark(board.benchmark), given)
    cases = BoardCases(board, benchmark, accelerator)
    return Verifier(
        cases, found, request.level, by, request.folder, request.sample, request.make_crew
    )


def _verified_main(
    request: Request,
    store: HubStore | None,
    accelerator: MakeAccelerator,
    show: Callable[[Looked], None],
) -> list[Looked]:
    files = store_files(store, request.source)
    wanted = [each for each in stored_submissions(files) if _is_wanted(each, files, request)]

    def write_down(looked: Looked) -> None:
        show(looked)
        if looked.submission is None or not isinstance(looked.found, Verdict):
            return
        if store is None:
            put_verdict(Path(request.source), looked.submission, looked.found)
        else:
            store.put_verdicts([(looked.submission, looked.found)])

    return _looked_into(wanted, files, request, acting_as(store, request.name), accelerator,
                        write_down)  # fmt: skip


def _verified_pull(
    request: Request,
    store: HubStore,
    accelerator: MakeAccelerator,
    show: Callable[[Looked], None],
) -> list[Looked]:
    assert request.number is not None
    pull = store.pull_request(request.number)
    unreadable, wanted = _of_pull(pull)
    for each in unreadable:
        show(each)
    looked = unreadable + _looked_into(
        wanted, pull.files, request, acting_as(store, request.name), accelerator, show
    )
    found = [(each.submission_id, each.found) for each in looked]
    store.comment(pull.number, verdict_comment(found, request.level))
    whole = {each.submission_id for each in looked} == set(pull.submissions)
    if request.merge and whole and all(each.holds for each in looked):
        store.merge(pull)
        store.put_verdicts(
            [(each.submission, each.found) for each in looked
             if each.submission is not None and isinstance(each.found, Verdict)]
        )  # fmt: skip
    return looked


def _of_pull(pull: PullRequest) -> tuple[list[Looked], list[Submission]]:
    """What can't be taken from a pull request, with the reasons, and the submissions that can."""
    reasons = pull.reasons_against()
    if reasons:
        return [Looked(f"pull request {pull.number}", None, Refused("it", reasons))], []
    refused, taken = [], []
    for submission_id in pull.submissions:
        path = f"{FOLDER}/{submission_id}.json"
        try:
            if pull.head.sizes.get(path, 0) > JSON_LIMIT:
                raise ValueError(f"{path} has more than {JSON_LIMIT} bytes")
            submission = read_submission(pull.head.read(path), path)
            if submission.submitter != pull.author:
                raise ValueError(
                    f"it is a submission of {submission.submitter}, the pull request is of "
                    f"{pull.author!a:.80}"
                )
            taken.append(submission)
        except ValueError as error:
            refused.append(Looked(submission_id, None, Refused(submission_id, [str(error)])))
    return refused, taken


def _looked_into(
    wanted: Sequence[Submission],
    files: StoreFiles,
    request: Request,
    by: str,
    accelerator: MakeAccelerator,
    tell: Callable[[Looked], None],
) -> list[Looked]:
    if not wanted:
        return []
    board = _one_board(wanted, request.board)
    wanted = [each for each in wanted if each.board == board.name]
    made = accelerator(
        _one_precision(wanted, request.level), compiled=_all_compiled(wanted, request.level)
    )
    verifier = board_verifier(board, request, made, by=by)
    evidence, looked = StoreEvidence(files, board), []
    for submission in sorted(wanted, key=lambda each: _rank(each, board)):
        try:
            found: Verdict | Refused = verifier.verdict(submission.id, evidence)
        except Refused as refused:
            found = refused
        looked.append(Looked(submission.id, submission, found))
        if not looked[-1].holds:
            evidence.refuted.add(submission.id)
        tell(looked[-1])
    return looked


def _rank(submission: Submission, board: Board) -> int:
    """What audits are beside comes first, so that none is beside what is found false."""
    if is_reference(submission.method):
        return 0
    return 1 if submission.method in board.controls else 2


def _is_wanted(submission: Submission, files: StoreFiles, request: Request) -> bool:
    named = any(fnmatchcase(submission.method, each) for each in request.methods or ("*",))
    verdict = verdicts_of(files, submission).on(submission)
    known = verdict is not None and LEVELS.index(verdict.level) >= LEVELS.index(request.level)
    return named and (request.again or not known)


def _one_board(submissions: Sequence[Submission], named: str | None) -> Board:
    boards = sorted({submission.board for submission in submissions})
    if named is None and len(boards) != 1:
        raise ValueError(f"say which board with --board; submissions are for: {', '.join(boards)}")
    return load_board(named if named is not None else boards[0])


def _one_precision(submissions: Sequence[Submission], level: Level) -> str:
    """The precision to run methods in, of which a process has one."""
    found = sorted({str(each.claimed[0]["precision"]) for each in submissions})
    if level == "rerun" and len(found) > 1:
        raise ValueError(f"they were run in the precisions {', '.join(found)}: choose by --methods")
    return found[0] if level == "rerun" and found else "no"


def _all_compiled(submissions: Sequence[Submission], level: Level) -> bool:
    """Whether methods are to be run compiled, which a process does for all of them or none."""
    found = {each.claimed[0].get("compiled") is not None for each in submissions}
    if level == "rerun" and len(found) > 1:
        raise ValueError("some were run compiled and some were not: choose by --methods")
    return level == "rerun" and found == {True}
