"""Names, patterns, and which list a name stands in."""

from tlsrpt_mailer.report.patterns import Names


def test_a_pattern_matches_whatever_lies_below():
    """*.example.com is all of its sub-domains, however deep, but not example.com itself."""
    names = Names([("*.example.com",)])

    found = [names.find(name) for name in ("example.com", "a.example.com", "b.a.example.com")]
    assert [None, 0, 0] == found
    assert names.find("aexample.com") is None


def test_the_first_block_that_matches_wins():
    """Order decides, whether by name, by pattern or by "*"."""
    names = Names([("a.example",), ("*.example", "b.example"), ("*", "a.example")])

    assert [0, 1, 2, 1] == [names.find(n) for n in ("a.example", "b.example", "c", "c.a.example")]


def test_plain_names_are_found_as_well_as_patterns():
    """Ten thousand names from a file: the first block that has one wins, and "*" has all."""
    names = Names([("a.example", "b.example"), ("b.example", "c.example")])

    assert [0, 0, 1, None] == [names.find(f"{n}.example") for n in "abcd"]
    assert [0, 1] == names.all("b.example")
    assert [1, 1] == [Names([("a.example",), ("*",)]).find(n) for n in ("b.example", "c")]
    assert 0 == Names([("*",), ("a.example",)]).find("a.example")
