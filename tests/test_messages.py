from tests.messages import messages


def test_messages_are_listed_with_placeholders() -> None:
    source = """
note = f"in {path.name}"
if missing:
    raise SchemaError(f"{name} lacks {missing!r}." + (note if note else ""))
warn("Rows were skipped.")
print(value)
"""
    assert messages(source, {"warn", "print"}) == [
        (2, "note =", "in {path.name}"),
        (4, "SchemaError", "{name} lacks {missing}.[{note}|]"),
        (5, "warn", "Rows were skipped."),
    ]
