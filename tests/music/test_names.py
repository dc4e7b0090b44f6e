import pytest

from loopgen.errors import InvalidRequest
from loopgen.music.names import check_name


@pytest.mark.parametrize(
    "name", ["a", "Night Drive 2", "dub-techno_v1.2", "x" * 64, "console", "com", "CONrad", "con man.txt", "a..b"]
)
def test_good_names_stay_as_they_are(name: str) -> None:
    assert check_name("preset", name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 65, "..", ".", ".hidden", "dot.", " a", "a ", "a/b", "a\\b", "C:", "a\n", "a\x00", "ä", "CON", "nul.txt",
     "Com1", "LPT9.tar.gz", "nul .txt", "con  .a.b", "aux", 7, None],
)  # fmt: skip
def test_bad_names_are_refused_by_field(name: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^preset: "):
        check_name("preset", name)  # type: ignore[arg-type]
