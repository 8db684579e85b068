import pytest

from pipeline.terminology import looks_like_drug


@pytest.mark.parametrize(
    "word",
    ["examplumab", "Novitinib", "fictavastatin", "inventopril",
     "fabusartan", "cefimagin", "imaginavir", "novocillin", "madeupxaban", "newgliptin", "peginventase"],
)  # fmt: skip
def test_unseen_words_with_an_inn_stem(word: str) -> None:
    assert looks_like_drug(word)


@pytest.mark.parametrize(
    "word",
    ["patient", "treatment", "concept", "reason", "control", "season", "cholesterol", "sulfate", "april", "ligament",
     "management", "vaccine", "person", "baseline", "poison", "medicine", "keratin", "moment", "urine", "alcohol"],
)  # fmt: skip
def test_ordinary_words_are_not_drugs(word: str) -> None:
    assert not looks_like_drug(word)
