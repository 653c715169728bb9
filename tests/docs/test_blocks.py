"""Commands are found in pages as a reader sees them."""

import pytest

from tests.docs.blocks import Command, commands

_PAGE = """
1. In a list:

   ```console
   $ cat <<'END'
   > a
   > END
   a
   $ false
   ```

<!-- not run: needs a fleet -->
```console
$ reboot
```

<!-- exits: 3 -->
```console
$ true
$ exit 3
```

```sh
one && \\
two
```

```text
$ no command
```
"""


def test_commands_come_with_continuations_output_and_code() -> None:
    assert list(commands(_PAGE)) == [
        Command(5, "cat <<'END'\na\nEND", shows=("a",)),
        Command(9, "false"),
        Command(19, "true"),
        Command(20, "exit 3", exits=3),
        Command(24, "one && \\\ntwo\n"),
    ]


def test_a_remark_is_for_the_next_block_alone() -> None:
    page = "<!-- not run: far away -->\n```sh\nfirst\n```\n\n```sh\nsecond\n```\n"
    assert [command.text for command in commands(page)] == ["second\n"]


def test_output_before_any_command_is_an_error() -> None:
    with pytest.raises(ValueError, match="begins with"):
        list(commands("```console\nhello\n```\n"))
