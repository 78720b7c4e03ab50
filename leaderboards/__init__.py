"""Records, boards, submission and pages."""

from suli_plugin.moved_modules import keep_old_names

keep_old_names({"leaderboards.leaderboard_command": "leaderboards.command"})
