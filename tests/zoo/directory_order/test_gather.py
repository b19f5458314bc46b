import gather


def test_first_chapter(tmp_path):
    for number in range(1, 4):
        (tmp_path / f"{number}.txt").write_text("text")
    assert gather.first(tmp_path) == "1.txt"


def test_others_are_left_out(tmp_path):
    (tmp_path / "cover.png").write_text("")
    assert gather.chapters(tmp_path) == []
