"""What is said to anybody holds no token."""

from __future__ import annotations

import re

Token = str | bool | None
"""A token, None for the one that is logged in, False for none."""


def without_tokens(text: str, token: Token = None) -> str:
    """The text with every token in it blotted out."""
    for secret in (token, _logged_in()):
        if isinstance(secret, str) and secret.strip():
            text = text.replace(secret.strip(), "(token)")
    return re.sub(r"hf_\w{8,}", "(token)", text)


def _logged_in() -> str | None:
    """The user's own token; None if its file can't be read, since an error is being told."""
    from huggingface_hub import get_token

    try:
        return get_token()
    except OSError:
        return None
