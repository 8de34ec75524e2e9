"""Tables of the words of a page, in the languages that it speaks."""

import re


def check_words(words):
    """Check that each word is there in each language, with the same values in it."""
    languages = set(words["name_of_language"])
    assert {"en", "de"} <= languages
    for word, texts in words.items():
        assert set(texts) == languages, word
        values = {language: sorted(re.findall(r"\{\w+\}", text)) for language, text in texts.items()}
        assert len({tuple(names) for names in values.values()}) == 1, word


def find_said(words, sources):
    """Return the words that HTML and scripts say by their whole names."""
    text = "\n".join(sources)
    said = set(re.findall(r'data-word="(\w+)"', text)) | set(re.findall(r'\bsay\("(\w+)"', text))
    said |= {word for word in re.findall(r'"(\w+)"', text) if word in words}
    return said | {f"{word}_{number}" for word in re.findall(r'sayCount\("(\w+)"', text) for number in ("one", "many")}
