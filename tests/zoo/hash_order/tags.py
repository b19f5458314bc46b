"""Tags of an article."""


def parse(line):
    return {tag.strip().lower() for tag in line.split(",") if tag.strip()}


def show(tags):
    return " ".join(f"#{tag}" for tag in tags)
