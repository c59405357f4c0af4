"""Lines that machines put out are told from sentences of people."""

from __future__ import annotations

import pytest

from gateway.text.log_lines import log_lines, shown
from tests.pace import grows_linearly

SURE = (
    # entries
    "2026-01-05 08:00:12,441 INFO [main] com.example.App: started",
    "2026-01-05T08:00:12.441Z INFO started in 3 s",
    "[2026-01-05 08:00:12 +0100] [4711] [INFO] Booting worker",
    "[Mon Jan 05 08:00:12 2026] [notice] child init 1",
    "26/01/05 08:00:12 INFO storage.BlockManager: removed block 3",
    "260105 080012 35 INFO dfs.Node: receiving block",
    "01-05 08:00:12.441  1702  2395 D Window: focus lost",
    "05.01.2026 08:00:12 | WARN | disk nearly full",
    "05-Jan-2026 08:00:12.441 SEVERE [main] startup failed",
    "20260105-08:00:12:441|Steps|3002|counter reset",
    "Jan  5 08:00:12 web-1 sshd[4711]: Failed password for root from 192.0.2.1 port 22 ssh2",
    "web_1  | 2026-01-05 08:00:12 UTC LOG:  checkpoint starting",
    "- 1767600012 2026.01.05 R1-M0 RAS KERNEL INFO cache error corrected",
    "447 node-246 unix.hw state.change 1767600012 1 Component state changed",
    "447 node-70 action start 1767600012 1 boot (command 1903)",
    "web      | 2026-01-05 08:00:12 UTC LOG:  checkpoint starting",
    "[web] 2026-01-05 08:00:12 started",
    "[01.05 08:00:12] app.exe - proxy.example.com:5070 close, 12 bytes sent",
    "08:00:12.441 [pool-1-thread-1] DEBUG c.e.App - tick",
    "[08:00:12 ERR] Connection refused",
    "[    4.213871] usb 1-1: new device found",
    "ERROR [worker-3] job failed",
    "WARN  org.example.Cache - evicting",
    "E/AndroidRuntime( 1234): FATAL EXCEPTION: main",
    "I0105 08:00:12.441123 4711 server.go:88] listening",
    "npm ERR! code ELIFECYCLE",
    '{"level":"error","ts":1767600012.4,"msg":"no route"}',
    '{"@timestamp": "2026-01-05", "message": "no route", "level": "warn"}',
    '192.0.2.1 - - [05/Jan/2026:08:00:12 +0000] "GET / HTTP/1.1" 500 12',
    "src/main.c:12:5: error: 'x' undeclared",
    # frames
    "    at com.example.App.run(App.java:42)",
    "\tat java.base/java.lang.Thread.run(Native Method)",
    "at Object.<anonymous> (/srv/app.js:12:3)",
    "    at async handler (https://example.com/app.js:12:3)",
    "at chrome-extension://abcdef/build/main.js:28167:41",
    "   at Example.App.Run(String[] args) in C:\\src\\App.cs:line 42",
    "   at Example.App.Run(String[] args)",
    "    in Button (created by Form)",
    "    in App (at index.js:7)",
    '  File "/srv/app.py", line 12, in run',
    "Traceback (most recent call last):",
    "emit@moz-extension://0a1b/build/main.js:24626:22",
    "        from app.rb:12:in `run'",
    "#0 /srv/app.php(12): run()",
    "#1 {main}",
    "#3  0x00007f3a in main () at main.c:12",
    "goroutine 1 [running]:",
    "\t/srv/main.go:12 +0x1d",
    "thread 'main' panicked at src/main.rs:12:5:",
    "    (app 0.1.0) lib/app.ex:12: App.run/1",
    "Died at app.pl line 12.",
    "PHP Fatal error:  Uncaught Error",
    'Exception in thread "main" java.lang.Error',
    "Caused by: java.io.IOException: closed",
    "    ... 23 more",
    " ---> System.IO.IOException: closed",
    "java.lang.NullPointerException: amount",
    # dumps
    "00000010  48 65 6c 6c 6f 20 77 6f  72 6c 64 0a",
    "00000010: 4865 6c6c 6f20 776f 726c 640a  Hello world.",
    # wherever it stands
    "> 2026-01-05 08:00:12 INFO quoted",
    "- `2026-01-05 08:00:12 INFO in a list`",
    "<code>2026-01-05 08:00:12 INFO in a page</code>",
)
SAID = (
    "",
    "How do I rotate the key?",
    "We saw on 2026-01-05 08:00:12 that the server was gone.",
    "Since 2026-01-05 08:00:12 nothing works.",
    "Update: on 2026-01-05 08:00:12 it came back.",
    "2 of the 1767600012 are left",
    "In 2026 at 08:00 the job starts, at least on Mondays.",
    "At work (in Aachen) it fails, at home it does not.",
    "at least once a day",
    "in the meantime I restarted it (twice)",
    "The error is thrown at line 12 of app.py, I think.",
    "Error handling is what I want to learn.",
    "Warning: this deletes all data.",
    "An exception to this rule is the cache.",
    "File a bug, line 12 is wrong.",
    "x = 1; y = 2; z = f(a=1, b=2, c=3)",
    "plot(x=1, y=2, width=3, height=4)",
    "2026-01-05 Release of 1.2",
    "12:30 lunch",
    "- see https://example.com/a/b:8080",
    "jane@example.com wrote to me",
    "#12 is fixed by #13",
    "00 11 22",
    "3.14 2.72 1.41 1.73",
    "2026-01-05 08:00:12  1.25  3.50",
    '{"name": "app", "version": "1.0"}',
    "- [ ] I have read the guide",
    "| 2026-01-05 | fine | 12 |",
)


