"""An aggregate row whose every text was written by somebody with bad intentions."""

from leaderboard_example import CLASS_WISE, aggregate

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '"><img src=x onerror="window.hacked = 2">'
LINK = "[here](javascript:alert(1)) javascript:window.hacked=3 https://x.example www.x.example"
CLOSING = "</script></style></textarea></title><svg onload=window.hacked=4>"
TERMINAL = "\x1b[31mred\x1b]0;title\x07"
TURNED = "a\u202egnp.exe\u2066\u200b"
MARKDOWN = "| a | b |\n|---|---|\n`code` *bold* <!-- /leaderboard --> {{ 7 * 7 }} {% raw %}"
TEXTS = (SCRIPT, IMAGE, LINK, CLOSING, TERMINAL, TURNED, MARKDOWN, "name" * 2000)


def hostile_rows():
    """One row a text, with the text wherever a text can be."""
    return [_row(text) for text in TEXTS]


def _row(text):
    (like,) = [row for row in aggregate() if row["method"] == "suli" and "class" in row["board"]]
    assert "suli" in CLASS_WISE
    spread = {"mean": 0.5, "std": 0.1, "n": 3}
    return {
        **like,
        "method": text,
        "needs": [text],
        "verified_by": text,
        "verified_at": text,
        "verified_level": text,
        "versions": {text: text},
        "hardware": text,
        "seeds": [text],
        "scenarios": [text],
        "metrics": {**like["metrics"], text: spread},
        "claimed_metrics": {text: spread},
        "by_scenario": {text: like["metrics"]},
        "hyperparameters": {text: text, "list": [text, {text: text}]},
        "command": text,
        "plugin": text,
        "reason": text,
        "submission": text,
    }
