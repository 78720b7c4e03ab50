"""The noise that receipts allow a run elsewhere is the boards' own."""

from benchmark_adapters.deletion.rerun import NOISE
from leaderboards.board.board import board_names, load_board


def test_the_noise_is_the_most_that_boards_of_a_published_original_measured_of_any_method():
    boards = [load_board(name) for name in board_names() if name.startswith("cifar10-resnet20")]
    measured = [own for board in boards if board.noise for own in board.noise["rerun"].values()]
    assert len(measured) > 20
    most = {name: max(own.get(name, 0.0) for own in measured) for name in NOISE}
    assert {name: round(value, 3) for name, value in most.items()} == NOISE