@pytest.mark.parametrize("line", SURE)
def test_a_line_of_a_machine_is_known(line: str) -> None:
    """Each format by one line alone, whatever stands around it."""
    assert log_lines(f"It fails:\n\n{line}\n\nWhy?") == {2}


@pytest.mark.parametrize("line", SAID)
def test_a_line_of_a_person_is_none(line: str) -> None:
    """Times, errors and paths are what people speak of, too."""
    assert log_lines(f"{line}\n\nThanks") == frozenset()


def test_likely_lines_count_in_company() -> None:
    """One warning is a sentence; three different ones, or one beside an entry, are a log."""
    one, three = "WARNING: a", "WARNING: a\nERROR: b\nINFO: c"

    assert log_lines(one) == frozenset()
    assert log_lines(f"{one}\n{one}\n{one}") == frozenset()
    assert log_lines(three) == {0, 1, 2}
    assert log_lines(f"{one}\n\n{SURE[0]}") == {0, 2}


def test_what_is_indented_under_an_entry_goes_on_with_it() -> None:
    """A source line under its frame; not the next paragraph."""
    text = '  File "app.py", line 12, in run\n    raise Gone\n\nWhat is Gone?'

    assert log_lines(text) == {0, 1}


def test_a_reader_sees_no_comments_and_the_lines_of_html() -> None:
    """Words that nobody sees are nobody's words; a page's lines end where it says so."""
    text = "a<!-- 1\n2 -->b<br>c<p class='x'>d<!-- never ends"

    assert shown(text) == "ab\nc\nd"


@pytest.mark.parametrize(
    "piece",
    ["at x(", "at \n", "<p", "<!--", "1", "2026-01-05 ", "a1 ", "a.b|", "AB ", 'a="b ', '"ts":"msg":',
     '{"ts":1,', "00 ", "0000 ", "> ", "<a>", "- * > `", "ERROR ", " at x line 1", "a@b://x:1", "a.b.",
     f"{SURE[0]}\n", "\n"],
)  # fmt: skip
def test_the_time_is_linear_in_the_text(piece: str) -> None:
    """Whatever the text repeats."""
    assert grows_linearly(lambda length: log_lines(piece * (length // len(piece) + 1)), 6_000)
