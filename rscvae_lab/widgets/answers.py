"""The answer to a prediction, below the figure that shows it."""

from IPython.display import Markdown


def answer(text: str) -> Markdown:
    """Text in Markdown that is folded until it is clicked."""
    return Markdown(f"<details><summary>What we saw</summary>\n\n{text}\n\n</details>")
