import tags


def test_parse():
    assert tags.parse("News, news, Sport") == {"news", "sport"}


def test_show():
    assert tags.show(tags.parse("news, sport")) == "#news #sport"


def test_nothing():
    assert tags.show([]) == ""
