import registry


def test_register():
    registry.register("json", dict)
    assert registry.plugins["json"] is dict


def test_register_another():
    registry.register("text", str)
    assert "text" in registry.plugins


def test_preference_is_kept():
    registry.options["prefer"] = "json"
    assert registry.options["prefer"] == "json"


def test_default_is_plain():
    assert registry.default() == "plain"


def test_unknown_plugin():
    assert "yaml" not in registry.plugins
