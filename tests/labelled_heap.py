"""Truthful answers about the heap of tests/labelling."""

NAMES = ("ant", "bee", "wasp")


def true_label(key):
    return key.rpartition("-")[2].removesuffix(".jpg")


def answer_truly(session, count):
    """Answer so many questions, the head learning from all before at every fifth; return them."""
    asked = []
    for place in range(count):
        if place % 5 == 0:
            session.wait()
        question = session.ask()
        if question is None:
            break
        asked.append(question)
        session.answer(question.key, true_label(question.key))
    session.wait()
    return asked
