def words(text):
    return set(text.split())


def test_sorted_words():
    assert sorted(words("to be or not to be")) == ["be", "not", "or", "to"]


def test_equal_as_sets():
    assert words("a b") == words("b a")
